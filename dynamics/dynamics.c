/* The rows in use, and calls of their hooks in order. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "dynamics/dynamics.h"

#include <stdio.h>
#include <string.h>

#include "core/mathx.h"

#define DT_DYNAMICS(name) extern const dt_dynamics_row dt_dynamics_##name;
#include "dynamics/dynamics.def"
#undef DT_DYNAMICS

#define DT_DYNAMICS(name) &dt_dynamics_##name.row,
static const dt_row *const rows[] = {
#include "dynamics/dynamics.def"
    NULL,
};
#undef DT_DYNAMICS

const dt_table dt_dynamics_rows = { "dynamics", rows };

const dt_dynamics_row *dt_dynamics_row_of(const dt_row *row)
{
    return (const dt_dynamics_row *)(const void *)row;
}

void *dt_dynamics_find(const dt_dynamics *d, const char *row)
{
    for (int i = 0; i < d->count; i++)
        if (strcmp(d->part[i].row->row.name, row) == 0) return d->part[i].state;
    return NULL;
}

void *dt_dynamics_memory(dt_dynamics *d, size_t bytes)
{
    return dt_arena_get(d->arena, bytes);
}

static dt_dynamics_tensor *new_tensor(dt_dynamics *d)
{
    if (d->tensor_count == d->tensor_room) {
        int room = d->tensor_room ? 2 * d->tensor_room : 64;
        dt_dynamics_tensor *more = dt_arena_get(d->arena, sizeof *more * (size_t)room);
        if (!more) return NULL;
        if (d->tensor_count) memcpy(more, d->tensor, sizeof *more * (size_t)d->tensor_count);
        d->tensor = more;
        d->tensor_room = room;
    }
    return &d->tensor[d->tensor_count];
}

bool dt_dynamics_tensor_of(dt_dynamics *d, const dt_shape *shape, const char *row, const char *what,
                           const char *owner, real *data)
{
    dt_dynamics_tensor *t = new_tensor(d);
    if (!t) return false;
    t->name = dt_arena_printf(d->arena, "dynamics/%s/%s/%s", row, what, owner);
    t->shape = *shape;
    t->data = data;
    if (!t->name) return false;
    d->tensor_count++;
    return true;
}

real *dt_dynamics_tensor_new(dt_dynamics *d, const dt_shape *shape, const char *row,
                             const char *what, const char *owner)
{
    real *data = dt_arena_get(d->arena, (size_t)dt_shape_count(shape) * sizeof(real));
    return data && dt_dynamics_tensor_of(d, shape, row, what, owner, data) ? data : NULL;
}

real **dt_dynamics_site_tensors(dt_dynamics *d, const char *row, const char *what, int max_bits)
{
    real **table = dt_arena_get(d->arena, sizeof *table * (size_t)(d->weights.count + 1));
    for (int i = 0; table && i < d->weights.count; i++) {
        const dt_weight_site *s = &d->weights.site[i];
        if (s->site.bits > max_bits) continue;
        table[i] =
            dt_dynamics_tensor_new(d, &d->graph->value[s->value].shape, row, what, s->weight);
        if (!table[i]) return NULL;
    }
    return table;
}

bool dt_dynamics_ramp(const dt_dynamics *d, double begin, double from, double to, double *out)
{
    double total = (double)d->at.total_steps, first = begin * total, t = (double)d->at.step;
    *out = from;
    if (t < first) return false;
    double rel = total > first ? (t - first) / (total - first) : 1;
    *out = to + (from - to) * 0.5 * (1 + dt_cospi(rel < 1 ? rel : 1));
    return true;
}

static dt_status open_part(dt_dynamics *d, const dt_dynamics_params *p, int i, dt_error *err)
{
    dt_dynamics_part *part = &d->part[i];
    part->row = dt_dynamics_row_of(p->choice[i].row);
    part->conf = p->choice[i].conf;
    part->all = d;
    part->state = dt_arena_get(d->arena, part->row->state_size + 1);
    d->count = i + 1;
    if (!part->state) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    char key[80];
    snprintf(key, sizeof key, "dynamics.%s", part->row->row.name);
    const dt_where where = { .file = p->file, .key = key };
    if (part->row->needs && !dt_dynamics_find(d, part->row->needs))
        return dt_fail(err, DT_ERR_ARG, &where, "needs dynamics.%s, %s", part->row->needs,
                       part->row->why);
    dt_error below = { .status = DT_OK };
    dt_status st = part->row->open ? part->row->open(part, &below) : DT_OK;
    return st == DT_OK ? DT_OK : dt_fail(err, st, &where, "%s", below.text);
}

dt_status dt_dynamics_open(dt_dynamics *d, const dt_dynamics_params *p, dt_error *err)
{
    *d = (dt_dynamics){
        .graph = p->graph, .state = p->state, .kernels = p->kernels, .threads = p->threads
    };
    if (p->count == 0) return DT_OK;
    d->arena = dt_arena_new(p->alloc, "dynamics");
    d->part = d->arena ? dt_arena_get(d->arena, sizeof *d->part * (size_t)p->count) : NULL;
    dt_status st = DT_OK;
    if (!d->part) st = dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    if (st == DT_OK)
        st = dt_weights_init(&d->weights, p->graph, p->state, p->threads, d->arena, err);
    for (int i = 0; st == DT_OK && i < p->count; i++)
        st = open_part(d, p, i, err);
    if (st != DT_OK) dt_dynamics_close(d);
    return st;
}

void dt_dynamics_close(dt_dynamics *d)
{
    dt_arena_free(d->arena);
    *d = (dt_dynamics){ 0 };
}

bool dt_dynamics_wants_norm(const dt_dynamics *d)
{
    for (int i = 0; i < d->count; i++)
        if (d->part[i].row->wants_norm) return true;
    return false;
}

bool dt_dynamics_wants_gradients(const dt_dynamics *d)
{
    for (int i = 0; i < d->count; i++)
        if (d->part[i].row->wants_gradients) return true;
    return false;
}

/* Encoders once between two changes of the weights, and only for rows that read them. */
static void freshen(dt_dynamics *d)
{
    if (!d->fresh) dt_weights_refresh(&d->weights);
    d->fresh = true;
}

