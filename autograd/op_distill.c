/* Knowledge distillation (Hinton 2015, arXiv:1503.02531, section 2; as Esser 2020,
 * arXiv:1902.08153, section 3.7, with T = 1 and both losses counting the same): loss of the task
 * [1], logits x [N,K], logits of the teacher t [N,K] -> loss [1]
 *
 *   task * loss + weight * T^2 * mean over rows of - sum_k p_k log q_k,
 *   p = softmax(t / T), q = softmax(x / T);  T^2 keeps the gradient's size: d/dx = T (q - p) / N
 *
 * The teacher gets no gradient. Every row counts: steps have no rows that fill up a batch. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_distill.h"

#include "autograd/op.h"
#include "core/mathx.h"
#include "core/thread.h"

enum { TASK, LOGITS, TEACHER };

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)conf;
    (void)in_count;
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    if (in[LOGITS].rank != 2 || !dt_shape_equal(&in[LOGITS], &in[TEACHER]))
        return dt_fail(err, DT_ERR_SHAPE, NULL, "logits %s and logits of the teacher %s do not fit",
                       dt_shape_print(&in[LOGITS], a), dt_shape_print(&in[TEACHER], b));
    out[0] = DT_SHAPE(1);
    return DT_OK;
}

/* Saved: q - p [N,K]; work: loss of each row. */
static void memory(const dt_op_run *r, dt_op_memory *out)
{
    out->saved = (size_t)dt_shape_count(&r->in_shape[LOGITS]) * sizeof(real);
    out->forward_work = (size_t)r->in_shape[LOGITS].dim[0] * sizeof(double);
}

/* Largest of K logits, and log of the sum of exp((x - largest) / T). */
static double log_sum(const real *x, int64_t K, double T, double *out_most)
{
    double most = (double)x[0], sum = 0;
    for (int64_t k = 1; k < K; k++)
        if ((double)x[k] > most) most = (double)x[k];
    for (int64_t k = 0; k < K; k++)
        sum += dt_exp(((double)x[k] - most) / T);
    *out_most = most;
    return dt_log(sum);
}

static void row(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    const dt_distill_conf *c = r->conf;
    int64_t K = r->in_shape[LOGITS].dim[1];
    const real *x = (const real *)r->in[LOGITS] + n * K, *t = (const real *)r->in[TEACHER] + n * K;
    real *difference = (real *)r->saved + n * K;
    double x_most, t_most, loss = 0, T = c->temperature;
    double x_sum = log_sum(x, K, T, &x_most), t_sum = log_sum(t, K, T, &t_most);
    for (int64_t k = 0; k < K; k++) {
        double log_q = ((double)x[k] - x_most) / T - x_sum;
        double p = dt_exp(((double)t[k] - t_most) / T - t_sum);
        loss -= p * log_q;
        difference[k] = (real)(dt_exp(log_q) - p);
    }
    ((double *)r->work)[n] = loss;
}

static void forward(const dt_op_run *r)
{
    const dt_distill_conf *c = r->conf;
    int64_t N = r->in_shape[LOGITS].dim[0];
    dt_op_run copy = *r;
    dt_parallel(r->threads, N, row, &copy);
    double sum = 0;
    for (int64_t n = 0; n < N; n++)
        sum += ((double *)r->work)[n];
    double from_teacher = c->weight * c->temperature * c->temperature * sum / (double)N;
    ((real *)r->out[0])[0] =
        (real)(c->task * (double)((const real *)r->in[TASK])[0] + from_teacher);
}

static void backward(const dt_op_run *r)
{
    const dt_distill_conf *c = r->conf;
    const dt_shape *shape = &r->in_shape[LOGITS];
    double g = (double)r->d_out[0][0];
    real each = (real)(g * c->weight * c->temperature / (double)shape->dim[0]);
    const real *difference = r->saved;
    if (r->d_in[TASK]) r->d_in[TASK][0] = (real)(g * c->task);
    for (int64_t i = 0, n = dt_shape_count(shape); r->d_in[LOGITS] && i < n; i++)
        r->d_in[LOGITS][i] = each * difference[i];
}

static const dt_distill_conf plain = { 1, 1, 1 }, warm = { 4, 0.3, 0.7 };
static const dt_op_example examples[] = {
    { .in_count = 3, .in = { { 1, { 1 } }, { 2, { 6, 5 } }, { 2, { 6, 5 } } }, .conf = &plain },
    { .in_count = 3, .in = { { 1, { 1 } }, { 2, { 4, 3 } }, { 2, { 4, 3 } } }, .conf = &warm },
    { .in_count = 0 },
};

static const dt_opt opts[] = {
    DT_OPT_FLOAT(dt_distill_conf, temperature, 1, 0, 1e6, "divides the logits"),
    DT_OPT_FLOAT(dt_distill_conf, task, 1, 0, 1e6, "factor of the loss over labels"),
    DT_OPT_FLOAT(dt_distill_conf, weight, 1, 0, 1e6, "factor of the loss over the teacher"),
    DT_OPT_END,
};

const dt_op dt_op_distill = {
    .name = "distill",
    .in_min = 3,
    .in_max = 3,
    .out_count = 1,
    .opts = opts,
    .conf_size = sizeof(dt_distill_conf),
    .grads = 1u << TASK | 1u << LOGITS,
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
