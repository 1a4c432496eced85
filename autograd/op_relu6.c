/* y = min(max(x, 0), 6), the activation of mobile nets (Howard 2017, arXiv:1704.04861; Sandler
 * 2018, arXiv:1801.04381). Backward needs y only: dx = dy where 0 < y < 6. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_relu6.h"

#include "autograd/op.h"

static void forward(const dt_op_run *r)
{
    r->kernels->point.clip(r->threads, dt_shape_count(r->in_shape), r->in[0], DT_RELU6_HIGH,
                           r->out[0]);
}

static void backward(const dt_op_run *r)
{
    r->kernels->point.clip_back(r->threads, dt_shape_count(r->in_shape), r->out[0], r->d_out[0],
                                DT_RELU6_HIGH, r->d_in[0], r->add[0]);
}

static const dt_op_example examples[] = {
    { .in_count = 1, .in = { { 3, { 2, 3, 4 } } } },
    { .in_count = 1, .in = { { 3, { 4, 8, 12 } } }, .positive = 1 }, /* squares: some above 6 */
    { .in_count = 0 },
};

static void limits(const void *conf, double *out_low, double *out_high)
{
    (void)conf;
    *out_low = 0;
    *out_high = DT_RELU6_HIGH;
}

const dt_op dt_op_relu6 = {
    .name = "relu6",
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
