/* The optimizer's buffers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/optim_state.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autograd/quantizer.h"
#include "autograd/query.h"
#include "core/glob.h"
#include "core/thread.h"

enum { PIECE = 1 << 16 }; /* numbers of a task */

static dt_status make_buffers(dt_optim_state *o, int k, const dt_graph *g, dt_error *err)
{
    real **table = dt_arena_get(o->arena, sizeof *table * (size_t)g->value_count);
    for (int i = 0; table && i < g->value_count; i++) {
        if (g->value[i].kind != DT_VALUE_PARAM || k >= o->of[i].optimizer->state_count) continue;
        table[i] =
            dt_arena_get(o->arena, (size_t)dt_shape_count(&g->value[i].shape) * sizeof(real));
        if (!table[i]) table = NULL;
    }
    o->buffer[k] = table;
    return table ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the optimizer");
}

/* The group of a quantizer's parameter, told by the node that reads it. */
static int side_group(const dt_graph *g, int value)
{
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *node = &g->node[i];
        const dt_fakequant_conf *c = node->conf;
        if (!node->op->quantizes) continue;
        for (int k = 1; k <= dt_query_params(node); k++)
            if (node->in[k] == value)
                return c->site.weight ? DT_GROUP_QUANT_WEIGHTS : DT_GROUP_QUANT_ACTIVATIONS;
    }
    return DT_GROUP_QUANT;
}

static dt_optim_group run_group(const dt_recipe_train *t, dt_role role)
{
    const dt_optimizer *o = (const dt_optimizer *)(const void *)t->optimizer.row;
    bool quant = role == DT_ROLE_QUANT;
    bool decays = role == DT_ROLE_WEIGHT || (quant ? t->quant_decay : t->decay_norm);
    return (dt_optim_group){ o, t->optimizer.conf, quant ? t->quant_lr : 1,
                             decays ? dt_optimizer_weight_decay(o, t->optimizer.conf) : 0 };
}

static dt_optim_group own_group(const dt_recipe_train *t, const dt_recipe_choice *c)
{
    const dt_optimizer *o = (const dt_optimizer *)(const void *)c->row;
    const dt_optimizer *run = (const dt_optimizer *)(const void *)t->optimizer.row;
    double base = dt_optimizer_lr(run, t->optimizer.conf);
    return (dt_optim_group){ o, c->conf, base > 0 ? dt_optimizer_lr(o, c->conf) / base : 0,
                             dt_optimizer_weight_decay(o, c->conf) };
}

/* The group of a pattern: weights decay, all else as the run says. */
static dt_optim_group named_group(const dt_recipe_train *t, const dt_value *v,
                                  const dt_recipe_choice *c)
{
    dt_optim_group g = own_group(t, c);
    if (v->role != DT_ROLE_WEIGHT && !t->decay_norm) g.decay = 0;
    return g;
}

static dt_status check_group(const dt_recipe_train *t, const char *name, const dt_recipe_choice *c,
                             int members, const char *what, dt_error *err)
{
    const dt_optimizer *run = (const dt_optimizer *)(const void *)t->optimizer.row;
    char key[160];
    snprintf(key, sizeof key, "train.groups.%s", name);
    if (!members)
        return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .key = key }, "no %s is in this group",
                       what);
    double lr = dt_optimizer_lr((const dt_optimizer *)(const void *)c->row, c->conf);
    if (lr > 0 && !(dt_optimizer_lr(run, t->optimizer.conf) > 0))
        return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = key },
                       "lr %g follows train.optimizer.lr in proportion, and that is 0", lr);
    return DT_OK;
}

/* Groups by pattern, which later ones win. */
static dt_status make_named(dt_optim_state *o, const dt_graph *g, dt_error *err)
{
    const dt_recipe_train *t = o->conf;
    for (int k = 0; k < t->named_count; k++) {
        const dt_recipe_named_group *n = &t->named[k];
        int members = 0;
        for (int i = 0; i < g->value_count; i++) {
            const dt_value *v = &g->value[i];
            if (v->kind != DT_VALUE_PARAM || v->role == DT_ROLE_QUANT ||
                !dt_glob_match(n->pattern, v->name))
                continue;
            o->of[i] = named_group(t, v, &n->choice);
            members++;
        }
        DT_TRY(check_group(t, n->pattern, &n->choice, members, "parameter", err));
    }
    return DT_OK;
}

/* Parameters that stay, and whether each pattern names one. */
static dt_status make_frozen(dt_optim_state *o, const dt_graph *g, dt_error *err)
{
    const dt_opt_words *freeze = &o->conf->freeze;
    size_t left = 0;
    if (!freeze->count) return DT_OK;
    o->frozen = dt_arena_get(o->arena, (size_t)g->value_count + 1);
    if (!o->frozen) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the optimizer");
    for (int k = 0; k < freeze->count; k++) {
        bool found = false;
        for (int i = 0; i < g->value_count; i++) {
            if (g->value[i].kind != DT_VALUE_PARAM ||
                !dt_glob_match(freeze->value[k], g->value[i].name))
                continue;
            found = o->frozen[i] = true;
        }
        if (!found)
            return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .key = "train.freeze" },
                           "'%s' matches no parameter; detent inspect of a checkpoint lists them",
                           freeze->value[k]);
    }
    for (int i = 0; i < g->value_count; i++)
        left += g->value[i].kind == DT_VALUE_PARAM && !o->frozen[i];
    if (left) return DT_OK;
    return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = "train.freeze" },
                   "leaves no parameter to train");
}

