/* Gradients of the float net over batches of the pictures. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/fuse.h"
#include "autograd/query.h"
#include "autograd/rewrite.h"
#include "core/mathx.h"
#include "core/rng.h"
#include "ptq/metric.h"

/* Quantizers and what is nothing outside of training are left out. */
static dt_status visit(dt_rewrite *r, int i)
{
    const dt_node *node = &r->source->node[i];
    dt_ptq_slope *g = r->arg;
    g->of = r->value;
    if (!node->op->quantizes && !node->op->identity_in_eval) return dt_rewrite_put(r, node);
    if (node->out[0] == g->s->q->p->logits)
        dt_rewrite_rename(r, node->in[0], node->out[0]);
    else
        dt_rewrite_stand_for(r, node->out[0], node->in[0]);
    return DT_OK;
}

static dt_status open(dt_ptq_slope *g, dt_error *err)
{
    const dt_ptq_params *p = g->s->q->p;
    bool *frozen = dt_arena_get(g->s->q->arena, (size_t)p->graph->value_count + 1);
    g->seed = dt_get_array(p->alloc, (size_t)(g->batch * g->K), sizeof *g->seed, "sensitivity");
    if (!frozen || !g->seed) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int v = 0; v < p->graph->value_count; v++)
        frozen[v] = true;
    for (int i = 0; i < g->s->mixed->count; i++)
        frozen[g->s->weight[i].value] = false;
    DT_TRY(dt_graph_rewrite(p->graph, visit, g, p->alloc, &g->graph, err));
    int *kept = dt_arena_get(g->s->q->arena, sizeof *kept * (size_t)(g->keep_count + 1));
    if (!kept) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    kept[0] = p->logits;
    for (int i = 0; i < g->keep_count; i++)
        kept[1 + i] = g->keep[i] = g->of[g->keep[i]];
    DT_TRY(dt_fuse(&g->graph, kept, g->keep_count + 1, &g->fused, p->alloc, err));
    DT_TRY(dt_plan_init(&g->plan,
                        &(dt_plan_request){ .graph = &g->fused,
                                            .kernels = p->kernels,
                                            .mode = DT_MODE_TRAIN,
                                            .norms = DT_NORMS_RUNNING,
                                            .batch = g->batch,
                                            .threads = p->threads,
                                            .outputs = kept,
                                            .output_count = g->keep_count + 1,
                                            .gradients = g->keep,
                                            .gradient_count = g->keep_count,
                                            .seeds = &p->logits,
                                            .seed_count = 1,
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
                         .batch = p->batch < p->count ? p->batch : p->count,
                         .K = dt_ptq_features(s->q, p->logits) };
    dt_status st = open(g, err);
    if (st != DT_OK) dt_ptq_slope_close(g);
    return st;
}

void dt_ptq_slope_close(dt_ptq_slope *g)
{
    dt_put(g->s->q->p->alloc, g->seed);
    dt_exec_fini(&g->exec);
    dt_plan_fini(&g->plan);
    dt_graph_fini(&g->fused);
    dt_graph_fini(&g->graph);
}

dt_status dt_ptq_slope_forward(dt_ptq_slope *g, int64_t index, const real **out_logits,
                               dt_error *err)
{
    const dt_ptq_params *p = g->s->q->p;
    const int64_t n = dt_ptq_features(g->s->q, p->input);
    dt_exec_set_input(&g->exec, p->input, g->s->q->pictures + index * g->batch * n);
    DT_TRY(dt_exec_forward(&g->exec, err));
    *out_logits = dt_exec_value(&g->exec, p->logits);
    return DT_OK;
}

void dt_ptq_slope_backward(dt_ptq_slope *g)
{
    dt_exec_set_gradient(&g->exec, g->s->q->p->logits, g->seed);
    dt_exec_backward(&g->exec);
}

enum { OUTPUTS = 1024 };

/* Softmax less one of the drawn label. */
static void draw(const dt_ptq_slope *g, int64_t index, const real *logits)
{
    double p[OUTPUTS];
    dt_rng rng;
    dt_rng_open(&rng, g->s->q->p->seed, DT_RNG_PROBE, dt_hash_name("labels"), (uint64_t)index);
    for (int64_t i = 0; i < g->batch; i++) {
        dt_ptq_softmax(g->K, logits + i * g->K, p);
        double at = dt_rng_uniform(&rng);
        int64_t label = 0;
        for (; label + 1 < g->K && at >= p[label]; label++)
            at -= p[label];
        for (int64_t k = 0; k < g->K; k++)
            g->seed[i * g->K + k] = (real)(p[k] - (k == label));
    }
}

dt_status dt_ptq_slope_drawn(dt_ptq_slope *g, int64_t index, dt_error *err)
{
    const real *logits;
    if (g->K > OUTPUTS)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = "metric" },
                       "%s: %lld outputs; at most %d", g->s->params->metric, (long long)g->K,
                       OUTPUTS);
    DT_TRY(dt_ptq_slope_forward(g, index, &logits, err));
    draw(g, index, logits);
    dt_ptq_slope_backward(g);
    return DT_OK;
}

void dt_ptq_softmax(int64_t K, const real *x, double *out)
{
    double most = (double)x[0], sum = 0;
    for (int64_t k = 1; k < K; k++)
        most = (double)x[k] > most ? (double)x[k] : most;
    for (int64_t k = 0; k < K; k++)
        sum += out[k] = dt_exp((double)x[k] - most);
    for (int64_t k = 0; k < K; k++)
        out[k] /= sum;
}
