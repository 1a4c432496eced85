/* Bias correction (Nagel 2019, arXiv:1906.04721, section 4.2, empirically): in the order of the
 * net, each channel of a product's result gets the mean that it has in the float net, by its own
 * bias or by the shift of the batch norm behind it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_batchnorm.h"
#include "autograd/query.h"
#include "ptq/units.h"

/* The bias that moves a product's result, and the value that it moves directly; -1: there is none.
 */
static int bias_of(const dt_ptq *q, const dt_node *product, int *out_value)
{
    const dt_op_product *of = product->op->product;
    const dt_node *norm = dt_query_norm(q->g, q->needed, product);
    if (norm) {
        *out_value = norm->out[0];
        return norm->in[DT_BN_BETA];
    }
    *out_value = product->out[0];
    return of->bias >= 0 && of->bias < product->in_count ? product->in[of->bias] : -1;
}

/* mean[c] += factor times the mean of channel c of x [rows, C]; `sum` has room for C. Row by row,
 * for a channel's values lie far apart. */
static void add_means(const real *x, int64_t rows, int64_t C, double factor, double *sum,
                      double *mean)
{
    for (int64_t c = 0; c < C; c++)
        sum[c] = 0;
    for (int64_t i = 0; i < rows; i++, x += C)
        for (int64_t c = 0; c < C; c++)
            sum[c] += (double)x[c];
    for (int64_t c = 0; c < C; c++)
        mean[c] += factor * sum[c] / (double)rows;
}

/* `mean` has room for two numbers a channel. */
static dt_status correct(dt_ptq *q, int value, int bias, real *x, double *mean, dt_error *err)
{
    const int64_t C = dt_shape_count(&q->g->value[bias].shape);
    const int64_t rows = q->p->count * dt_ptq_features(q, value) / C;
    for (int64_t c = 0; c < C; c++)
        mean[c] = 0;
    DT_TRY(dt_ptq_read(q, value, x, NULL, err));
    add_means(x, rows, C, -1, mean + C, mean);
    DT_TRY(dt_ptq_read(q, value, NULL, x, err));
    add_means(x, rows, C, 1, mean + C, mean);
    for (int64_t c = 0; c < C; c++)
        q->p->state->data[bias][c] += (real)mean[c];
    return DT_OK;
}

static dt_status run_product(dt_ptq *q, int i, dt_error *err)
{
    int value, bias = bias_of(q, &q->g->node[i], &value);
    real *x;
    if (bias < 0) return DT_OK;
    const int64_t C = dt_shape_count(&q->g->value[bias].shape);
    double *mean = dt_arena_get(q->arena, sizeof *mean * (size_t)(2 * C));
    if (!mean) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    DT_TRY(dt_ptq_advance(q, dt_ptq_border_before(q, q->g->value[value].producer - 1), err));
    DT_TRY(dt_ptq_get(q, value, &x, err));
    dt_status st = correct(q, value, bias, x, mean, err);
    dt_ptq_put(q, x);
    return st;
}

static dt_status run(dt_ptq *q, const void *options, dt_error *err)
{
    (void)options;
    DT_TRY(dt_ptq_advance(q, q->start, err));
    for (int i = 0; i < q->g->node_count; i++) {
        if (!q->needed[i] || !q->g->node[i].op->product) continue;
        DT_TRY(dt_ptq_tell(q, q->g->node[i].name, (double)i / q->g->node_count, err));
        DT_TRY(run_product(q, i, err));
    }
    return DT_OK;
}

const dt_ptq_stage dt_ptq_stage_bias = {
    .row = { "bias", "means of channels as in the float net (Nagel 2019, arXiv:1906.04721)", NULL,
             0 },
    .reads_quantized = true,
    .run = run,
};
