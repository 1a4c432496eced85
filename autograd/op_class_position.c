/* What is added to the tokens: the position embedding, with the class token in row 0, where no
 * patch is: token [1,1,C] or [C], position [1,T,C] -> [1,T,C]. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/op.h"

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)conf;
    (void)in_count;
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    bool fit = in[1].rank == 3 && in[1].dim[0] == 1 && dt_shape_count(&in[0]) == in[1].dim[2] &&
               in[0].dim[in[0].rank - 1] == in[1].dim[2];
    if (!fit)
        return dt_fail(err, DT_ERR_SHAPE, NULL, "class token %s and positions %s do not fit",
                       dt_shape_print(&in[0], a), dt_shape_print(&in[1], b));
    out[0] = in[1];
    return DT_OK;
}

static void forward(const dt_op_run *r)
{
    int64_t C = r->in_shape[1].dim[2];
    const real *token = r->in[0];
    real *y = r->out[0];
    memcpy(y, r->in[1], (size_t)dt_shape_count(&r->in_shape[1]) * sizeof *y);
    for (int64_t j = 0; j < C; j++)
        y[j] += token[j];
}

static void backward(const dt_op_run *r)
{
    size_t C = (size_t)r->in_shape[1].dim[2], n = (size_t)dt_shape_count(&r->in_shape[1]);
    if (r->d_in[0]) memcpy(r->d_in[0], r->d_out[0], C * sizeof(real));
    if (r->d_in[1]) memcpy(r->d_in[1], r->d_out[0], n * sizeof(real));
}

static const dt_op_example examples[] = {
    { .in_count = 2, .in = { { 3, { 1, 1, 5 } }, { 3, { 1, 4, 5 } } } },
    { .in_count = 2, .in = { { 1, { 5 } }, { 3, { 1, 2, 5 } } } },
    { .in_count = 0 },
};

const dt_op dt_op_class_position = {
    .name = "class_position",
    .in_min = 2,
    .in_max = 2,
    .out_count = 1,
    .grads = 3,
    .form = "class_position",
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
