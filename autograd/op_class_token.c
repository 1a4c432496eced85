/* A token in front, and what class_position makes on all (Dosovitskiy 2020, arXiv:2010.11929, eq.
 * 1): x [N,T,C], c [1,T+1,C] -> y [N,T+1,C], y[n] = (0, x[n]) + c. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/op.h"

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)conf;
    (void)in_count;
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    const dt_shape want = DT_SHAPE(1, in[0].dim[1] + 1, in[0].dim[2]);
    if (in[0].rank != 3 || !dt_shape_equal(&in[1], &want))
        return dt_fail(err, DT_ERR_SHAPE, NULL,
                       "tokens %s and positions %s do not fit: one more than tokens is wanted",
                       dt_shape_print(&in[0], a), dt_shape_print(&in[1], b));
    out[0] = DT_SHAPE(in[0].dim[0], in[0].dim[1] + 1, in[0].dim[2]);
    return DT_OK;
}

static void forward_one(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    int64_t T = r->in_shape[0].dim[1], C = r->in_shape[0].dim[2];
    const real *x = (const real *)r->in[0] + n * T * C, *c = r->in[1];
    real *y = (real *)r->out[0] + n * (T + 1) * C;
    memcpy(y, c, (size_t)C * sizeof *y);
    for (int64_t j = 0; j < T * C; j++)
        y[C + j] = x[j] + c[C + j];
}

static void forward(const dt_op_run *r)
{
    dt_op_each(r, r->in_shape[0].dim[0], forward_one);
}

static void backward_one(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    int64_t T = r->in_shape[0].dim[1], C = r->in_shape[0].dim[2];
    const real *dy = r->d_out[0] + n * (T + 1) * C + C;
    real *dx = r->d_in[0] + n * T * C;
    if (!r->add[0]) {
        memcpy(dx, dy, (size_t)(T * C) * sizeof *dx);
        return;
    }
    for (int64_t j = 0; j < T * C; j++)
        dx[j] += dy[j];
}

/* Sum over samples of row t of the gradient. */
static void sum_row(void *arg, int64_t t, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    int64_t N = r->out_shape[0].dim[0], T = r->out_shape[0].dim[1], C = r->out_shape[0].dim[2];
    real *to = r->d_in[1] + t * C;
    for (int64_t j = 0; j < C; j++)
        to[j] = 0;
    for (int64_t n = 0; n < N; n++)
        for (int64_t j = 0; j < C; j++)
            to[j] += r->d_out[0][(n * T + t) * C + j];
}

static void backward(const dt_op_run *r)
{
    if (r->d_in[0]) dt_op_each(r, r->in_shape[0].dim[0], backward_one);
    if (r->d_in[1]) dt_op_each(r, r->out_shape[0].dim[1], sum_row);
}

static const dt_op_example examples[] = {
    { .in_count = 2, .in = { { 3, { 2, 3, 5 } }, { 3, { 1, 4, 5 } } } },
    { .in_count = 0 },
};

const dt_op dt_op_class_token = {
    .name = "class_token",
    .in_min = 2,
    .in_max = 2,
    .out_count = 1,
    .grads = 3,
    .accumulates = 1,
    .sum = true,
    .form = "class_token",
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
