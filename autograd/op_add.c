/* y = a + b, equal shapes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/op.h"

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)conf;
    (void)in_count;
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    if (!dt_shape_equal(&in[0], &in[1]))
        return dt_fail(err, DT_ERR_SHAPE, NULL, "inputs %s and %s differ",
                       dt_shape_print(&in[0], a), dt_shape_print(&in[1], b));
    out[0] = in[0];
    return DT_OK;
}

static void forward(const dt_op_run *r)
{
    r->kernels->point.add(r->threads, dt_shape_count(r->in_shape), r->in[0], r->in[1], r->out[0]);
}

static void backward(const dt_op_run *r)
{
    int64_t n = dt_shape_count(r->in_shape);
    for (int i = 1; i >= 0; i--) { /* input 0 last: its gradient may lie where dy does */
        real *d = r->d_in[i];
        if (!d) continue;
        if (r->add[i])
            r->kernels->point.add(r->threads, n, d, r->d_out[0], d);
        else if (d != r->d_out[0])
            memcpy(d, r->d_out[0], (size_t)n * sizeof *d);
    }
}

static const dt_op_example examples[] = {
    { .in_count = 2, .in = { { 2, { 2, 3 } }, { 2, { 2, 3 } } } },
    { .in_count = 0 },
};

const dt_op dt_op_add = {
    .name = "add",
    .in_min = 2,
    .in_max = 2,
    .out_count = 1,
    .grads = 3,
    .accumulates = 3,
    .inplace = true,
    .grad_inplace = true,
    .sign = DT_SIGN_KEEP,
    .sum = true,
    .form = "add",
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
