/* The loss of a net with several outputs: losses [1], ... -> loss [1], the sum of
 * weight[i] * loss[i], added in the order of the inputs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_loss_sum.h"

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)conf;
    char text[DT_SHAPE_TEXT];
    for (int i = 0; i < in_count; i++)
        if (dt_shape_count(&in[i]) != 1)
            return dt_fail(err, DT_ERR_SHAPE, NULL, "%s is no loss, which is one number",
                           dt_shape_print(&in[i], text));
    out[0] = DT_SHAPE(1);
    return DT_OK;
}

static void forward(const dt_op_run *r)
{
    const dt_loss_sum_conf *c = r->conf;
    double sum = 0;
    for (int i = 0; i < r->in_count; i++)
        sum += c->weight[i] * (double)((const real *)r->in[i])[0];
    ((real *)r->out[0])[0] = (real)sum;
}

static void backward(const dt_op_run *r)
{
    const dt_loss_sum_conf *c = r->conf;
    for (int i = 0; i < r->in_count; i++)
        if (r->d_in[i]) r->d_in[i][0] = (real)((double)r->d_out[0][0] * c->weight[i]);
}

#define ONE                                                                                        \
    {                                                                                              \
        1,                                                                                         \
        {                                                                                          \
            1                                                                                      \
        }                                                                                          \
    }
static const dt_loss_sum_conf some = { { 1, 0.5, 3, 0, 2, 0.25, 1, 4 } };
static const dt_op_example examples[] = {
    { .in_count = 1, .in = { ONE }, .conf = &some },
    { .in_count = 3, .in = { ONE, ONE, ONE }, .conf = &some },
    { .in_count = 8, .in = { ONE, ONE, ONE, ONE, ONE, ONE, ONE, ONE }, .conf = &some },
    { .in_count = 0 },
};

const dt_op dt_op_loss_sum = {
    .name = "loss_sum",
    .in_min = 1,
    .in_max = DT_LOSS_SUM_MOST,
    .out_count = 1,
    .conf_size = sizeof(dt_loss_sum_conf),
    .grads = (1u << DT_LOSS_SUM_MOST) - 1,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
