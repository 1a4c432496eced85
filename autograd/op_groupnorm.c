/* Group norm (Wu, He 2018, arXiv:1803.08494): y = (x - mean) / sqrt(var + eps) * gamma + beta, with
 * mean and biased variance of a sample's group of channels over all pixels. Kept for backward: mean
 * and 1 / sqrt(var + eps) of each group. Sums are in double, pixel after pixel. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_groupnorm.h"

#include <math.h>

#include "autograd/op.h"

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    const dt_groupnorm_conf *c = conf;
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    if (in[0].rank != 4 || c->groups < 1 || in[0].dim[3] % c->groups)
        return dt_fail(err, DT_ERR_SHAPE, NULL, "input %s has no %d groups of channels",
                       dt_shape_print(&in[0], a), c->groups);
    for (int i = DT_GN_GAMMA; i < in_count; i++)
        if (in[i].rank != 1 || in[i].dim[0] != in[0].dim[3])
            return dt_fail(err, DT_ERR_SHAPE, NULL, "input %s and parameter %s do not fit",
                           dt_shape_print(&in[0], a), dt_shape_print(&in[i], b));
    out[0] = in[0];
    return DT_OK;
}

typedef struct sizes {
    int64_t pixels, C, G, each; /* each: channels of a group */
} sizes;

static sizes sizes_of(const dt_op_run *r)
{
    const dt_shape *x = &r->in_shape[DT_GN_X];
    const dt_groupnorm_conf *c = r->conf;
    return (sizes){ x->dim[1] * x->dim[2], x->dim[3], c->groups, x->dim[3] / c->groups };
}

/* Work of a sample, in double: two numbers a channel, and in backward two more. */
static double *room_of(const dt_op_run *r, int64_t n, int64_t each)
{
    return (double *)r->work + n * each * sizes_of(r).C;
}

/* Mean and inverse deviation of the groups, [G] each, from sums of channels and of squares of what
 * is left without the mean. */
static void statistics(const dt_op_run *r, int64_t n, double *sum, real *mean, real *inverse)
{
    const sizes s = sizes_of(r);
    const real *x = (const real *)r->in[DT_GN_X] + n * s.pixels * s.C;
    const double count = (double)(s.pixels * s.each);
    double eps = ((const dt_groupnorm_conf *)r->conf)->eps, *square = sum + s.C;
    for (int64_t c = 0; c < s.C; c++)
        sum[c] = square[c] = 0;
    for (int64_t p = 0; p < s.pixels; p++)
        for (int64_t c = 0; c < s.C; c++)
            sum[c] += (double)x[p * s.C + c];
    for (int64_t g = 0; g < s.G; g++) {
        double all = 0;
        for (int64_t c = g * s.each; c < (g + 1) * s.each; c++)
            all += sum[c];
        mean[g] = (real)(all / count);
    }
    for (int64_t p = 0; p < s.pixels; p++)
        for (int64_t c = 0; c < s.C; c++) {
            double d = (double)x[p * s.C + c] - (double)mean[c / s.each];
            square[c] += d * d;
        }
    for (int64_t g = 0; g < s.G; g++) {
        double all = 0;
        for (int64_t c = g * s.each; c < (g + 1) * s.each; c++)
            all += square[c];
        inverse[g] = (real)(1 / sqrt(all / count + eps));
    }
}

static void forward_sample(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    const sizes s = sizes_of(r);
    real *mean = (real *)r->saved + n * 2 * s.G, *inverse = mean + s.G;
    const real *x = (const real *)r->in[DT_GN_X] + n * s.pixels * s.C;
    const real *gamma = r->in[DT_GN_GAMMA], *beta = r->in[DT_GN_BETA];
    real *y = (real *)r->out[0] + n * s.pixels * s.C;
    statistics(r, n, room_of(r, n, 2), mean, inverse);
    for (int64_t p = 0; p < s.pixels; p++)
        for (int64_t c = 0; c < s.C; c++) {
            int64_t g = c / s.each;
            y[p * s.C + c] = (x[p * s.C + c] - mean[g]) * inverse[g] * gamma[c] + beta[c];
        }
}

