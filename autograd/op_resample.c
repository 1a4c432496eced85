/* y = x at rows and columns that lie between those of x, by its neighbours: linear between two, or
 * the cubic convolution of four (Keys 1981, eq. 3 and 4, with the slope a in the place of -1/2).
 * Beyond the border there is the pixel at it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_resample.h"

#include <math.h>
#include <string.h>

#include "autograd/op.h"

enum { TAPS = 4 };

/* What a row (or column) of the output is made of: neighbours and their weights. */
typedef struct taps {
    int64_t at[TAPS];
    real weight[TAPS];
    int count;
} taps;

/* Weight of a neighbour at a distance. */
static double cubic(double a, double d)
{
    d = fabs(d);
    if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
    if (d < 2) return a * (((d - 5) * d + 8) * d - 4);
    return 0;
}

static double place_of(int align, int64_t i, int64_t in, int64_t out)
{
    if (align == DT_RESAMPLE_CORNERS)
        return out > 1 ? (double)i * (double)(in - 1) / (double)(out - 1) : 0;
    double step = (double)in / (double)out;
    return align == DT_RESAMPLE_FIRST ? (double)i * step : ((double)i + 0.5) * step - 0.5;
}

static taps taps_of(const dt_resample_conf *c, int64_t i, int64_t in, int64_t out)
{
    double x = place_of(c->align, i, in, out), left = floor(x);
    taps t = { .count = c->cubic ? TAPS : 2 };
    for (int k = 0; k < t.count; k++) {
        int64_t at = (int64_t)left + k - (c->cubic ? 1 : 0);
        double away = x - (double)at;
        t.weight[k] = (real)(c->cubic ? cubic(c->a, away) : 1 - fabs(away));
        t.at[k] = at < 0 ? 0 : at < in ? at : in - 1;
    }
    return t;
}

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    const dt_resample_conf *c = conf;
    char text[DT_SHAPE_TEXT];
    (void)in_count;
    if (in[0].rank != 4 || c->height < 1 || c->width < 1 || c->height > DT_RESAMPLE_MOST ||
        c->width > DT_RESAMPLE_MOST || c->align < 0 || c->align >= DT_RESAMPLE_ALIGNS ||
        !isfinite(c->a))
        return dt_fail(err, DT_ERR_SHAPE, NULL, "input %s: wants 4 dimensions, and 1 to %d pixels",
                       dt_shape_print(&in[0], text), DT_RESAMPLE_MOST);
    out[0] = DT_SHAPE(in[0].dim[0], c->height, c->width, in[0].dim[3]);
    return DT_OK;
}

/* Picture n, forward or (`back`) the gradient, which is added. */
static void sample(const dt_op_run *r, int64_t n, bool back)
{
    const dt_shape *xs = &r->in_shape[0], *ys = &r->out_shape[0];
    const int64_t H = xs->dim[1], W = xs->dim[2], C = xs->dim[3], OH = ys->dim[1], OW = ys->dim[2];
    for (int64_t h = 0; h < OH; h++) {
        const taps row = taps_of(r->conf, h, H, OH);
        for (int64_t w = 0; w < OW; w++) {
            const taps column = taps_of(r->conf, w, W, OW);
            const int64_t to = ((n * OH + h) * OW + w) * C;
            if (!back) memset((real *)r->out[0] + to, 0, (size_t)C * sizeof(real));
            for (int k = 0; k < row.count * column.count; k++) {
                const int i = k / column.count, j = k % column.count;
                const real f = row.weight[i] * column.weight[j];
                const int64_t from = ((n * H + row.at[i]) * W + column.at[j]) * C;
                for (int64_t c = 0; c < C; c++)
                    if (back)
                        r->d_in[0][from + c] += f * r->d_out[0][to + c];
                    else
                        ((real *)r->out[0])[to + c] += f * ((const real *)r->in[0])[from + c];
            }
        }
    }
}

static void forward_sample(void *arg, int64_t n, int thread)
{
    (void)thread;
    sample(arg, n, false);
}

static void backward_sample(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    const int64_t each = dt_shape_count(&r->in_shape[0]) / r->in_shape[0].dim[0];
    if (!r->add[0]) memset(r->d_in[0] + n * each, 0, (size_t)each * sizeof *r->d_in[0]);
    sample(r, n, true);
}

static void forward(const dt_op_run *r)
{
    dt_op_each(r, r->in_shape[0].dim[0], forward_sample);
}

static void backward(const dt_op_run *r)
{
    dt_op_each(r, r->in_shape[0].dim[0], backward_sample);
}

static const dt_resample_conf twice = { 6, 4, DT_RESAMPLE_CENTERS, false, 0 },
                              corners = { 5, 2, DT_RESAMPLE_CORNERS, false, 0 },
                              bent = { 5, 3, DT_RESAMPLE_CENTERS, true, -0.75 },
                              first = { 2, 5, DT_RESAMPLE_FIRST, true, -0.5 };
static const dt_op_example examples[] = {
    { .in_count = 1, .in = { { 4, { 2, 3, 2, 2 } } }, .conf = &twice },
    { .in_count = 1, .in = { { 4, { 2, 3, 4, 1 } } }, .conf = &corners },
    { .in_count = 1, .in = { { 4, { 2, 3, 5, 2 } } }, .conf = &bent },
    { .in_count = 1, .in = { { 4, { 1, 3, 2, 2 } } }, .conf = &first },
    { .in_count = 0 },
};

static const char aligns[] = "centers|corners|first";
static const dt_opt opts[] = {
    DT_OPT_INT(dt_resample_conf, height, 2, 1, DT_RESAMPLE_MOST, "rows"),
    DT_OPT_INT(dt_resample_conf, width, 2, 1, DT_RESAMPLE_MOST, "columns"),
    DT_OPT_ENUM(dt_resample_conf, align, 0, aligns,
                "what of both pictures lies on each other: centers of pixels' squares, the "
                "outermost pixels, or the first ones"),
    DT_OPT_BOOL(dt_resample_conf, cubic, false, "of four neighbours each way, not of two"),
    DT_OPT_FLOAT(dt_resample_conf, a, -0.75, -4, 4, "the slope of the cubic"),
    DT_OPT_END,
};

const dt_op dt_op_resample = {
    .name = "resample",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .opts = opts,
    .conf_size = sizeof(dt_resample_conf),
    .grads = 1,
    .accumulates = 1,
    .in_float = true,
    .form = "resample",
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
