/* Checkpoints of a run. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "fakequant/kind.h"
#include "kernels/gemm.h"
#include "train/store/container.h"

enum { NUMBER = 40 };

static dt_status put_text(dt_tensors *set, const char *key, const char *text, dt_error *err)
{
    return dt_tensors_set_attr(set, key, text, err);
}

static dt_status put_int(dt_tensors *set, const char *key, int64_t v, dt_error *err)
{
    char text[NUMBER];
    snprintf(text, sizeof text, "%" PRId64, v);
    return put_text(set, key, text, err);
}

/* Hexadecimal: every bit comes back. */
static dt_status put_real(dt_tensors *set, const char *key, double v, dt_error *err)
{
    char text[NUMBER];
    snprintf(text, sizeof text, "%a", v);
    return put_text(set, key, text, err);
}

/* The attribute of a sum of the epoch so far: "run.epoch_correct", of several parts
 * "run.epoch_class_correct". */
enum { KEY = DT_GOAL_NAME + 32 };
static const char *sum_key(const dt_goal *g, const dt_goal_part *p, int i, char key[KEY])
{
    char name[DT_GOAL_NAME];
    snprintf(key, KEY, "run.epoch_%s", dt_goal_name(g, p, "_", p->task->sum[i], name));
    return key;
}

static const char *best_key(const dt_goal *g, char key[KEY])
{
    char name[DT_GOAL_NAME] = "loss";
    if (g->decides >= 0) dt_goal_key(g, dt_goal_first(g, g->decides), name);
    snprintf(key, KEY, "run.best_%s", name);
    return key;
}

/* Of the epoch so far what first metrics are made of. */
static dt_status put_seen(dt_tensors *set, const dt_goal *g, const dt_score *s, dt_error *err)
{
    char key[KEY];
    DT_TRY(put_int(set, "run.epoch_seen", s->count, err));
    for (int k = 0; k < g->trained; k++) {
        const dt_goal_part *p = &g->part[k];
        for (int i = 0; i < p->task->deciding; i++) {
            sum_key(g, p, i, key);
            DT_TRY(i < p->task->counts ? put_int(set, key, (int64_t)s->sum[k][i], err)
                                       : put_real(set, key, s->sum[k][i], err));
        }
    }
    return put_real(set, "run.epoch_loss_sum", s->loss, err);
}

static dt_status put_position(dt_tensors *set, const dt_goal *g, const dt_run_position *at,
                              dt_error *err)
{
    char key[KEY];
    DT_TRY(put_int(set, "run.step", at->step, err));
    DT_TRY(put_int(set, "run.steps_per_epoch", at->steps_per_epoch, err));
    DT_TRY(put_seen(set, g, &at->seen, err));
    if (at->weight_bits) DT_TRY(put_int(set, "run.weight_bits", at->weight_bits, err));
    if (at->activation_bits) DT_TRY(put_int(set, "run.activation_bits", at->activation_bits, err));
    return put_real(set, best_key(g, key), at->best, err);
}

/* In the set's memory; NULL: there is none. */
static char *optimizer_name(const dt_tensors *set, const dt_optim_state *o, int k, int value,
                            const char *param)
{
    return dt_arena_printf(set->arena, "optimizer/%s/%s", o->of[value].optimizer->state_names[k],
                           param);
}

static dt_status put_optimizer(dt_tensors *set, const dt_session *s, const dt_optim_state *o,
                               dt_error *err)
{
    const dt_graph *g = &s->net.graph;
    for (int k = 0; k < DT_OPTIMIZER_STATES; k++)
        for (int i = 0; i < g->value_count; i++) {
            if (!o->buffer[k][i]) continue;
            const char *name = optimizer_name(set, o, k, i, g->value[i].name);
            if (!name) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
            DT_TRY(dt_tensors_add(set, name, DT_F32, &g->value[i].shape, o->buffer[k][i], err));
        }
    return DT_OK;
}

static dt_status put_dynamics(dt_tensors *set, const dt_dynamics *d, dt_error *err)
{
    for (int i = 0; i < d->tensor_count; i++) {
        const dt_dynamics_tensor *t = &d->tensor[i];
        DT_TRY(dt_tensors_add(set, t->name, DT_F32, &t->shape, t->data, err));
    }
    return DT_OK;
}

