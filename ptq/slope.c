/* Gradients of the float net over batches of the pictures. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "autograd/fuse.h"
#include "autograd/query.h"
#include "autograd/rewrite.h"
#include "ptq/metric.h"

/* Quantizers and what is nothing outside of training are left out. */
static dt_status visit(dt_rewrite *r, int i)
{
    const dt_node *node = &r->source->node[i];
    dt_ptq_slope *g = r->arg;
    g->of = r->value;
    if (!node->op->quantizes && !node->op->identity_in_eval) return dt_rewrite_put(r, node);
    if (dt_ptq_output_at(g->s->q, node->out[0]) >= 0)
        dt_rewrite_rename(r, node->in[0], node->out[0]);
    else
        dt_rewrite_stand_for(r, node->out[0], node->in[0]);
    return DT_OK;
}

/* The spread of the float net's numbers over all pictures. */
static dt_status read_spread(dt_ptq_slope *g, int k, dt_error *err)
{
    dt_ptq *q = g->s->q;
    real *z;
    g->spread[k] = 1;
    if (!q->out[k].says->spreads) return DT_OK;
    DT_TRY(dt_ptq_get(q, q->out[k].value, &z, err));
    dt_status st = dt_ptq_collect(q,
                                  &(dt_ptq_pass){ .plain = true,
                                                  .from = q->start,
                                                  .data = q->pictures,
                                                  .want = &q->out[k].value,
                                                  .want_count = 1,
                                                  .to = &z },
                                  err);
    if (st == DT_OK)
        g->spread[k] = dt_distribution_spread(q->out[k].says, q->p->count, g->K[k], g->K[k], z);
    dt_ptq_put(q, z);
    return st;
}

static dt_status get_seeds(dt_ptq_slope *g, dt_error *err)
{
    const dt_ptq *q = g->s->q;
    int64_t most = 1;
    for (int k = 0; k < q->outs; k++) {
        g->K[k] = dt_ptq_features(q, q->out[k].value);
        most = g->K[k] > most ? g->K[k] : most;
        g->seed[k] = dt_get_array(q->p->alloc, (size_t)(g->batch * g->K[k]), sizeof(real),
                                  "sensitivity");
        if (!g->seed[k]) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
        DT_TRY(read_spread(g, k, err));
    }
    g->room = dt_get_array(q->p->alloc, 2 * (size_t)most, sizeof *g->room, "sensitivity");
    return g->room ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
}

static dt_status open(dt_ptq_slope *g, dt_error *err)
{
    const dt_ptq_params *p = g->s->q->p;
    const int outs = g->s->q->outs;
    bool *frozen = dt_arena_get(g->s->q->arena, (size_t)p->graph->value_count + 1);
    if (!frozen) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    DT_TRY(get_seeds(g, err));
    for (int v = 0; v < p->graph->value_count; v++)
        frozen[v] = true;
    for (int i = 0; i < g->s->mixed->count; i++)
        frozen[g->s->weight[i].value] = false;
    DT_TRY(dt_graph_rewrite(p->graph, visit, g, p->alloc, &g->graph, err));
    int *kept = dt_arena_get(g->s->q->arena, sizeof *kept * (size_t)(g->keep_count + outs));
    if (!kept) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int k = 0; k < outs; k++)
        kept[k] = g->s->q->out[k].value;
    for (int i = 0; i < g->keep_count; i++)
        kept[outs + i] = g->keep[i] = g->of[g->keep[i]];
    DT_TRY(dt_fuse(&g->graph, kept, g->keep_count + outs, &g->fused, p->alloc, err));
    DT_TRY(dt_plan_init(&g->plan,
                        &(dt_plan_request){ .graph = &g->fused,
                                            .kernels = p->kernels,
                                            .mode = DT_MODE_TRAIN,
                                            .norms = DT_NORMS_RUNNING,
                                            .batch = g->batch,
                                            .threads = p->threads,
                                            .outputs = kept,
                                            .output_count = g->keep_count + outs,
                                            .gradients = g->keep,
                                            .gradient_count = g->keep_count,
                                            .seeds = kept,
                                            .seed_count = outs,
                                            .frozen = frozen },
                        p->alloc, err));
    return dt_exec_init(&g->exec, &g->plan, p->state, p->kernels, NULL, p->alloc, err);
}

dt_status dt_ptq_slope_open(dt_ptq_slope *g, dt_ptq_sense *s, int *keep, int count, dt_error *err)
{
    const dt_ptq_params *p = s->q->p;
    *g = (dt_ptq_slope){ .s = s,
                         .keep = keep,
                         .keep_count = count,
                         .batch = p->batch < p->count ? p->batch : p->count };
    dt_status st = open(g, err);
    if (st != DT_OK) dt_ptq_slope_close(g);
    return st;
}

void dt_ptq_slope_close(dt_ptq_slope *g)
{
    for (int k = 0; k < g->s->q->outs; k++)
        dt_put(g->s->q->p->alloc, g->seed[k]);
    dt_put(g->s->q->p->alloc, g->room);
    dt_exec_fini(&g->exec);
    dt_plan_fini(&g->plan);
    dt_graph_fini(&g->fused);
    dt_graph_fini(&g->graph);
}

dt_status dt_ptq_slope_forward(dt_ptq_slope *g, int64_t index, dt_error *err)
{
    const dt_ptq *q = g->s->q;
    const int64_t n = dt_ptq_features(q, q->start);
    dt_ptq_feed(q, &g->exec, q->start, q->pictures + index * g->batch * n);
    DT_TRY(dt_exec_forward(&g->exec, err));
    for (int k = 0; k < q->outs; k++)
        g->after[k] = dt_exec_value(&g->exec, q->out[k].value);
    return DT_OK;
}

void dt_ptq_slope_backward(dt_ptq_slope *g)
{
    const dt_ptq *q = g->s->q;
    for (int k = 0; k < q->outs; k++)
        dt_exec_set_gradient(&g->exec, q->out[k].value, g->seed[k]);
    dt_exec_backward(&g->exec);
}

static void draw(const dt_ptq_slope *g, int64_t index)
{
    const dt_ptq *q = g->s->q;
    dt_rng rng;
    dt_rng_open(&rng, q->p->seed, DT_RNG_PROBE, dt_hash_name("labels"), (uint64_t)index);
    for (int64_t i = 0; i < g->batch; i++)
        for (int k = 0; k < q->outs; k++) {
            const double factor = sqrt(q->out[k].weight);
            real *seed = g->seed[k] + i * g->K[k];
            q->out[k].says->draw(g->K[k], g->after[k] + i * g->K[k], g->spread[k], &rng, g->room,
                                 seed);
            for (int64_t e = 0; e < g->K[k]; e++)
                seed[e] = (real)(factor * (double)seed[e]);
        }
}

dt_status dt_ptq_slope_drawn(dt_ptq_slope *g, int64_t index, dt_error *err)
{
    DT_TRY(dt_ptq_slope_forward(g, index, err));
    draw(g, index);
    dt_ptq_slope_backward(g);
    return DT_OK;
}
