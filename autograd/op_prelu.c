/* Parametric ReLU (He et al. 2015, arXiv:1502.01852): y = x where x > 0, slope[c] x elsewhere; a
 * learned slope for each channel, or one for all. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op.h"

enum { ROWS = 64 }; /* of a block */

static int64_t channels_of(const dt_shape *s)
{
    return s->dim[s->rank - 1];
}

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)conf;
    (void)in_count;
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    int64_t n = dt_shape_count(&in[1]);
    if (in[1].rank != 1 || (n != 1 && n != channels_of(&in[0])))
        return dt_fail(err, DT_ERR_SHAPE, NULL, "slopes %s are neither one nor one a channel of %s",
                       dt_shape_print(&in[1], b), dt_shape_print(&in[0], a));
    out[0] = in[0];
    return DT_OK;
}

static int64_t blocks_of(const dt_op_run *r)
{
    int64_t rows = dt_shape_count(&r->in_shape[0]) / channels_of(&r->in_shape[0]);
    return (rows + ROWS - 1) / ROWS;
}

static int64_t rows_of(const dt_op_run *r, int64_t i)
{
    int64_t rows = dt_shape_count(&r->in_shape[0]) / channels_of(&r->in_shape[0]) - i * ROWS;
    return rows < ROWS ? rows : ROWS;
}

static void forward_block(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    int64_t C = channels_of(&r->in_shape[0]), each = dt_shape_count(&r->in_shape[1]) > 1;
    const real *x = (const real *)r->in[0] + i * ROWS * C, *slope = r->in[1];
    real *y = (real *)r->out[0] + i * ROWS * C;
    for (int64_t row = 0; row < rows_of(r, i); row++, x += C, y += C)
        for (int64_t c = 0; c < C; c++)
            y[c] = x[c] > 0 ? x[c] : slope[each * c] * x[c];
}

static void forward(const dt_op_run *r)
{
    dt_op_each(r, blocks_of(r), forward_block);
}

/* A block's part of the slopes' gradients goes to work [blocks][C], in double. */
static void backward_block(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    int64_t C = channels_of(&r->in_shape[0]), each = dt_shape_count(&r->in_shape[1]) > 1;
    const real *x = (const real *)r->in[0] + i * ROWS * C, *slope = r->in[1];
    const real *g = r->d_out[0] + i * ROWS * C;
    double *part = (double *)r->work + i * C;
    for (int64_t c = 0; c < C; c++)
        part[c] = 0;
    for (int64_t row = 0; row < rows_of(r, i); row++, x += C, g += C)
        for (int64_t c = 0; c < C; c++) {
            real *d = r->d_in[0] ? r->d_in[0] + (i * ROWS + row) * C + c : NULL;
            if (x[c] <= 0) part[c] += (double)g[c] * (double)x[c];
            real dx = x[c] > 0 ? g[c] : slope[each * c] * g[c];
            if (d) *d = r->add[0] ? *d + dx : dx;
        }
}

static void backward(const dt_op_run *r)
{
    int64_t blocks = blocks_of(r);
    dt_op_each(r, blocks, backward_block);
    dt_op_join_parts(r, blocks, channels_of(&r->in_shape[0]), dt_shape_count(&r->in_shape[1]) == 1);
}

static void memory(const dt_op_run *r, dt_op_memory *out)
{
    out->backward_work = (size_t)(blocks_of(r) * channels_of(&r->in_shape[0])) * sizeof(double);
}

static const dt_op_example examples[] = {
    { .in_count = 2, .in = { { 4, { 2, 6, 7, 3 } }, { 1, { 3 } } } },
    { .in_count = 2, .in = { { 2, { 5, 4 } }, { 1, { 1 } } } },
    { .in_count = 0 },
};

const dt_op dt_op_prelu = {
    .name = "prelu",
    .in_min = 2,
    .in_max = 2,
    .out_count = 1,
    .grads = 3,
    .reads_in = 3,
    .accumulates = 3,
    .grad_kind = DT_GRAD_KINK,
    .on_grids = 1,
    .onnx_pair = "PRelu",
    .form = "channels",
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
