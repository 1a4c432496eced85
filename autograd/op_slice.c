/* One of equal parts of the last axis: [...,parts * C] -> [...,C]. q, k and v of a joint product.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_slice.h"

#include <string.h>

#include "autograd/op.h"

enum { BLOCK = 64 }; /* rows of a task */

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    const dt_slice_conf *c = conf;
    (void)in_count;
    char a[DT_SHAPE_TEXT];
    int last = in[0].rank - 1;
    if (last < 1 || c->parts < 1 || c->part < 0 || c->part >= c->parts ||
        in[0].dim[last] % c->parts)
        return dt_fail(err, DT_ERR_SHAPE, NULL, "input %s: no part %d of %d of the last dimension",
                       dt_shape_print(&in[0], a), c->part, c->parts);
    out[0] = in[0];
    out[0].dim[last] /= c->parts;
    return DT_OK;
}

typedef struct sizes {
    int64_t rows, C, stride, offset;
} sizes;

static sizes sizes_of(const dt_op_run *r)
{
    const dt_slice_conf *c = r->conf;
    const dt_shape *x = &r->in_shape[0], *y = &r->out_shape[0];
    int64_t C = y->dim[y->rank - 1];
    return (sizes){ dt_shape_count(y) / C, C, x->dim[x->rank - 1], c->part * C };
}

static int64_t block_end(const sizes *s, int64_t i)
{
    return (i + 1) * BLOCK < s->rows ? (i + 1) * BLOCK : s->rows;
}

static void forward_block(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    sizes s = sizes_of(r);
    for (int64_t row = i * BLOCK; row < block_end(&s, i); row++)
        memcpy((real *)r->out[0] + row * s.C, (const real *)r->in[0] + row * s.stride + s.offset,
               (size_t)s.C * sizeof(real));
}

static void backward_block(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    sizes s = sizes_of(r);
    for (int64_t row = i * BLOCK; row < block_end(&s, i); row++) {
        real *dx = r->d_in[0] + row * s.stride;
        if (!r->add[0]) memset(dx, 0, (size_t)s.stride * sizeof *dx);
        for (int64_t j = 0; j < s.C; j++)
            dx[s.offset + j] += r->d_out[0][row * s.C + j];
    }
}

static void in_blocks(const dt_op_run *r, dt_task task)
{
    dt_op_each(r, (sizes_of(r).rows + BLOCK - 1) / BLOCK, task);
}

static void forward(const dt_op_run *r)
{
    in_blocks(r, forward_block);
}

static void backward(const dt_op_run *r)
{
    in_blocks(r, backward_block);
}

static const dt_slice_conf first = { 0, 3 }, last = { 2, 3 };
static const dt_op_example examples[] = {
    { .in_count = 1, .in = { { 3, { 2, 3, 12 } } }, .conf = &first },
    { .in_count = 1, .in = { { 2, { 70, 6 } } }, .conf = &last },
    { .in_count = 0 },
};

static const dt_opt opts[] = {
    DT_OPT_INT(dt_slice_conf, part, 0, 0, 1 << 20, "which of equal parts of the last axis"),
    DT_OPT_INT(dt_slice_conf, parts, 1, 1, 1 << 20, "of the last axis"),
    DT_OPT_END,
};

static void part(const void *conf, int *out_part, int *out_parts)
{
    const dt_slice_conf *c = conf;
    *out_part = c->part;
    *out_parts = c->parts;
}

const dt_op dt_op_slice = {
    .name = "slice",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .opts = opts,
    .conf_size = sizeof(dt_slice_conf),
    .grads = 1,
    .accumulates = 1,
    .sign = DT_SIGN_KEEP,
    .part = part,
    .form = "slice",
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