/* With h the normalised x and q = dy gamma: dx = inverse (q - mean(q) - h mean(q h)). The sums over
 * pixels of dy h and dy are the sample's part of the parameters' gradients. */
static void backward_sample(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    const sizes s = sizes_of(r);
    const real *mean = (const real *)r->saved + n * 2 * s.G, *inverse = mean + s.G;
    const real *x = (const real *)r->in[DT_GN_X] + n * s.pixels * s.C, *gamma = r->in[DT_GN_GAMMA];
    const real *dy = r->d_out[0] + n * s.pixels * s.C;
    real *dx = r->d_in[DT_GN_X] ? r->d_in[DT_GN_X] + n * s.pixels * s.C : NULL;
    double *dh = room_of(r, n, 4), *d = dh + s.C, *a = d + s.C, *b = a + s.C;
    for (int64_t c = 0; c < s.C; c++)
        dh[c] = d[c] = a[c] = b[c] = 0;
    for (int64_t p = 0; p < s.pixels; p++)
        for (int64_t c = 0; c < s.C; c++) {
            int64_t i = p * s.C + c, g = c / s.each;
            dh[c] += (double)dy[i] * (double)((x[i] - mean[g]) * inverse[g]);
            d[c] += (double)dy[i];
        }
    for (int64_t c = 0; c < s.C; c++) {
        a[c / s.each] += d[c] * (double)gamma[c];
        b[c / s.each] += dh[c] * (double)gamma[c];
    }
    const double count = (double)(s.pixels * s.each);
    for (int64_t p = 0; dx && p < s.pixels; p++)
        for (int64_t c = 0; c < s.C; c++) {
            int64_t i = p * s.C + c, g = c / s.each;
            real h = (x[i] - mean[g]) * inverse[g];
            real v =
                inverse[g] * (dy[i] * gamma[c] - (real)(a[g] / count) - h * (real)(b[g] / count));
            dx[i] = r->add[DT_GN_X] ? dx[i] + v : v;
        }
}

static void forward(const dt_op_run *r)
{
    dt_op_each(r, r->in_shape[0].dim[0], forward_sample);
}

static void backward(const dt_op_run *r)
{
    const sizes s = sizes_of(r);
    int64_t N = r->in_shape[0].dim[0];
    dt_op_each(r, N, backward_sample);
    for (int k = DT_GN_GAMMA; k < DT_GN_INPUTS; k++)
        for (int64_t c = 0; r->d_in[k] && c < s.C; c++) {
            double sum = 0;
            for (int64_t n = 0; n < N; n++)
                sum += room_of(r, n, 4)[(k - DT_GN_GAMMA) * s.C + c];
            r->d_in[k][c] = (r->add[k] ? r->d_in[k][c] : 0) + (real)sum;
        }
}

static void memory(const dt_op_run *r, dt_op_memory *out)
{
    const sizes s = sizes_of(r);
    size_t N = (size_t)r->in_shape[0].dim[0], C = (size_t)s.C;
    out->saved = N * 2 * (size_t)s.G * sizeof(real);
    out->forward_work = N * 2 * C * sizeof(double);
    out->backward_work = N * 4 * C * sizeof(double);
}

static const dt_groupnorm_conf two = { 2, 1e-5 }, each = { 3, 1e-3 };
static const dt_op_example examples[] = {
    { .in_count = 3, .in = { { 4, { 2, 3, 4, 6 } }, { 1, { 6 } }, { 1, { 6 } } }, .conf = &two },
    { .in_count = 3, .in = { { 4, { 3, 4, 3, 3 } }, { 1, { 3 } }, { 1, { 3 } } }, .conf = &each },
    { .in_count = 0 },
};

const dt_op dt_op_groupnorm = {
    .name = "groupnorm",
    .in_min = DT_GN_INPUTS,
    .in_max = DT_GN_INPUTS,
    .out_count = 1,
    .conf_size = sizeof(dt_groupnorm_conf),
    .grads = 7,
    .reads_in = 1u << DT_GN_X | 1u << DT_GN_GAMMA,
    .accumulates = 7,
    .affine = true,
    .in_float = true,
    .form = "groupnorm",
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
