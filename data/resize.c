/* Separable resampling in fixed point. Rows of the input are resized once each, into a ring that
 * holds as many as one output row needs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/resize.h"

#include <math.h>

enum { BITS = 22, HALF = 1 << (BITS - 1) };

static double bilinear(double t)
{
    t = fabs(t);
    return t < 1 ? 1 - t : 0;
}

static double bicubic(double t)
{
    const double a = -0.5;
    t = fabs(t);
    if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
    return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0;
}

typedef struct curve {
    double (*at)(double t);
    double support; /* at(t) is 0 beyond */
} curve;

static const curve curves[] = {
    [DT_FILTER_BILINEAR] = { bilinear, 1 },
    [DT_FILTER_BICUBIC] = { bicubic, 2 },
};

/* One direction. */
typedef struct axis {
    const curve *f;
    int64_t in, out;
    double scale, support;
    int64_t taps; /* at most, of an output pixel */
} axis;

static axis axis_of(const curve *f, int64_t in, int64_t out)
{
    axis a = { .f = f, .in = in, .out = out, .scale = (double)in / (double)out };
    a.support = f->support * (a.scale > 1 ? a.scale : 1);
    a.taps = (int64_t)ceil(a.support) * 2 + 1;
    return a;
}

/* Weights of output pixel i, into k[taps]; returns their number, `out_first` is the first pixel. */
static int64_t weigh(const axis *a, int64_t i, int64_t *out_first, double *k, int32_t *out_k)
{
    double centre = ((double)i + 0.5) * a->scale, wide = a->scale > 1 ? a->scale : 1, sum = 0;
    int64_t first = (int64_t)(centre - a->support + 0.5),
            end = (int64_t)(centre + a->support + 0.5);
    if (centre - a->support + 0.5 < 0) first = 0;
    if (end > a->in) end = a->in;
    int64_t n = end - first;
    for (int64_t x = 0; x < n; x++) {
        k[x] = a->f->at(((double)(x + first) - centre + 0.5) * (1 / wide));
        sum += k[x];
    }
    for (int64_t x = 0; x < n; x++) {
        double v = (sum != 0 ? k[x] / sum : k[x]) * (1 << BITS);
        out_k[x] = (int32_t)(v < 0 ? v - 0.5 : v + 0.5);
    }
    *out_first = first;
    return n;
}

static uint8_t to_byte(int32_t sum)
{
    sum >>= BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* The tables and rows of one call, in s->work. */
typedef struct work {
    double *k;        /* [taps of either axis] */
    int32_t *x_k;     /* [W,taps] */
    int32_t *x_first; /* [W] */
    int32_t *x_count; /* [W] */
    int32_t *y_k;     /* [taps] */
    int32_t *sum;     /* [3 W] */
    uint8_t *ring;    /* [taps of y, 3 W] */
} work;

static size_t round_up(size_t n)
{
    return (n + 63) / 64 * 64;
}

static dt_status get_work(dt_bytes *memory, const axis *x, const axis *y, work *w, dt_error *err)
{
    size_t W = (size_t)x->out, most = (size_t)(x->taps > y->taps ? x->taps : y->taps);
    size_t k = round_up(most * sizeof *w->k), x_k = round_up(W * (size_t)x->taps * sizeof *w->x_k);
    size_t row = round_up(W * sizeof *w->x_first), y_k = round_up((size_t)y->taps * sizeof *w->y_k);
    size_t sum = round_up(3 * W * sizeof *w->sum);
    DT_TRY(dt_bytes_want(memory, k + x_k + 2 * row + y_k + sum + 3 * W * (size_t)y->taps, err));
    unsigned char *at = memory->data; /* each part starts at a multiple of 64 bytes */
    w->k = (double *)(void *)at;
    w->x_k = (int32_t *)(void *)(at += k);
    w->x_first = (int32_t *)(void *)(at += x_k);
    w->x_count = (int32_t *)(void *)(at += row);
    w->y_k = (int32_t *)(void *)(at += row);
    w->sum = (int32_t *)(void *)(at += y_k);
    w->ring = at + sum;
    return DT_OK;
}

static void fill_x(const axis *x, work *w)
{
    for (int64_t i = 0; i < x->out; i++) {
        int64_t first;
        w->x_count[i] = (int32_t)weigh(x, i, &first, w->k, w->x_k + i * x->taps);
        w->x_first[i] = (int32_t)first;
    }
}

static void resize_row(const axis *x, const work *w, const uint8_t *in, uint8_t *out)
{
    for (int64_t i = 0; i < x->out; i++) {
        const uint8_t *p = in + 3 * w->x_first[i];
        const int32_t *k = w->x_k + i * x->taps;
        int32_t r = HALF, g = HALF, b = HALF;
        for (int32_t n = w->x_count[i]; n > 0; n--, p += 3, k++) {
            r += p[0] * *k;
            g += p[1] * *k;
            b += p[2] * *k;
        }
        out[3 * i] = to_byte(r);
        out[3 * i + 1] = to_byte(g);
        out[3 * i + 2] = to_byte(b);
    }
}

static void add_row(int64_t n, const uint8_t *restrict row, int32_t k, int32_t *restrict sum)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] += row[i] * k;
}

static void resize_all(const dt_picture *in, const dt_box *from, const axis *x, const axis *y,
                       work *w, uint8_t *out)
{
    int64_t n = 3 * x->out, done = 0; /* rows before `done` are in the ring, or were */
    fill_x(x, w);
    for (int64_t i = 0; i < y->out; i++, out += n) {
        int64_t first, count = weigh(y, i, &first, w->k, w->y_k);
        for (done = done > first ? done : first; done < first + count; done++)
            resize_row(x, w, in->rgb.data + 3 * ((from->y + done) * in->W + from->x),
                       w->ring + done % y->taps * n);
        for (int64_t j = 0; j < n; j++)
            w->sum[j] = HALF;
        for (int64_t r = 0; r < count; r++)
            add_row(n, w->ring + (first + r) % y->taps * n, w->y_k[r], w->sum);
        for (int64_t j = 0; j < n; j++)
            out[j] = to_byte(w->sum[j]);
    }
}

dt_status dt_resize(dt_sample *s, const dt_box *from, int64_t H, int64_t W, dt_filter filter,
                    dt_error *err)
{
    const axis x = axis_of(&curves[filter], from->W, W), y = axis_of(&curves[filter], from->H, H);
    work w;
    DT_TRY(dt_picture_shape(&s->spare, H, W, err));
    DT_TRY(get_work(&s->work, &x, &y, &w, err));
    resize_all(&s->picture, from, &x, &y, &w, s->spare.rgb.data);
    dt_sample_swap(s);
    return DT_OK;
}

void dt_resize_shorter(int64_t H, int64_t W, int64_t side, int64_t *out_H, int64_t *out_W)
{
    int64_t shorter = H < W ? H : W, longer = H < W ? W : H;
    int64_t other = side * longer / shorter;
    *out_H = H <= W ? side : other;
    *out_W = W < H ? side : H == W ? side : other;
}
