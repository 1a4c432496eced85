/* y = in[0] with probability `share`, else in[1], by element, in training; y = in[1] elsewhere:
 * dropped quantization (Wei, Gong, Li, Liu, Yu 2022, "QDrop", arXiv:2203.05740), where in[0] is a
 * value and in[1] the same on its grid. The gradient goes to the element that was taken.
 *
 * Element i of the batch takes byte i of the stream (seed, DROPOUT, node, step), so nothing depends
 * on threads; `share` is rounded to 256ths. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_either.h"

#include <string.h>

#include "autograd/op.h"
#include "core/rng.h"
#include "core/thread.h"

enum { CHUNK = 1 << 12 /* elements of a task, a multiple of 16 */ };

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    const dt_either_conf *c = conf;
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    (void)in_count;
    if (!(c->share >= 0 && c->share <= 1))
        return dt_fail(err, DT_ERR_RANGE, NULL, "share %g is outside 0..1", c->share);
    if (!dt_shape_equal(&in[0], &in[1]))
        return dt_fail(err, DT_ERR_SHAPE, NULL, "inputs %s and %s differ",
                       dt_shape_print(&in[0], a), dt_shape_print(&in[1], b));
    out[0] = in[0];
    return DT_OK;
}

static int64_t length(const dt_op_run *r, int64_t task)
{
    int64_t left = dt_shape_count(&r->in_shape[0]) - task * CHUNK;
    return left < CHUNK ? left : CHUNK;
}

/* As wide as an element, so that loops over both become vectors. */
#ifdef DT_REAL_DOUBLE
typedef int64_t flag;
#else
typedef int32_t flag;
#endif

/* saved: of each element 1 where it is that of in[0]. */
static void memory(const dt_op_run *r, dt_op_memory *out)
{
    out->saved = sizeof(flag) * (size_t)dt_shape_count(&r->in_shape[0]);
}

/* For `n` elements (at most CHUNK) from a multiple of CHUNK on. */
static void choose(const dt_op_run *r, int64_t first, int64_t n, flag *to)
{
    const dt_either_conf *c = r->conf;
    const uint32_t limit = (uint32_t)(c->share * 256 + 0.5);
    dt_rng rng;
    dt_rng_open(&rng, r->seed, DT_RNG_DROPOUT, r->stream, (uint64_t)r->step);
    dt_rng_skip(&rng, (uint32_t)(first / 16));
    for (int64_t i = 0; i < n; i += 4) {
        uint32_t bits = dt_rng_u32(&rng);
        for (int64_t k = i; k < n && k < i + 4; k++, bits >>= 8)
            to[k] = (bits & 255) < limit;
    }
}

static void forward_task(void *arg, int64_t task, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    const int64_t at = task * CHUNK, n = length(r, task);
    const real *restrict a = (const real *)r->in[0] + at;
    const real *restrict b = (const real *)r->in[1] + at;
    flag *restrict first = (flag *)r->saved + at;
    real *restrict y = (real *)r->out[0] + at;
    choose(r, at, n, first);
    for (int64_t i = 0; i < n; i++) { /* both are read: the choice is no branch then */
        real u = a[i], v = b[i];
        y[i] = first[i] ? u : v;
    }
}

static void copy_task(void *arg, int64_t task, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    memcpy((real *)r->out[0] + task * CHUNK, (const real *)r->in[1] + task * CHUNK,
           sizeof(real) * (size_t)length(r, task));
}

static void backward_task(void *arg, int64_t task, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    const int64_t at = task * CHUNK, n = length(r, task);
    const flag *restrict first = (const flag *)r->saved + at;
    const real *dy = r->d_out[0] + at;
    for (int k = 0; k < 2; k++) {
        real *restrict dx = r->d_in[k] ? r->d_in[k] + at : NULL;
        const flag mine = k == 0;
        if (!dx) continue;
        if (!r->add[k]) memset(dx, 0, sizeof(real) * (size_t)n);
        for (int64_t i = 0; i < n; i++) {
            real g = dy[i], was = dx[i];
            dx[i] = first[i] == mine ? was + g : was;
        }
    }
}

static void forward(const dt_op_run *r)
{
    int64_t n = dt_shape_count(&r->in_shape[0]);
    dt_op_each(r, (n + CHUNK - 1) / CHUNK, r->mode == DT_MODE_TRAIN ? forward_task : copy_task);
}

static void backward(const dt_op_run *r)
{
    int64_t n = dt_shape_count(&r->in_shape[0]);
    dt_op_each(r, (n + CHUNK - 1) / CHUNK, backward_task);
}

static const dt_either_conf half = { 0.5 };
static const dt_op_example examples[] = {
    { .in_count = 2, .in = { { 3, { 2, 5, 7 } }, { 3, { 2, 5, 7 } } }, .conf = &half },
    { .in_count = 0 },
};

static const dt_opt opts[] = {
    DT_OPT_FLOAT(dt_either_conf, share, 0.5, 0, 1, "of elements that are those of the first input"),
    DT_OPT_END,
};

const dt_op dt_op_either = {
    .name = "either",
    .in_min = 2,
    .in_max = 2,
    .out_count = 1,
    .opts = opts,
    .conf_size = sizeof(dt_either_conf),
    .grads = 3,
    .accumulates = 3,
    .sign = DT_SIGN_KEEP,
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
