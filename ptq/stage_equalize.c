/* Factors moved over edges, before anything is quantized:
 *
 *   channel c of a value is divided by a_c^alpha / w_c^beta,
 *
 * with w_c the largest weight that reads it, and a_c
 *   weights:  the largest weight that makes it, times the factor of its norm: cross-layer
 * equalisation (Nagel 2019, arXiv:1906.04721) with alpha = beta = 1/2 pictures: its largest value
 * over the pictures: SmoothQuant (Xiao 2022, arXiv:2211.10438) with alpha
 *             + beta = 1; with alpha = 1, beta = 0 and `shift` every channel gets one range,
 * RepQ-ViT's reparametrisation (Li 2022, arXiv:2212.08254) for even grids.
 *
 * `shift` also takes the middle of a channel's range away, where biases can take it up. `rows`
 * gives the output channels of a weight behind which a batch norm stands the same scale of least
 * error: the norm takes the factors up, so that a grid for the whole tensor is as good as one for
 * each channel. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "autograd/op_batchnorm.h"
#include "autograd/query.h"
#include "core/mathx.h"
#include "fakequant/range.h"
#include "ptq/edges.h"

typedef struct conf {
    int from;
    double alpha, beta;
    bool shift, rows;
} conf;
enum { WEIGHTS, PICTURES, NOTHING };

static const dt_opt opts[] = {
    DT_OPT_ENUM(conf, from, WEIGHTS, "weights|pictures|nothing",
                "what a channel's size is taken from; nothing: channels are left"),
    DT_OPT_FLOAT(conf, alpha, 0.5, 0, 1, "power of that"),
    DT_OPT_FLOAT(conf, beta, 0.5, 0, 1, "power of the weights that read it"),
    DT_OPT_BOOL(conf, shift, 0, "also take the middle of a channel's range away"),
    DT_OPT_BOOL(conf, rows, 0, "one scale for all output channels of weights before batch norms"),
    DT_OPT_END,
};

/* The largest |weight| that makes each channel, behind the batch norm; a layer norm's gain. */
static void sizes_of_weights(const dt_ptq *q, const dt_ptq_edge *e, double *out)
{
    const dt_node *norm = e->norm, *product = dt_query_maker(q->g, norm->in[0]);
    const real *gain = q->p->state->data[norm->in[1]];
    bool batch = norm->op->batch_stat && product && product->op->product;
    for (int64_t c = 0; c < e->C; c++) {
        double most = 1;
        if (batch) {
            int w = dt_query_latent(q->g, product->in[product->op->product->w]);
            const int64_t n = dt_ptq_features(q, w) / e->C;
            const double eps = ((const dt_batchnorm_conf *)norm->conf)->eps;
            most = 0;
            for (int64_t i = 0; i < n; i++)
                most = fmax(most, fabs((double)q->p->state->data[w][c * n + i]));
            most /= sqrt((double)q->p->state->data[norm->in[DT_BN_VAR]][c] + eps);
        }
        out[c] = most * fabs((double)gain[c]);
    }
}

/* Of x [rows, C], row by row, for a channel's values lie far apart. */
static void sizes_of_rows(const real *x, int64_t rows, int64_t C, bool shift, double *out,
                          double *middle)
{
    double *low = middle, *high = out;
    for (int64_t c = 0; c < C; c++) {
        low[c] = INFINITY;
        high[c] = -INFINITY;
    }
    for (int64_t i = 0; i < rows; i++, x += C)
        for (int64_t c = 0; c < C; c++) {
            low[c] = (double)x[c] < low[c] ? (double)x[c] : low[c];
            high[c] = (double)x[c] > high[c] ? (double)x[c] : high[c];
        }
    for (int64_t c = 0; c < C; c++) {
        const double l = low[c], h = high[c];
        middle[c] = shift ? (l + h) / 2 : 0;
        out[c] = fmax(h - middle[c], middle[c] - l);
    }
}

/* The largest |value| of each channel, and the middle of its range. */
static dt_status sizes_of_pictures(dt_ptq *q, const dt_ptq_edge *e, bool shift, double *out,
                                   double *middle, dt_error *err)
{
    const int64_t n = dt_ptq_features(q, e->value), C = e->C;
    real *x;
    DT_TRY(dt_ptq_get(q, e->value, &x, err));
    dt_status st = dt_ptq_collect(q,
                                  &(dt_ptq_pass){ .plain = true,
                                                  .from = q->start,
                                                  .data = q->pictures,
                                                  .want = &e->value,
                                                  .want_count = 1,
                                                  .to = &x },
                                  err);
    if (st == DT_OK) sizes_of_rows(x, q->p->count * n / C, C, shift, out, middle);
    dt_ptq_put(q, x);
    return st;
}

