/* y = max(x, 0). Backward needs y only: dx = dy where y > 0. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "autograd/op.h"

static void forward(const dt_op_run *r)
{
    r->kernels->point.relu(r->threads, dt_shape_count(r->in_shape), r->in[0], r->out[0]);
}

static void backward(const dt_op_run *r)
{
    r->kernels->point.relu_back(r->threads, dt_shape_count(r->in_shape), r->out[0], r->d_out[0],
                                r->d_in[0], r->add[0]);
}

static const dt_op_example examples[] = {
    { .in_count = 1, .in = { { 3, { 2, 3, 4 } } } },
    { .in_count = 0 },
};

static void limits(const void *conf, double *out_low, double *out_high)
{
    (void)conf;
    *out_low = 0;
    *out_high = (double)INFINITY;
}

const dt_op dt_op_relu = {
    .name = "relu",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .grads = 1,
    .reads_out = 1,
    .accumulates = 1,
    .inplace = true,
    .grad_inplace = true,
    .sign = DT_SIGN_NONNEG,
    .grad_kind = DT_GRAD_KINK,
    .limits = limits,
    .function = true,
    .infer = dt_infer_same,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
