/* Batch norm folded into weights: w [O,...], gamma [O], running variance [O] -> y = w c, or w / c
 * to undo it, with c = gamma / sqrt(var + eps) a channel. Weights that are quantized between the
 * two are those of the net whose batch norms were folded (Krishnamoorthi 2018, arXiv:1806.08342,
 * section 3.2.2): the convolution gets FQ(w c) / c, and batch norm goes on with the batch's
 * statistics.
 *
 *   dw = g c,  dgamma = sum g w / sqrt(var + eps);   undone: dw = g / c,  dgamma = - sum g y /
 * gamma
 *
 * |c| is at least 1e-6; where that binds, gamma gets no gradient from here. The running variance is
 * a constant, and the one that the forward pass saw counts: a step changes it in between. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_fold_norm.h"

#include <math.h>

#include "autograd/op.h"

static const double least = DT_FOLD_NORM_LEAST;

double dt_fold_norm_factor(const dt_fold_norm_conf *conf, real gamma, real var)
{
    double c = (double)gamma / sqrt((double)var + conf->eps);
    return fabs(c) >= least ? c : c < 0 ? -least : least;
}

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)conf;
    (void)in_count;
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    for (int i = DT_FOLD_GAMMA; i <= DT_FOLD_VAR; i++)
        if (in[i].rank != 1 || in[i].dim[0] != in[DT_FOLD_W].dim[0])
            return dt_fail(err, DT_ERR_SHAPE, NULL, "weights %s and a batch norm of %s do not fit",
                           dt_shape_print(&in[DT_FOLD_W], a), dt_shape_print(&in[i], b));
    out[0] = in[DT_FOLD_W];
    return DT_OK;
}

/* Saved: c [O] and dc/dgamma [O]. */
static void memory(const dt_op_run *r, dt_op_memory *out)
{
    out->saved = 2 * sizeof(double) * (size_t)r->in_shape[DT_FOLD_W].dim[0];
}

static void forward(const dt_op_run *r)
{
    const dt_fold_norm_conf *c = r->conf;
    int64_t O = r->in_shape[DT_FOLD_W].dim[0], K = dt_shape_count(&r->in_shape[DT_FOLD_W]) / O;
    const real *gamma = r->in[DT_FOLD_GAMMA], *var = r->in[DT_FOLD_VAR];
    double *factor = r->saved, *slope = factor + O;
    for (int64_t o = 0; o < O; o++) {
        const real *w = (const real *)r->in[DT_FOLD_W] + o * K;
        real *y = (real *)r->out[0] + o * K;
        double inverse = 1 / sqrt((double)var[o] + c->eps);
        factor[o] = dt_fold_norm_factor(c, gamma[o], var[o]);
        slope[o] = fabs((double)gamma[o] * inverse) >= least ? inverse : 0;
        for (int64_t i = 0; i < K; i++)
            y[i] = (real)(c->undo ? (double)w[i] / factor[o] : (double)w[i] * factor[o]);
    }
}

static void backward(const dt_op_run *r)
{
    const dt_fold_norm_conf *c = r->conf;
    int64_t O = r->in_shape[DT_FOLD_W].dim[0], K = dt_shape_count(&r->in_shape[DT_FOLD_W]) / O;
    const double *factor = r->saved, *slope = factor + O;
    for (int64_t o = 0; o < O; o++) {
        const real *w = (const real *)r->in[DT_FOLD_W] + o * K, *g = r->d_out[0] + o * K;
        double sum = 0, f = factor[o];
        for (int64_t i = 0; i < K; i++)
            sum += (double)g[i] * (double)w[i];
        if (r->d_in[DT_FOLD_GAMMA])
            r->d_in[DT_FOLD_GAMMA][o] = (real)(slope[o] * (c->undo ? -sum / (f * f) : sum));
        for (int64_t i = 0; r->d_in[DT_FOLD_W] && i < K; i++)
            r->d_in[DT_FOLD_W][o * K + i] = (real)((double)g[i] * (c->undo ? 1 / f : f));
    }
}

static const dt_fold_norm_conf fold = { 1e-5, false }, undo = { 1e-5, true };
static const dt_op_example examples[] = {
    { .in_count = 3,
      .in = { { 4, { 3, 2, 2, 4 } }, { 1, { 3 } }, { 1, { 3 } } },
      .conf = &fold,
      .positive = 1u << DT_FOLD_GAMMA | 1u << DT_FOLD_VAR },
    { .in_count = 3,
      .in = { { 4, { 5, 1, 1, 3 } }, { 1, { 5 } }, { 1, { 5 } } },
      .conf = &undo,
      .positive = 1u << DT_FOLD_GAMMA | 1u << DT_FOLD_VAR },
    { .in_count = 0 },
};

static const dt_opt opts[] = {
    DT_OPT_FLOAT(dt_fold_norm_conf, eps, 1e-5, 0, 1, "of the batch norm"),
    DT_OPT_BOOL(dt_fold_norm_conf, undo, false, "divide by the factor"),
    DT_OPT_END,
};

const dt_op dt_op_fold_norm = {
    .name = "fold_norm",
    .in_min = 3,
    .in_max = 3,
    .out_count = 1,
    .opts = opts,
    .conf_size = sizeof(dt_fold_norm_conf),
    .grads = 1u << DT_FOLD_W | 1u << DT_FOLD_GAMMA,
    .reads_in = 1u << DT_FOLD_W,
    .folds_norm = true,
    .form = "fold_norm",
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
