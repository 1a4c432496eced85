/* Mean cross entropy of softmax(logits) with label smoothing (Szegedy 2016; PyTorch's form):
 * logits [N,K] -> loss [1], with labels int32 [N], or with targets [N,K] that give each class its
 * share (mixup, distillation):
 *
 *   loss = mean over rows of - sum_k ((1 - smoothing) t_k + smoothing / K) log p_k
 *
 * Rows with a negative label, or without any share, count nothing: they fill up the last batch of
 * an evaluation. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_softmax_ce.h"

#include "autograd/loss.h"
#include "core/mathx.h"

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)conf;
    (void)in_count;
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    bool fit = in[1].rank == 1 ? in[0].dim[0] == in[1].dim[0] : dt_shape_equal(&in[0], &in[1]);
    if (in[0].rank != 2 || !fit)
        return dt_fail(err, DT_ERR_SHAPE, NULL, "logits %s and labels %s do not fit",
                       dt_shape_print(&in[0], a), dt_shape_print(&in[1], b));
    out[0] = DT_SHAPE(1);
    return DT_OK;
}

/* Saved: probabilities [N,K]; work: loss of each row in double. */
static void memory(const dt_op_run *r, dt_op_memory *out)
{
    out->saved = (size_t)dt_shape_count(&r->in_shape[0]) * sizeof(real);
    out->forward_work = (size_t)r->in_shape[0].dim[0] * sizeof(double);
}

/* Share of class k in row n, before smoothing, and of all classes: 0 for rows that do not count. */
static double share(const dt_op_run *r, int64_t n, int64_t k)
{
    if (r->in_shape[1].rank == 1) return ((const int32_t *)r->in[1])[n] == k;
    return (double)((const real *)r->in[1])[n * r->in_shape[0].dim[1] + k];
}

static double all_shares(const dt_op_run *r, int64_t n)
{
    if (r->in_shape[1].rank == 1) return ((const int32_t *)r->in[1])[n] >= 0;
    double sum = 0;
    for (int64_t k = 0; k < r->in_shape[0].dim[1]; k++)
        sum += share(r, n, k);
    return sum;
}

static void row(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    const dt_softmax_ce_conf *c = r->conf;
    int64_t K = r->in_shape[0].dim[1];
    const real *x = (const real *)r->in[0] + n * K;
    real *p = (real *)r->saved + n * K;
    double most = (double)x[0], sum = 0, mean = 0, aim = 0, all = all_shares(r, n);
    for (int64_t k = 1; k < K; k++)
        if ((double)x[k] > most) most = (double)x[k];
    for (int64_t k = 0; k < K; k++) {
        double e = dt_exp((double)x[k] - most);
        p[k] = (real)e;
        sum += e;
        mean += (double)x[k] / (double)K;
        aim += share(r, n, k) * (double)x[k];
    }
    for (int64_t k = 0; k < K; k++)
        p[k] = (real)((double)p[k] / sum);
    double log_sum = most + dt_log(sum);
    ((double *)r->work)[n] =
        all == 0 ? 0 : (1 - c->smoothing) * (all * log_sum - aim) + c->smoothing * (log_sum - mean);
}

static int64_t valid_rows(const dt_op_run *r)
{
    int64_t valid = 0;
    for (int64_t n = 0; n < r->in_shape[1].dim[0]; n++)
        valid += all_shares(r, n) != 0;
    return valid > 0 ? valid : 1;
}

static void forward(const dt_op_run *r)
{
    dt_op_each(r, r->in_shape[0].dim[0], row);
    double sum = 0;
    for (int64_t n = 0; n < r->in_shape[0].dim[0]; n++)
        sum += ((double *)r->work)[n];
    ((real *)r->out[0])[0] = (real)(sum / (double)valid_rows(r));
}

static void backward(const dt_op_run *r)
{
    const dt_softmax_ce_conf *c = r->conf;
    int64_t N = r->in_shape[0].dim[0], K = r->in_shape[0].dim[1];
    real each = r->d_out[0][0] / (real)valid_rows(r), floor = (real)(c->smoothing / (double)K);
    for (int64_t n = 0; n < N; n++) {
        const real *p = (const real *)r->saved + n * K;
        real *dx = r->d_in[0] + n * K;
        double all = all_shares(r, n);
        real whole = (real)((1 - c->smoothing) * all + c->smoothing);
        for (int64_t k = 0; k < K; k++)
            dx[k] =
                all == 0
                    ? 0
                    : each * (p[k] * whole - floor - (real)((1 - c->smoothing) * share(r, n, k)));
    }
}

static const dt_softmax_ce_conf hard = { 0 }, smooth = { 0.1 };
static const dt_op_example examples[] = {
    { .in_count = 2,
      .in = { { 2, { 6, 5 } }, { 1, { 6 } } },
      .conf = &hard,
      .labels = 2,
      .classes = 5 },
    { .in_count = 2,
      .in = { { 2, { 4, 3 } }, { 1, { 4 } } },
      .conf = &smooth,
      .labels = 2,
      .classes = 3 },
    { .in_count = 2, .in = { { 2, { 5, 4 } }, { 2, { 5, 4 } } }, .conf = &hard, .positive = 2 },
    { .in_count = 2, .in = { { 2, { 5, 4 } }, { 2, { 5, 4 } } }, .conf = &smooth, .positive = 2 },
    { .in_count = 0 },
};

static const dt_opt opts[] = {
    DT_OPT_FLOAT(dt_softmax_ce_conf, smoothing, 0, 0, 1,
                 "share of the target that all classes get"),
    DT_OPT_END,
};

const dt_op dt_op_softmax_ce = {
    .name = "softmax_ce",
    .in_min = 2,
    .in_max = 2,
    .out_count = 1,
    .opts = opts,
    .conf_size = sizeof(dt_softmax_ce_conf),
    .grads = 1,
    .reads_in = 2,
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};

static void set_smoothing(void *conf, double share_of_all)
{
    *(dt_softmax_ce_conf *)conf = (dt_softmax_ce_conf){ share_of_all };
}

static double of(const void *conf, const real *x, const void *answer, int64_t K)
{
    const dt_softmax_ce_conf *c = conf;
    int32_t label = *(const int32_t *)answer;
    double most = (double)x[0], sum = 0, mean = 0;
    for (int64_t k = 1; k < K; k++)
        most = (double)x[k] > most ? (double)x[k] : most;
    for (int64_t k = 0; k < K; k++) {
        sum += dt_exp((double)x[k] - most);
        mean += (double)x[k] / (double)K;
    }
    double log_sum = dt_log(sum) + most;
    return label < 0 ? 0
                     : (1 - c->smoothing) * (log_sum - (double)x[label]) +
                           c->smoothing * (log_sum - mean);
}

const dt_loss dt_loss_softmax_ce = {
    .row = { "softmax_ce", "cross entropy of the softmax with a label", NULL,
             sizeof(dt_softmax_ce_conf) },
    .answer = DT_ANSWER_LABEL,
    .shares = true,
    .smooth = set_smoothing,
    .of = of,
};
