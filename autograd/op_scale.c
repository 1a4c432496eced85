/* scale: y = x w; shift: y = x + w. A parameter for each element of the last axes of x: [C] is one
 * for each channel (the scale of a layer, Touvron et al. 2021, arXiv:2103.17239), [T,C] one for
 * each place (positions of tokens), [1] one for all. The first of several axes may be a part of x's, over
 * which it is repeated (heads of every window). Axes of 1 in front of it say nothing. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op.h"

enum { ELEMENTS = 4096 }; /* of a block, or one row where rows are longer */

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)conf;
    (void)in_count;
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    int rank = in[1].rank;
    while (rank > 1 && in[1].dim[in[1].rank - rank] == 1)
        rank--;
    bool fits = rank < in[0].rank;
    for (int i = 1; fits && dt_shape_count(&in[1]) > 1 && i <= rank; i++) {
        int64_t w = in[1].dim[in[1].rank - i], x = in[0].dim[in[0].rank - i];
        fits = i > 1 && i == rank ? x % w == 0 : x == w;
    }
    if (!fits)
        return dt_fail(err, DT_ERR_SHAPE, NULL, "parameter %s is none of the last axes of %s",
                       dt_shape_print(&in[1], b), dt_shape_print(&in[0], a));
    out[0] = in[0];
    return DT_OK;
}

/* x as rows of the last axes that have a parameter each; of the last axis where there is one. */
typedef struct rows {
    int64_t count, length, block; /* rows of a block */
    bool one;
} rows;

static rows rows_of(const dt_op_run *r)
{
    const dt_shape *x = &r->in_shape[0];
    int64_t all = dt_shape_count(x), w = dt_shape_count(&r->in_shape[1]);
    rows s = { .one = w == 1, .length = w == 1 ? x->dim[x->rank - 1] : w };
    s.count = all / s.length;
    s.block = s.length < ELEMENTS ? ELEMENTS / s.length : 1;
    return s;
}

static int64_t blocks_of(const rows *s)
{
    return (s->count + s->block - 1) / s->block;
}

static int64_t end_of(const rows *s, int64_t i)
{
    return (i + 1) * s->block < s->count ? (i + 1) * s->block : s->count;
}

static void scale_block(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    const rows s = rows_of(r);
    const real *x = r->in[0], *w = r->in[1];
    real *y = r->out[0];
    for (int64_t row = i * s.block; row < end_of(&s, i); row++)
        for (int64_t c = 0; c < s.length; c++)
            y[row * s.length + c] = x[row * s.length + c] * w[s.one ? 0 : c];
}

static void shift_block(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    const rows s = rows_of(r);
    const real *x = r->in[0], *w = r->in[1];
    real *y = r->out[0];
    for (int64_t row = i * s.block; row < end_of(&s, i); row++)
        for (int64_t c = 0; c < s.length; c++)
            y[row * s.length + c] = x[row * s.length + c] + w[s.one ? 0 : c];
}

static void scale_forward(const dt_op_run *r)
{
    const rows s = rows_of(r);
    dt_op_each(r, blocks_of(&s), scale_block);
}

static void shift_forward(const dt_op_run *r)
{
    const rows s = rows_of(r);
    dt_op_each(r, blocks_of(&s), shift_block);
}

/* A block's part of the parameter's gradient goes to work [blocks][length], in double; x NULL: of
 * a shift. */
static void backward_block(const dt_op_run *r, int64_t i, const real *x, const real *w)
{
    const rows s = rows_of(r);
    double *part = (double *)r->work + i * s.length;
    real *d = r->d_in[0];
    for (int64_t c = 0; c < s.length; c++)
        part[c] = 0;
    for (int64_t row = i * s.block; row < end_of(&s, i); row++)
        for (int64_t c = 0; c < s.length; c++) {
            int64_t k = row * s.length + c;
            real g = r->d_out[0][k], dx = x ? g * w[s.one ? 0 : c] : g;
            part[c] += x ? (double)g * (double)x[k] : (double)g;
            if (d) d[k] = r->add[0] ? d[k] + dx : dx;
        }
}

static void scale_back(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    backward_block(r, i, r->in[0], r->in[1]);
}

static void shift_back(void *arg, int64_t i, int thread)
{
    (void)thread;
    backward_block(arg, i, NULL, NULL);
}

static void scale_backward(const dt_op_run *r)
{
    const rows s = rows_of(r);
    dt_op_each(r, blocks_of(&s), scale_back);
    dt_op_join_parts(r, blocks_of(&s), s.length, s.one);
}

static void shift_backward(const dt_op_run *r)
{
    const rows s = rows_of(r);
    dt_op_each(r, blocks_of(&s), shift_back);
    dt_op_join_parts(r, blocks_of(&s), s.length, s.one);
}

static void memory(const dt_op_run *r, dt_op_memory *out)
{
    const rows s = rows_of(r);
    out->backward_work = (size_t)(blocks_of(&s) * s.length) * sizeof(double);
}

static const dt_op_example examples[] = {
    { .in_count = 2, .in = { { 4, { 2, 6, 7, 3 } }, { 1, { 3 } } } },
    { .in_count = 2, .in = { { 3, { 3, 4, 5 } }, { 2, { 4, 5 } } } },
    { .in_count = 2, .in = { { 2, { 5, 4 } }, { 1, { 1 } } } },
    { .in_count = 0 },
};

const dt_op dt_op_scale = {
    .name = "scale",
    .in_min = 2,
    .in_max = 2,
    .out_count = 1,
    .grads = 3,
    .reads_in = 3,
    .accumulates = 3,
    .on_grids = 1,
    .onnx_pair = "Mul",
    .form = "channels",
    .infer = infer,
    .memory = memory,
    .forward = scale_forward,
    .backward = scale_backward,
    .examples = examples,
};

const dt_op dt_op_shift = {
    .name = "shift",
    .in_min = 2,
    .in_max = 2,
    .out_count = 1,
    .grads = 3,
    .accumulates = 3,
    .on_grids = 1,
    .onnx_pair = "Add",
    .form = "channels",
    .infer = infer,
    .memory = memory,
    .forward = shift_forward,
    .backward = shift_backward,
    .examples = examples,
};
