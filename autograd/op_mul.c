/* y = a * b; one of them may have 1 where the other has rows or columns, and [N,C] is [N,1,1,C]: a
 * factor for each channel, as of squeeze and excitation (Hu et al. 2017, arXiv:1709.01507). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op.h"

/* [N,H,W,C] of a shape of rank 2 to 4. */
typedef struct dims {
    int64_t N, H, W, C;
} dims;

static dims dims_of(const dt_shape *s)
{
    const int64_t *d = s->dim;
    int64_t C = d[s->rank - 1];
    return s->rank == 4   ? (dims){ d[0], d[1], d[2], C }
           : s->rank == 3 ? (dims){ d[0], 1, d[1], C }
                          : (dims){ d[0], 1, 1, C };
}

static bool fits(int64_t a, int64_t b)
{
    return a == b || a == 1 || b == 1;
}

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)conf;
    (void)in_count;
    char ta[DT_SHAPE_TEXT], tb[DT_SHAPE_TEXT];
    bool ranks = in[0].rank >= 2 && in[0].rank <= 4 && in[1].rank >= 2 && in[1].rank <= 4;
    dims a = ranks ? dims_of(&in[0]) : (dims){ 0 }, b = ranks ? dims_of(&in[1]) : (dims){ 0 };
    int64_t first = dt_shape_count(&in[0]), second = dt_shape_count(&in[1]);
    bool whole =
        first > second || (first == second && in[0].rank >= in[1].rank); /* a pixel stays one */
    const dims *most = whole ? &a : &b, *least = whole ? &b : &a;
    bool covers = most->H >= least->H && most->W >= least->W;
    if (!ranks || a.N != b.N || a.C != b.C || !fits(a.H, b.H) || !fits(a.W, b.W) || !covers)
        return dt_fail(err, DT_ERR_SHAPE, NULL, "inputs %s and %s are no factors of each other",
                       dt_shape_print(&in[0], ta), dt_shape_print(&in[1], tb));
    out[0] = whole ? in[0] : in[1];
    return DT_OK;
}

/* Element of an input that belongs to pixel (h, w) of picture n. */
static int64_t at(const dims *d, int64_t n, int64_t h, int64_t w)
{
    return ((n * d->H + (d->H > 1 ? h : 0)) * d->W + (d->W > 1 ? w : 0)) * d->C;
}

static void forward_picture(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    dims a = dims_of(&r->in_shape[0]), b = dims_of(&r->in_shape[1]), y = dims_of(&r->out_shape[0]);
    for (int64_t h = 0; h < y.H; h++)
        for (int64_t w = 0; w < y.W; w++) {
            const real *p = (const real *)r->in[0] + at(&a, n, h, w);
            const real *q = (const real *)r->in[1] + at(&b, n, h, w);
            real *z = (real *)r->out[0] + at(&y, n, h, w);
            for (int64_t c = 0; c < y.C; c++)
                z[c] = p[c] * q[c];
        }
}

/* d of input k: dy times the other, added up over what was repeated, in the order of pixels. */
static void backward_input(const dt_op_run *r, int k, int64_t n)
{
    dims x = dims_of(&r->in_shape[k]), o = dims_of(&r->in_shape[1 - k]);
    dims y = dims_of(&r->out_shape[0]);
    real *d = r->d_in[k];
    bool repeated = x.H != y.H || x.W != y.W;
    int64_t first = n * x.H * x.W * x.C, count = x.H * x.W * x.C;
    for (int64_t i = first; repeated && !r->add[k] && i < first + count; i++)
        d[i] = 0;
    bool add = repeated || r->add[k];
    for (int64_t h = 0; h < y.H; h++)
        for (int64_t w = 0; w < y.W; w++) {
            const real *g = r->d_out[0] + at(&y, n, h, w);
            const real *q = (const real *)r->in[1 - k] + at(&o, n, h, w);
            real *to = d + at(&x, n, h, w);
            for (int64_t c = 0; c < y.C; c++)
                to[c] = (add ? to[c] : 0) + g[c] * q[c];
        }
}

static void backward_picture(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    for (int k = 0; k < 2; k++)
        if (r->d_in[k]) backward_input(r, k, n);
}

static void forward(const dt_op_run *r)
{
    dt_op_each(r, r->out_shape[0].dim[0], forward_picture);
}

static void backward(const dt_op_run *r)
{
    dt_op_each(r, r->out_shape[0].dim[0], backward_picture);
}

static const dt_op_example examples[] = {
    { .in_count = 2, .in = { { 4, { 2, 3, 4, 5 } }, { 4, { 2, 3, 4, 5 } } } },
    { .in_count = 2, .in = { { 4, { 2, 3, 4, 5 } }, { 4, { 2, 1, 1, 5 } } } },
    { .in_count = 2, .in = { { 2, { 3, 5 } }, { 4, { 3, 2, 3, 5 } } } },
    { .in_count = 2, .in = { { 4, { 2, 3, 4, 5 } }, { 4, { 2, 3, 1, 5 } } } },
    { .in_count = 2, .in = { { 2, { 3, 5 } }, { 4, { 3, 1, 1, 5 } } } },
    { .in_count = 0 },
};

const dt_op dt_op_mul = {
    .name = "mul",
    .in_min = 2,
    .in_max = 2,
    .out_count = 1,
    .grads = 3,
    .reads_in = 3,
    .accumulates = 3,
    .sign = DT_SIGN_KEEP,
    .on_grids = 3,
    .form = "mul",
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
