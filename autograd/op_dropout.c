/* Dropout (Srivastava 2014): y = x / (1 - rate), or 0 with probability `rate`, in training; y = x
 * elsewhere. By element, or by sample (stochastic depth, Huang 2016, arXiv:1603.09382).
 *
 * Element i of the batch takes number i of the stream (seed, DROPOUT, node, step), so nothing
 * depends on threads or on where a run was resumed, and backward draws the same numbers again. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_dropout.h"

#include "autograd/op.h"
#include "core/rng.h"
#include "core/thread.h"

enum { CHUNK = 1 << 12 }; /* elements of a task, a multiple of 4 */

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    const dt_dropout_conf *c = conf;
    (void)in_count;
    if (!(c->rate >= 0 && c->rate < 1))
        return dt_fail(err, DT_ERR_RANGE, NULL, "rate %g is outside 0..1, 1 excluded", c->rate);
    out[0] = in[0];
    return DT_OK;
}

/* Factors of `n` (at most CHUNK) numbers of the node's stream from number `first` on, which is a
 * multiple of 4. */
static void factors(const dt_op_run *r, int64_t first, int64_t n, real *to)
{
    const dt_dropout_conf *c = r->conf;
    const double limit = c->rate * 4294967296.0;
    const real keep = (real)(1 / (1 - c->rate));
    dt_rng rng;
    dt_rng_open(&rng, r->seed, DT_RNG_DROPOUT, r->stream, (uint64_t)r->step);
    dt_rng_skip(&rng, (uint32_t)(first / 4));
    for (int64_t i = 0; i < n; i++)
        to[i] = (double)dt_rng_u32(&rng) < limit ? 0 : keep;
}

/* y = x times its factor (added to y when `sum`). */
typedef struct pass {
    const dt_op_run *r;
    const real *x;
    real *y;
    bool sum;
    int64_t n, sample; /* elements in all and of a sample */
} pass;

static void scale(const pass *p, int64_t at, int64_t n, const real *factor, int64_t stride)
{
    const real *x = p->x + at;
    real *y = p->y + at;
    for (int64_t i = 0; i < n; i++) {
        real v = x[i] * factor[i * stride];
        y[i] = p->sum ? y[i] + v : v;
    }
}

static void element_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const pass *p = arg;
    real factor[CHUNK];
    int64_t n = p->n - i * CHUNK < CHUNK ? p->n - i * CHUNK : CHUNK;
    factors(p->r, i * CHUNK, n, factor);
    scale(p, i * CHUNK, n, factor, 1);
}

static void sample_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const pass *p = arg;
    real factor[4];
    factors(p->r, i / 4 * 4, 4, factor);
    scale(p, i * p->sample, p->sample, factor + i % 4, 0);
}

static void copy_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const pass *p = arg;
    const real one = 1;
    int64_t n = p->n - i * CHUNK < CHUNK ? p->n - i * CHUNK : CHUNK;
    if (p->x != p->y || p->sum) scale(p, i * CHUNK, n, &one, 0);
}

static void run(const dt_op_run *r, const real *x, real *y, bool sum)
{
    const dt_dropout_conf *c = r->conf;
    pass p = { r, x, y, sum, dt_shape_count(&r->in_shape[0]), 0 };
    int64_t N = r->in_shape[0].dim[0], chunks = (p.n + CHUNK - 1) / CHUNK;
    p.sample = p.n / N;
    if (r->mode != DT_MODE_TRAIN)
        dt_parallel(r->threads, chunks, copy_task, &p);
    else if (c->by_sample)
        dt_parallel(r->threads, N, sample_task, &p);
    else
        dt_parallel(r->threads, chunks, element_task, &p);
}

static void forward(const dt_op_run *r)
{
    run(r, r->in[0], r->out[0], false);
}

static void backward(const dt_op_run *r)
{
    run(r, r->d_out[0], r->d_in[0], r->add[0]);
}

static const dt_dropout_conf elements = { 0.3, false }, samples = { 0.4, true };
static const dt_op_example examples[] = {
    { .in_count = 1, .in = { { 3, { 2, 5, 7 } } }, .conf = &elements },
    { .in_count = 1, .in = { { 3, { 9, 2, 3 } } }, .conf = &samples },
    { .in_count = 0 },
};

static const dt_opt opts[] = {
    DT_OPT_FLOAT(dt_dropout_conf, rate, 0, 0, 1, "share that becomes 0, below 1"),
    DT_OPT_BOOL(dt_dropout_conf, by_sample, false, "whole samples"),
    DT_OPT_END,
};

const dt_op dt_op_dropout = {
    .name = "dropout",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .opts = opts,
    .conf_size = sizeof(dt_dropout_conf),
    .grads = 1,
    .accumulates = 1,
    .inplace = true,
    .grad_inplace = true,
    .sign = DT_SIGN_KEEP,
    .identity_in_eval = true,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