void dt_dynamics_start(dt_dynamics *d, const dt_dynamics_at *at)
{
    d->at = *at;
    d->fresh = false;
    dt_weights_fold(&d->weights);
    for (int i = 0; i < d->count; i++) {
        if (!d->part[i].row->start) continue;
        freshen(d);
        d->part[i].row->start(&d->part[i]);
    }
}

dt_status dt_dynamics_epoch(dt_dynamics *d, const dt_dynamics_at *at, dt_error *err)
{
    d->at = *at;
    for (int i = 0; i < d->count; i++)
        if (d->part[i].row->epoch) DT_TRY(d->part[i].row->epoch(&d->part[i], err));
    return DT_OK;
}

void dt_dynamics_forward(dt_dynamics *d)
{
    dt_weights_fold(&d->weights);
}

void dt_dynamics_gradient(dt_dynamics *d, const dt_dynamics_at *at)
{
    d->at = *at;
    d->fresh = false;
    for (int i = 0; i < d->count; i++) {
        if (!d->part[i].row->gradient) continue;
        freshen(d);
        d->part[i].row->gradient(&d->part[i]);
    }
}

/* After a change of weights, scales or statistics. */
static void restore(dt_dynamics *d)
{
    d->fresh = false;
    dt_weights_fold(&d->weights);
    for (int i = 0; i < d->count; i++) {
        if (!d->part[i].row->restore) continue;
        freshen(d);
        d->part[i].row->restore(&d->part[i]);
    }
}

void dt_dynamics_step(dt_dynamics *d)
{
    restore(d);
    for (int i = 0; i < d->count; i++) {
        if (!d->part[i].row->step) continue;
        freshen(d);
        d->part[i].row->step(&d->part[i]);
    }
}

dt_status dt_dynamics_before_eval(dt_dynamics *d, bool estimate, dt_error *err)
{
    for (int i = 0; i < d->count; i++) {
        const dt_dynamics_row *row = d->part[i].row;
        if (!row->before_eval || (row->wants_norm && !estimate)) continue;
        DT_TRY(row->before_eval(&d->part[i], err));
        restore(d);
    }
    return DT_OK;
}

void dt_dynamics_after_eval(dt_dynamics *d)
{
    for (int i = d->count - 1; i >= 0; i--)
        if (d->part[i].row->after_eval) d->part[i].row->after_eval(&d->part[i]);
    d->fresh = false;
}

void dt_dynamics_report(dt_dynamics *d, dt_dynamics_report_fn fn, void *arg)
{
    d->fresh = false;
    dt_weights_fold(&d->weights);
    for (int i = 0; i < d->count; i++) {
        if (!d->part[i].row->report) continue;
        freshen(d);
        d->part[i].row->report(&d->part[i], fn, arg);
    }
}

void dt_dynamics_progress(dt_dynamics *d, char *text, size_t size)
{
    if (size) text[0] = '\0';
    for (int i = 0; i < d->count; i++) {
        size_t used = strlen(text);
        if (d->part[i].row->progress && used + 1 < size)
            d->part[i].row->progress(&d->part[i], text + used, size - used);
    }
}
