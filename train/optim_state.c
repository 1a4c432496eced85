/* The optimizer's buffers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/optim_state.h"

#include <math.h>

static dt_status make_buffers(dt_optim_state *o, int k, const dt_graph *g, dt_error *err)
{
    real **table = dt_arena_get(o->arena, sizeof *table * (size_t)g->value_count);
    for (int i = 0; table && i < g->value_count; i++) {
        if (g->value[i].kind != DT_VALUE_PARAM) continue;
        table[i] =
            dt_arena_get(o->arena, (size_t)dt_shape_count(&g->value[i].shape) * sizeof(real));
        if (!table[i]) table = NULL;
    }
    o->buffer[k] = table;
    return table ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the optimizer");
}

dt_status dt_optim_state_init(dt_optim_state *o, const dt_recipe_train *conf, const dt_graph *g,
                              const dt_alloc *a, dt_error *err)
{
    *o = (dt_optim_state){ .optimizer = (const dt_optimizer *)(const void *)conf->optimizer.row,
                           .conf = conf,
                           .arena = dt_arena_new(a, "optimizer") };
    dt_status st = DT_OK;
    if (!o->arena) st = dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the optimizer");
    for (int k = 0; st == DT_OK && k < o->optimizer->state_count; k++)
        st = make_buffers(o, k, g, err);
    if (st != DT_OK) dt_optim_state_fini(o);
    return st;
}

void dt_optim_state_fini(dt_optim_state *o)
{
    dt_arena_free(o->arena);
    *o = (dt_optim_state){ 0 };
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
        if (g->value[i].kind == DT_VALUE_PARAM)
            sum += squares(s->grad[i], dt_shape_count(&g->value[i].shape));
    double norm = sqrt(sum), factor = most / (norm + 1e-6);
    if (!(factor < 1)) return norm;
    for (int i = 0; i < g->value_count; i++) {
        if (g->value[i].kind != DT_VALUE_PARAM) continue;
        for (int64_t k = 0, n = dt_shape_count(&g->value[i].shape); k < n; k++)
            s->grad[i][k] *= (real)factor;
    }
    return norm;
}

void dt_optim_update(const dt_optim_state *o, dt_state *s, double lr, int64_t step)
{
    const dt_graph *g = s->graph;
    const dt_recipe_train *t = o->conf;
    double decay = dt_optimizer_weight_decay(o->optimizer, t->optimizer.conf);
    if (t->clip_norm > 0) dt_optim_clip(s, t->clip_norm);
    for (int i = 0; i < g->value_count; i++) {
        const dt_value *v = &g->value[i];
        if (v->kind != DT_VALUE_PARAM) continue;
        real *state[DT_OPTIMIZER_STATES] = { NULL };
        for (int k = 0; k < o->optimizer->state_count; k++)
            state[k] = o->buffer[k][i];
        bool quant = v->role == DT_ROLE_QUANT;
        bool decays = v->role == DT_ROLE_WEIGHT || (quant ? t->quant_decay : t->decay_norm);
        o->optimizer->step(t->optimizer.conf, (size_t)dt_shape_count(&v->shape),
                           (real)(quant ? lr * t->quant_lr : lr), (real)(decays ? decay : 0),
                           s->data[i], s->grad[i], state, step);
    }
}