static dt_status make_groups(dt_optim_state *o, const dt_graph *g, dt_error *err)
{
    const dt_recipe_train *t = o->conf;
    int members[DT_GROUP_COUNT] = { 0 };
    o->of = dt_arena_get(o->arena, sizeof *o->of * (size_t)(g->value_count + 1));
    o->joined = dt_arena_get(o->arena, sizeof *o->joined * (size_t)(g->value_count + 1));
    if (!o->of || !o->joined)
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the optimizer");
    for (int i = 0; i < g->value_count; i++) {
        const dt_value *v = &g->value[i];
        if (v->kind != DT_VALUE_PARAM) continue;
        o->of[i] = run_group(t, v->role);
        if (v->role != DT_ROLE_QUANT) continue;
        int side = side_group(g, i), which = t->group[side].row ? side : DT_GROUP_QUANT;
        members[which]++;
        if (t->group[which].row) o->of[i] = own_group(t, &t->group[which]);
    }
    for (int i = 0; i < DT_GROUP_COUNT; i++)
        if (t->group[i].row)
            DT_TRY(check_group(t, dt_recipe_group_names[i], &t->group[i], members[i],
                               "learned parameter of a quantizer", err));
    DT_TRY(make_named(o, g, err));
    return make_frozen(o, g, err);
}

dt_status dt_optim_state_init(dt_optim_state *o, const dt_recipe_train *conf, const dt_graph *g,
                              const dt_alloc *a, dt_error *err)
{
    *o = (dt_optim_state){ .optimizer = (const dt_optimizer *)(const void *)conf->optimizer.row,
                           .conf = conf,
                           .arena = dt_arena_new(a, "optimizer") };
    dt_status st = DT_OK;
    if (!o->arena) st = dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the optimizer");
    if (st == DT_OK) st = make_groups(o, g, err);
    for (int k = 0; st == DT_OK && k < DT_OPTIMIZER_STATES; k++)
        st = make_buffers(o, k, g, err);
    if (st != DT_OK) dt_optim_state_fini(o);
    return st;
}

void dt_optim_state_fini(dt_optim_state *o)
{
    dt_arena_free(o->arena);
    *o = (dt_optim_state){ 0 };
}

void dt_optim_join(dt_optim_state *o, int value, int64_t step)
{
    o->joined[value] = step;
}

void dt_optim_restart(dt_optim_state *o, const dt_graph *g, int64_t step)
{
    for (int k = 0; k < DT_OPTIMIZER_STATES; k++)
        for (int i = 0; i < g->value_count; i++)
            if (o->joined[i] == step && o->buffer[k][i])
                memset(o->buffer[k][i], 0,
                       (size_t)dt_shape_count(&g->value[i].shape) * sizeof(real));
}

void dt_optim_let_go(const dt_optim_state *o, int value, int64_t element)
{
    for (int k = 0; k < o->of[value].optimizer->state_count; k++)
        if (o->of[value].optimizer->pushes >> k & 1) o->buffer[k][value][element] = 0;
}

/* Sum of squares, in 8 lanes and index order. */
static double squares(const real *x, int64_t n)
{
    double lane[8] = { 0 }, sum = 0;
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int l = 0; l < 8; l++)
            lane[l] += (double)x[i + l] * (double)x[i + l];
    for (; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    for (int l = 0; l < 8; l++)
        sum += lane[l];
    return sum;
}

double dt_optim_clip(dt_state *s, double most)
{
    const dt_graph *g = s->graph;
    double sum = 0;
    for (int i = 0; i < g->value_count; i++)
        if (s->grad[i]) sum += squares(s->grad[i], dt_shape_count(&g->value[i].shape));
    double norm = sqrt(sum), factor = most / (norm + 1e-6);
    if (!(factor < 1)) return norm;
    for (int i = 0; i < g->value_count; i++) {
        for (int64_t k = 0, n = dt_shape_count(&g->value[i].shape); s->grad[i] && k < n; k++)
            s->grad[i][k] *= (real)factor;
    }
    return norm;
}

/* The update of one parameter, in pieces. */
typedef struct piece_job {
    const dt_optim_group *group;
    real lr, decay, *data, *state[DT_OPTIMIZER_STATES];
    const real *grad;
    size_t count;
    int64_t step;
} piece_job;

static void piece_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const piece_job *j = arg;
    const dt_optimizer *o = j->group->optimizer;
    size_t first = (size_t)i * PIECE, n = j->count - first < PIECE ? j->count - first : PIECE;
    real *state[DT_OPTIMIZER_STATES] = { NULL };
    for (int k = 0; k < o->state_count; k++)
        state[k] = j->state[k] + first;
    o->step(j->group->conf, n, j->lr, j->decay, j->data + first, j->grad + first, state, j->step);
}

void dt_optim_update(const dt_optim_state *o, dt_state *s, double lr, int64_t step)
{
    const dt_graph *g = s->graph;
    const dt_recipe_train *t = o->conf;
    if (t->clip_norm > 0) dt_optim_clip(s, t->clip_norm);
    for (int i = 0; i < g->value_count; i++) {
        const dt_value *v = &g->value[i];
        const dt_optim_group *group = &o->of[i];
        if (!s->grad[i] || (o->hold_quant && v->role == DT_ROLE_QUANT)) continue;
        piece_job job = { .group = group,
                          .lr = (real)(lr * group->rate),
                          .decay = (real)group->decay,
                          .data = s->data[i],
                          .grad = s->grad[i],
                          .count = (size_t)dt_shape_count(&v->shape),
                          .step = step - o->joined[i] };
        for (int k = 0; k < group->optimizer->state_count; k++)
            job.state[k] = o->buffer[k][i];
        dt_parallel(o->threads, (int64_t)((job.count + PIECE - 1) / PIECE), piece_task, &job);
    }
}