/* What the net sees, for those who open it without the dataset. */
static dt_status put_input(dt_tensors *set, const dt_net *net, dt_error *err)
{
    const dt_graph *g = &net->graph;
    char text[DT_DATA_PARTS * (DT_SHAPE_TEXT + DT_DATA_PART_NAME)] = "";
    size_t used = 0;
    if (net->H) {
        DT_TRY(put_int(set, "input.height", net->H, err));
        return put_int(set, "input.width", net->W, err);
    }
    bool several = dt_graph_input(g, 1) >= 0; /* "picture 16 16 1;vector 4"; of one "16 16 1" */
    for (int k = 0, v; (v = dt_graph_input(g, k)) >= 0; k++) {
        const dt_shape *s = &g->value[v].shape;
        if (several)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", k ? ";" : "",
                                     g->value[v].name);
        for (int i = 1; i < s->rank; i++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%" PRId64,
                                     several || i > 1 ? " " : "", s->dim[i]);
    }
    DT_TRY(put_text(set, "input.shape", text, err));
    return put_int(set, "input.nonneg", g->value[net->input].nonneg, err);
}

/* What any file of the net has. `sites`: the graph whose quantizers are in use. */
static dt_status fill_net(dt_tensors *set, const dt_session *s, const dt_graph *sites,
                          dt_error *err)
{
    DT_TRY(dt_kind_tell(sites, set, err));
    DT_TRY(put_text(set, "recipe", s->recipe->text, err));
    DT_TRY(put_text(set, "recipe.hash", s->recipe->hash, err));
    DT_TRY(put_text(set, "recipe.name", s->recipe->name, err));
    char blas[DT_GEMM_NAME];
    dt_gemm_name(&s->kernels.gemm, blas, sizeof blas);
    DT_TRY(put_text(set, "isa", s->kernels.isa, err));
    DT_TRY(put_text(set, "blas", blas, err));
    if (s->classes) DT_TRY(put_text(set, "class.names", s->classes, err));
    if (s->teacher.enabled) DT_TRY(put_text(set, "teacher.sha256", s->teacher.sha256, err));
    return put_input(set, &s->net, err);
}

static dt_status fill(dt_tensors *set, const dt_session *s, const dt_optim_state *o,
                      const dt_run_position *at, dt_error *err)
{
    DT_TRY(dt_net_export(&s->net, true, set, err));
    DT_TRY(put_optimizer(set, s, o, err));
    DT_TRY(put_dynamics(set, &s->dynamics, err));
    DT_TRY(put_position(set, &s->net.goal, at, err));
    return fill_net(set, s, at->sites ? at->sites : &s->net.graph, err);
}

static size_t bytes_of(const dt_named_tensor *t)
{
    return (size_t)dt_shape_count(&t->shape) * dt_dtype_size(t->dtype);
}

static dt_status copy_all(const dt_tensors *from, dt_tensors *to, dt_error *err)
{
    for (size_t i = 0; i < from->count; i++) {
        const dt_named_tensor *t = &from->item[i];
        DT_TRY(dt_tensors_add(to, t->name, t->dtype, &t->shape, NULL, err));
        memcpy(dt_tensors_data(to, i), t->data, bytes_of(t));
    }
    return DT_OK;
}

dt_status dt_checkpoint_keep(const dt_session *s, dt_tensors *out, dt_error *err)
{
    dt_tensors now;
    DT_TRY(dt_tensors_init(&now, s->alloc, err));
    dt_status st = dt_tensors_init(out, s->alloc, err);
    if (st == DT_OK) {
        st = dt_net_export(&s->net, true, &now, err);
        if (st == DT_OK) st = put_dynamics(&now, &s->dynamics, err);
        if (st == DT_OK) st = copy_all(&now, out, err);
        if (st != DT_OK) dt_tensors_fini(out);
    }
    dt_tensors_fini(&now);
    return st;
}

static const char resume[] = "resume/";

static dt_status put_before(dt_tensors *set, const dt_tensors *before, dt_error *err)
{
    for (size_t i = 0; i < before->count; i++) {
        const dt_named_tensor *was = &before->item[i], *is = dt_tensors_find(set, was->name);
        char name[600];
        if (memcmp(was->data, is->data, bytes_of(was)) == 0) continue;
        snprintf(name, sizeof name, "%s%s", resume, was->name);
        DT_TRY(dt_tensors_add(set, name, was->dtype, &was->shape, was->data, err));
    }
    return DT_OK;
}

/* The other way: what training goes on with takes the place of what was evaluated. */
static dt_status take_before(const char *path, dt_tensors *set, dt_error *err)
{
    for (size_t i = 0; i < set->count; i++) {
        dt_named_tensor *was = &set->item[i];
        if (!dt_container_has_prefix(was->name, resume)) continue;
        const dt_named_tensor *is = dt_tensors_find(set, was->name + sizeof resume - 1);
        if (!is || is->dtype != was->dtype || !dt_shape_equal(&is->shape, &was->shape))
            return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ path, 0, was->name },
                           "stands for a tensor that is missing or has another shape");
        set->item[is - set->item].data = was->data;
    }
    return DT_OK;
}