/* Factors whose geometric mean is 1: the scale of the whole tensor is a quantizer's business. */
static void factors(const conf *c, int64_t n, double *a, const double *w)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        a[i] = dt_log(dt_ptq_edge_factor(a[i], w[i], c->alpha, c->beta));
        sum += a[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++)
        a[i] = dt_exp(fmin(fmax(a[i] - sum, -14), 14));
}

static dt_status equalize_edge(dt_ptq *q, const dt_ptq_edge *e, const conf *c, dt_error *err)
{
    const size_t n = (size_t)e->C;
    double *room = dt_arena_get(q->arena, 3 * n * sizeof *room);
    if (!room) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    double *a = room, *w = room + n, *middle = room + 2 * n;
    bool shift = c->shift && dt_ptq_edge_shifts(e) && c->from == PICTURES;
    if (c->from == WEIGHTS)
        sizes_of_weights(q, e, a);
    else
        DT_TRY(sizes_of_pictures(q, e, shift, a, middle, err));
    dt_ptq_edge_columns(q, e, w);
    factors(c, e->C, a, w);
    dt_ptq_edge_fold(q, e, a, shift ? middle : NULL);
    return DT_OK;
}

/* A parameter that nobody else reads. */
static bool is_own(const dt_ptq *q, int value)
{
    return q->g->value[value].kind == DT_VALUE_PARAM && q->g->value[value].uses == 1;
}

/* w_o -> w_o f_o; a bias and the norm's mean and variance go with it, exactly but for rounding. */
static void equalize_rows(const dt_ptq *q, const dt_node *product, const dt_ptq_weight *w)
{
    const dt_node *norm = dt_query_norm(q->g, q->needed, product);
    const int at = dt_query_bias(product);
    if (!norm || !is_own(q, w->value) || (at >= 0 && !is_own(q, at))) return;
    real *bias = at >= 0 ? q->p->state->data[at] : NULL;
    const int64_t O = dt_ptq_features(q, norm->in[DT_BN_GAMMA]), n = w->count / O;
    const int high = (1 << (w->at.bits - 1)) - 1;
    const double eps = ((const dt_batchnorm_conf *)norm->conf)->eps;
    real *x = q->p->state->data[w->value], *mean = q->p->state->data[norm->in[DT_BN_MEAN]];
    real *var = q->p->state->data[norm->in[DT_BN_VAR]];
    double most = 0;
    for (int64_t o = 0; o < O; o++)
        most = fmax(most, dt_range_mse(n, x + o * n, -high - 1, high));
    for (int64_t o = 0; o < O; o++) {
        double scale = dt_range_mse(n, x + o * n, -high - 1, high), f = most / scale;
        /* eps is not scaled, so a variance near it bounds the factor. */
        double changed = ((double)var[o] + eps) * f * f - eps;
        if (!(scale > 0) || !isfinite(f) || !(changed > 0) || f > 1e4) continue;
        for (int64_t i = 0; i < n; i++)
            x[o * n + i] = (real)((double)x[o * n + i] * f);
        if (bias) bias[o] = (real)((double)bias[o] * f);
        mean[o] = (real)((double)mean[o] * f);
        var[o] = (real)changed;
    }
}

static dt_status run(dt_ptq *q, const void *options, dt_error *err)
{
    const conf *c = options;
    dt_status st = DT_OK;
    q->origin = *q->p->state; /* passes of the float net see what was folded so far */
    for (int i = 0; st == DT_OK && i < q->g->node_count; i++) {
        const dt_node *node = &q->g->node[i];
        dt_ptq_weight w;
        dt_ptq_edge e;
        if (c->rows && q->needed[i] && dt_ptq_weight_of(q, node, &w)) equalize_rows(q, node, &w);
        if (c->from == NOTHING || !dt_ptq_edge_of(q, node, &e)) continue;
        st = dt_ptq_tell(q, node->name, (double)i / q->g->node_count, err);
        if (st == DT_OK) st = equalize_edge(q, &e, c, err);
    }
    q->origin = (dt_state){ 0 };
    return st;
}

const dt_ptq_stage dt_ptq_stage_equalize = {
    .row = { "equalize", "factors of channels moved to where they do the least harm", opts,
             sizeof(conf) },
    .transforms = true,
    .run = run,
};
