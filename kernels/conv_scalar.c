/* Convolution, scalar tier: the specification of conv.h in plain loops. Every output element is one
 * task's, so results do not depend on the number of threads; no scratch memory is needed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/thread.h"
#include "kernels/conv.h"

typedef struct job {
    const dt_conv_shape *s;
    const real *x, *w, *dy;
    const dt_conv_input *input; /* of the weight gradient */
    real *out;
    int accumulate;
} job;

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* First and one-past-last tap k of [0,K), `step` pixels apart, that reads inside [0,size) from
 * position `at`. */
static void clip_taps(int64_t at, int64_t K, int64_t step, int64_t size, int64_t *k0, int64_t *k1)
{
    *k0 = at < 0 ? (step - 1 - at) / step : 0;
    *k1 = at < size ? min64(K, (size - at + step - 1) / step) : 0;
}

static real forward_at(const job *j, int64_t n, int64_t oh, int64_t ow, int64_t o)
{
    const dt_conv_shape *s = j->s;
    int64_t I = s->C / s->G, g = o / (s->O / s->G);
    int64_t h = oh * s->SH - s->PH, w = ow * s->SW - s->PW, kh0, kh1, kw0, kw1;
    clip_taps(h, s->KH, s->DH + 1, s->H, &kh0, &kh1);
    clip_taps(w, s->KW, s->DW + 1, s->W, &kw0, &kw1);
    real sum = 0;
    for (int64_t kh = kh0; kh < kh1; kh++)
        for (int64_t kw = kw0; kw < kw1; kw++) {
            int64_t at = (n * s->H + h + kh * (s->DH + 1)) * s->W + w + kw * (s->DW + 1);
            const real *x = j->x + at * s->C + g * I;
            const real *f = j->w + ((o * s->KH + kh) * s->KW + kw) * I;
            for (int64_t i = 0; i < I; i++)
                sum += x[i] * f[i];
        }
    return sum;
}

static void forward_row(void *arg, int64_t task, int thread)
{
    (void)thread;
    const job *j = arg;
    const dt_conv_shape *s = j->s;
    int64_t n = task / s->OH, oh = task % s->OH;
    real *y = j->out + task * s->OW * s->O;
    for (int64_t ow = 0; ow < s->OW; ow++)
        for (int64_t o = 0; o < s->O; o++)
            *y++ = forward_at(j, n, oh, ow, o);
}

/* Adds what row `oh` of dy sends through tap row `kh` to a row of dx. */
static void dgrad_tap_row(const job *j, int64_t n, int64_t oh, int64_t kh, real *dx)
{
    const dt_conv_shape *s = j->s;
    int64_t I = s->C / s->G, M = s->O / s->G;
    for (int64_t ow = 0; ow < s->OW; ow++) {
        const real *dy = j->dy + ((n * s->OH + oh) * s->OW + ow) * s->O;
        int64_t w = ow * s->SW - s->PW, kw0, kw1;
        clip_taps(w, s->KW, s->DW + 1, s->W, &kw0, &kw1);
        for (int64_t kw = kw0; kw < kw1; kw++)
            for (int64_t o = 0; o < s->O; o++) {
                const real *f = j->w + ((o * s->KH + kh) * s->KW + kw) * I;
                real *d = dx + (w + kw * (s->DW + 1)) * s->C + o / M * I;
                for (int64_t i = 0; i < I; i++)
                    d[i] += dy[o] * f[i];
            }
    }
}

static void dgrad_row(void *arg, int64_t task, int thread)
{
    (void)thread;
    const job *j = arg;
    const dt_conv_shape *s = j->s;
    int64_t n = task / s->H, h = task % s->H;
    real *dx = j->out + task * s->W * s->C;
    if (!j->accumulate)
        for (int64_t i = 0; i < s->W * s->C; i++)
            dx[i] = 0;
    for (int64_t kh = 0; kh < s->KH; kh++) {
        int64_t at =
            h + s->PH - kh * (s->DH + 1); /* = oh * SH when an output row reads h through kh */
        if (at < 0 || at % s->SH || at / s->SH >= s->OH) continue;
        dgrad_tap_row(j, n, at / s->SH, kh, dx);
    }
}

static real input_at(const dt_conv_input *x, int64_t i)
{
    return x->x ? x->x[i] : (real)(x->codes[i] - x->zero_point) * x->scale;
}

/* One element of dw; sums by row and picture keep the rounding error small. */
static real wgrad_at(const job *j, int64_t o, int64_t kh, int64_t kw, int64_t i)
{
    const dt_conv_shape *s = j->s;
    int64_t channel = o / (s->O / s->G) * (s->C / s->G) + i;
    real sum = 0;
    for (int64_t n = 0; n < s->N; n++) {
        real picture = 0;
        for (int64_t oh = 0; oh < s->OH; oh++) {
            int64_t h = oh * s->SH - s->PH + kh * (s->DH + 1);
            if (h < 0 || h >= s->H) continue;
            int64_t x = (n * s->H + h) * s->W * s->C + channel;
            const real *dy = j->dy + (n * s->OH + oh) * s->OW * s->O + o;
            real row = 0;
            for (int64_t ow = 0; ow < s->OW; ow++) {
                int64_t w = ow * s->SW - s->PW + kw * (s->DW + 1);
                if (w >= 0 && w < s->W) row += input_at(j->input, x + w * s->C) * dy[ow * s->O];
            }
            picture += row;
        }
        sum += picture;
    }
    return sum;
}

static void wgrad_filter(void *arg, int64_t o, int thread)
{
    (void)thread;
    const job *j = arg;
    const dt_conv_shape *s = j->s;
    int64_t I = s->C / s->G;
    real *dw = j->out + o * s->KH * s->KW * I;
    for (int64_t kh = 0; kh < s->KH; kh++)
        for (int64_t kw = 0; kw < s->KW; kw++)
            for (int64_t i = 0; i < I; i++)
                *dw++ = wgrad_at(j, o, kh, kw, i);
}

static size_t workspace(const dt_conv_shape *s, dt_conv_pass pass, int threads)
{
    (void)s, (void)pass, (void)threads;
    return 0;
}

static void forward(const dt_conv_shape *s, const real *x, const real *w, real *y, void *scratch,
                    int threads)
{
    (void)scratch;
    job j = { .s = s, .x = x, .w = w, .out = y };
    dt_parallel(threads, s->N * s->OH, forward_row, &j);
}

static void dgrad(const dt_conv_shape *s, const real *dy, const real *w, real *dx, int accumulate,
                  void *scratch, int threads)
{
    (void)scratch;
    job j = { .s = s, .dy = dy, .w = w, .out = dx, .accumulate = accumulate };
    dt_parallel(threads, s->N * s->H, dgrad_row, &j);
}

static void wgrad(const dt_conv_shape *s, const dt_conv_input *x, const real *dy, real *dw,
                  void *scratch, int threads)
{
    (void)scratch;
    job j = { .s = s, .input = x, .dy = dy, .out = dw };
    dt_parallel(threads, s->O, wgrad_filter, &j);
}

static void backward(const dt_conv_back *b, void *scratch, int threads)
{
    const dt_conv_kernels k = { .dgrad = dgrad, .wgrad = wgrad };
    dt_conv_back_apart(&k, b, scratch, threads);
}

void dt_conv_scalar(dt_conv_kernels *k)
{
    *k = (dt_conv_kernels){ .workspace = workspace,
                            .forward = forward,
                            .dgrad = dgrad,
                            .wgrad = wgrad,
                            .backward = backward };
}