dt_status dt_checkpoint_save(const dt_dir *in, const char *name, const dt_session *s,
                             const dt_optim_state *o, const dt_run_position *at,
                             const dt_tensors *before, dt_error *err)
{
    dt_tensors set;
    DT_TRY(dt_tensors_init(&set, s->alloc, err));
    dt_status st = fill(&set, s, o, at, err);
    if (st == DT_OK && before) st = put_before(&set, before, err);
    if (st == DT_OK) st = dt_container_write(in, name, &set, err);
    dt_tensors_fini(&set);
    return st;
}

dt_status dt_checkpoint_save_net(const dt_dir *in, const char *name, const dt_session *s,
                                 const dt_tensors *more, dt_error *err)
{
    dt_tensors set;
    DT_TRY(dt_tensors_init(&set, s->alloc, err));
    dt_status st = dt_net_export(&s->net, true, &set, err);
    if (st == DT_OK) st = fill_net(&set, s, &s->net.graph, err);
    for (size_t i = 0; st == DT_OK && more && i < more->attr_count; i++)
        st = put_text(&set, more->attr[i].key, more->attr[i].value, err);
    if (st == DT_OK) st = dt_container_write(in, name, &set, err);
    dt_tensors_fini(&set);
    return st;
}

typedef struct differences {
    char text[256];
    int count;
} differences;

static void note_difference(void *user, const char *key, const char *a, const char *b)
{
    differences *d = user;
    size_t used = strlen(d->text);
    if (d->count++ < 4)
        snprintf(d->text + used, sizeof d->text - used, "%s%s (%s there, %s here)",
                 used ? ", " : "", key, a ? a : "none", b ? b : "none");
}

static dt_status check_recipe(const char *path, const dt_tensors *set, const dt_session *s,
                              dt_error *err)
{
    const dt_where where = { .file = path };
    const char *hash = dt_tensors_attr(set, "recipe.hash"), *text = dt_tensors_attr(set, "recipe");
    if (!hash || !text) return dt_fail(err, DT_ERR_FORMAT, &where, "is no checkpoint of a run");
    if (strcmp(hash, s->recipe->hash) == 0) return DT_OK;
    differences d = { .count = 0 };
    DT_TRY(dt_recipe_diff(text, s->recipe->text, note_difference, &d, s->alloc, err));
    return dt_fail(err, DT_ERR_ARG, &where, "belongs to another recipe; these differ: %s%s", d.text,
                   d.count > 4 ? ", ..." : "");
}

/* The recipe's hash has no paths, so the teacher's tensors are compared. */
static dt_status check_teacher(const char *path, const dt_tensors *set, const dt_session *s,
                               dt_error *err)
{
    const char *hash = dt_tensors_attr(set, "teacher.sha256");
    if (!s->teacher.enabled || (hash && strcmp(hash, s->teacher.sha256) == 0)) return DT_OK;
    return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = "distill.teacher" },
                   "%s holds other weights (SHA-256 %.12s) than the teacher of %s (%.12s)",
                   s->recipe->distill.teacher, s->teacher.sha256, path, hash ? hash : "none");
}

static dt_status get_int(const char *path, const dt_tensors *set, const char *key, int64_t *out,
                         dt_error *err)
{
    const char *text = dt_tensors_attr(set, key);
    char *end = NULL;
    long long v = text ? strtoll(text, &end, 10) : -1;
    if (!text || *end || v < 0)
        return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ path, 0, key }, "is missing or damaged");
    *out = v;
    return DT_OK;
}

static dt_status get_real(const char *path, const dt_tensors *set, const char *key, double *out,
                          dt_error *err)
{
    const char *text = dt_tensors_attr(set, key);
    char *end = NULL;
    double v = text ? strtod(text, &end) : 0;
    if (!text || *end)
        return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ path, 0, key }, "is missing or damaged");
    *out = v;
    return DT_OK;
}

static dt_status get_seen(const char *path, const dt_tensors *set, const dt_goal *g, dt_score *s,
                          dt_error *err)
{
    char key[KEY];
    DT_TRY(get_int(path, set, "run.epoch_seen", &s->count, err));
    for (int k = 0; k < g->trained; k++) {
        const dt_goal_part *p = &g->part[k];
        for (int i = 0; i < p->task->deciding; i++) {
            int64_t count = 0;
            bool counts = i < p->task->counts;
            sum_key(g, p, i, key);
            DT_TRY(counts ? get_int(path, set, key, &count, err)
                          : get_real(path, set, key, &s->sum[k][i], err));
            if (counts) s->sum[k][i] = (double)count;
        }
    }
    return get_real(path, set, "run.epoch_loss_sum", &s->loss, err);
}

