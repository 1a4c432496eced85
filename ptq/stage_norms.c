/* Batch-norm statistics anew, of the net as it is now: mean and unbiased variance, averaged over
 * batches of the pictures (He 2017, "BN re-estimation"; Nagel 2022, arXiv:2203.11086, section 3.1).
 * The pictures are those of training, changed at random as there: statistics of pictures that are
 * not are others than those that the weights were learned behind. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/op_batchnorm.h"
#include "ptq/engine.h"

typedef struct conf {
    int batch;
    double share;
} conf;

static const dt_opt opts[] = {
    DT_OPT_INT(conf, batch, 128, 2, 8192, "pictures of a batch"),
    DT_OPT_FLOAT(conf, share, 1, 0, 1,
                 "of the new statistics in what they become; the rest is old"),
    DT_OPT_END,
};

typedef struct sums { /* by value, NULL: no statistics */
    double **sum;
    real **kept;
} sums;

static dt_status get_sums(dt_ptq *q, sums *s, int *out_norms, dt_error *err)
{
    *out_norms = 0;
    s->sum = dt_arena_get(q->arena, sizeof *s->sum * (size_t)(q->g->value_count + 1));
    s->kept = dt_arena_get(q->arena, sizeof *s->kept * (size_t)(q->g->value_count + 1));
    if (!s->sum || !s->kept) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int i = 0; i < q->g->node_count; i++) {
        const dt_node *node = &q->g->node[i];
        if (!q->needed[i] || !node->op->batch_stat) continue;
        ++*out_norms;
        for (int k = DT_BN_MEAN; k <= DT_BN_VAR; k++) {
            int v = node->in[k];
            size_t n = (size_t)dt_shape_count(&q->g->value[v].shape);
            s->sum[v] = dt_arena_get(q->arena, n * sizeof(double));
            s->kept[v] = dt_arena_get(q->arena, n * sizeof(real));
            if (!s->sum[v] || !s->kept[v]) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
            memcpy(s->kept[v], q->p->state->data[v], n * sizeof(real));
        }
    }
    return DT_OK;
}

/* Adds what the last batch left, and puts back what was. */
static void add(const dt_ptq *q, const sums *s)
{
    for (int v = 0; v < q->g->value_count; v++)
        for (int64_t k = 0, n = dt_shape_count(&q->g->value[v].shape); s->sum[v] && k < n; k++) {
            s->sum[v][k] += (double)q->p->state->data[v][k];
            q->p->state->data[v][k] = s->kept[v][k];
        }
}

static void put_means(const dt_ptq *q, const sums *s, int64_t batches, double share)
{
    for (int v = 0; v < q->g->value_count; v++)
        for (int64_t k = 0, n = dt_shape_count(&q->g->value[v].shape); s->sum[v] && k < n; k++)
            q->p->state->data[v][k] = (real)(share * s->sum[v][k] / (double)batches +
                                             (1 - share) * (double)s->kept[v][k]);
}

static dt_status pass(dt_ptq *q, dt_exec *e, const conf *c, int64_t batch, dt_error *err)
{
    sums s;
    int norms;
    const real *pictures = q->p->varied && !q->made ? q->p->varied : q->pictures;
    const int64_t n = dt_ptq_features(q, q->start), batches = q->p->count / batch;
    DT_TRY(get_sums(q, &s, &norms, err));
    for (int64_t i = 0; norms && i < batches; i++) {
        DT_TRY(dt_ptq_tell(q, "all", (double)i / (double)batches, err));
        dt_ptq_feed(q, e, q->start, pictures + i * batch * n);
        DT_TRY(dt_exec_forward(e, err));
        add(q, &s);
    }
    if (norms) put_means(q, &s, batches, c->share);
    return DT_OK;
}

static dt_status run(dt_ptq *q, const void *options, dt_error *err)
{
    const conf *c = options;
    const dt_ptq_params *p = q->p;
    int64_t batch = c->batch < p->count ? c->batch : p->count;
    int wanted[DT_GRAPH_PORTS];
    dt_plan plan;
    dt_exec exec;
    for (int k = 0; k < q->outs; k++)
        wanted[k] = q->out[k].value;
    DT_TRY(dt_plan_init(&plan,
                        &(dt_plan_request){ .graph = q->g,
                                            .kernels = p->kernels,
                                            .mode = DT_MODE_EVAL,
                                            .norms = DT_NORMS_REPLACE,
                                            .batch = batch,
                                            .threads = p->threads,
                                            .outputs = wanted,
                                            .output_count = q->outs },
                        p->alloc, err));
    dt_status st = dt_exec_init(&exec, &plan, p->state, p->kernels, NULL, p->alloc, err);
    if (st == DT_OK) {
        st = pass(q, &exec, c, batch, err);
        dt_exec_fini(&exec);
    }
    dt_plan_fini(&plan);
    return st;
}

const dt_ptq_stage dt_ptq_stage_norms = {
    .row = { "norms", "batch-norm statistics anew", opts, sizeof(conf) },
    .reads_varied = true,
    .reads_quantized = true,
    .run = run,
};
