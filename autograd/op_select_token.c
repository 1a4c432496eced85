/* The first token: [N,T,C] -> [N,C]. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/op.h"

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)conf;
    (void)in_count;
    char a[DT_SHAPE_TEXT];
    if (in[0].rank != 3)
        return dt_fail(err, DT_ERR_SHAPE, NULL, "input %s must have 3 dimensions",
                       dt_shape_print(&in[0], a));
    out[0] = DT_SHAPE(in[0].dim[0], in[0].dim[2]);
    return DT_OK;
}

static void forward(const dt_op_run *r)
{
    int64_t N = r->in_shape[0].dim[0], C = r->in_shape[0].dim[2];
    int64_t stride = r->in_shape[0].dim[1] * C;
    for (int64_t n = 0; n < N; n++)
        memcpy((real *)r->out[0] + n * C, (const real *)r->in[0] + n * stride,
               (size_t)C * sizeof(real));
}

static void backward(const dt_op_run *r)
{
    int64_t N = r->in_shape[0].dim[0], C = r->in_shape[0].dim[2];
    int64_t stride = r->in_shape[0].dim[1] * C;
    if (!r->add[0]) memset(r->d_in[0], 0, (size_t)(N * stride) * sizeof(real));
    for (int64_t n = 0; n < N; n++)
        for (int64_t j = 0; j < C; j++)
            r->d_in[0][n * stride + j] += r->d_out[0][n * C + j];
}

static const dt_op_example examples[] = {
    { .in_count = 1, .in = { { 3, { 2, 3, 5 } } } },
    { .in_count = 0 },
};

const dt_op dt_op_select_token = {
    .name = "select_token",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .grads = 1,
    .accumulates = 1,
    .sign = DT_SIGN_KEEP,
    .form = "select_token",
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