static dt_status get_position(const char *path, const dt_tensors *set, const dt_goal *g,
                              dt_run_position *at, dt_error *err)
{
    char key[KEY];
    dt_run_position p = *at;
    int64_t per_epoch = 0;
    DT_TRY(get_int(path, set, "run.step", &p.step, err));
    DT_TRY(get_int(path, set, "run.steps_per_epoch", &per_epoch, err));
    DT_TRY(get_seen(path, set, g, &p.seen, err));
    DT_TRY(get_real(path, set, best_key(g, key), &p.best, err));
    if (per_epoch != p.steps_per_epoch)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = path },
                       "had %lld steps an epoch, the dataset gives %lld now", (long long)per_epoch,
                       (long long)p.steps_per_epoch);
    *at = p;
    return DT_OK;
}

static dt_status get_optimizer(const char *path, const dt_tensors *set, const dt_session *s,
                               const dt_optim_state *o, dt_error *err)
{
    const dt_graph *g = &s->net.graph;
    for (int k = 0; k < DT_OPTIMIZER_STATES; k++)
        for (int i = 0; i < g->value_count; i++) {
            if (!o->buffer[k][i]) continue;
            const char *name = optimizer_name(set, o, k, i, g->value[i].name);
            if (!name) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
            const dt_named_tensor *t = dt_tensors_find(set, name);
            if (!t || t->dtype != DT_F32 || !dt_shape_equal(&t->shape, &g->value[i].shape))
                return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ path, 0, name },
                               "is missing or has another shape");
            memcpy(o->buffer[k][i], t->data, (size_t)dt_shape_count(&t->shape) * sizeof(real));
        }
    return DT_OK;
}

dt_status dt_checkpoint_dynamics(const char *path, const dt_tensors *set, dt_dynamics *d,
                                 dt_error *err)
{
    for (int i = 0; i < d->tensor_count; i++) {
        const dt_dynamics_tensor *to = &d->tensor[i];
        const dt_named_tensor *t = dt_tensors_find(set, to->name);
        if (!t || t->dtype != DT_F32 || !dt_shape_equal(&t->shape, &to->shape))
            return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ path, 0, to->name },
                           "is missing or has another shape");
        memcpy(to->data, t->data, (size_t)dt_shape_count(&t->shape) * sizeof(real));
    }
    return DT_OK;
}

/* What the last bits depend on, where it is not what the checkpoint was made with. */
static void note_kernels(const dt_tensors *set, const dt_session *s, char *note, size_t note_size)
{
    char blas[DT_GEMM_NAME];
    dt_gemm_name(&s->kernels.gemm, blas, sizeof blas);
    const char *had_isa = dt_tensors_attr(set, "isa"), *had_blas = dt_tensors_attr(set, "blas");
    bool isa = had_isa && strcmp(had_isa, s->kernels.isa) != 0;
    bool other = had_blas && strcmp(had_blas, blas) != 0;
    if (!isa && !other) return;
    const char *both = isa && other ? " and " : "";
    snprintf(
        note, note_size,
        "the checkpoint was made with %.60s%s%s%.95s, this run uses %s%s%s: results may differ in "
        "the last bits from a run that was not stopped",
        isa ? had_isa : "", isa ? " kernels" : "", both, other ? had_blas : "",
        isa ? s->kernels.isa : "", both, other ? blas : "");
}

static dt_status take(const char *path, dt_tensors *set, dt_session *s, const dt_optim_state *o,
                      dt_run_position *at, char *note, size_t note_size, dt_error *err)
{
    dt_net_report report;
    DT_TRY(check_recipe(path, set, s, err));
    DT_TRY(check_teacher(path, set, s, err));
    DT_TRY(take_before(path, set, err));
    DT_TRY(get_position(path, set, &s->net.goal, at, err));
    DT_TRY(get_optimizer(path, set, s, o, err));
    DT_TRY(dt_checkpoint_dynamics(path, set, &s->dynamics, err));
    const dt_net_file file = {
        .set = set, .path = path, .importer = &dt_importer_detent, .native = true
    };
    DT_TRY(dt_net_import(&s->net, &file, &report, err));
    if (report.quantizers_missing)
        return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .file = path }, "has no '%s'",
                       report.missing_quantizer);
    s->quantizers_ready = true;
    note_kernels(set, s, note, note_size);
    return DT_OK;
}

dt_status dt_checkpoint_load(const dt_dir *in, const char *name, dt_session *s,
                             const dt_optim_state *o, dt_run_position *at, char *out_note,
                             size_t note_size, dt_error *err)
{
    dt_tensors set;
    out_note[0] = '\0';
    DT_TRY(dt_container_read(in, name, s->alloc, &set, err));
    char *path = dt_dir_text(in, name);
    dt_status st = !path ? dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a path")
                         : take(path, &set, s, o, at, out_note, note_size, err);
    dt_put(NULL, path);
    dt_tensors_fini(&set);
    return st;
}
