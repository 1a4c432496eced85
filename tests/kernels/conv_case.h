/* A convolution with random operands and guarded outputs, for the tests of conv.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_KERNELS_CONV_CASE_H
#define DT_TESTS_KERNELS_CONV_CASE_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/rng.h"
#include "kernels/conv.h"

enum { GUARD = 64 }; /* elements on both sides of an output */
enum { CODES_ZERO = 3 };
static const real CODES_SCALE = (real)0.1;

typedef struct conv_case {
    dt_conv_shape s;
    size_t x_count, w_count, y_count;
    real *x, *w, *dy;
    uint8_t *codes; /* NULL, or what x is decoded from */
} conv_case;

static inline dt_conv_shape conv_shape(int64_t N, int64_t H, int64_t W, int64_t C, int64_t O,
                                       int64_t KH, int64_t KW, int64_t S, int64_t P, int64_t G)
{
    return (dt_conv_shape){ .N = N,
                            .H = H,
                            .W = W,
                            .C = C,
                            .O = O,
                            .KH = KH,
                            .KW = KW,
                            .SH = S,
                            .SW = S,
                            .PH = P,
                            .PW = P,
                            .G = G,
                            .OH = (H + 2 * P - KH) / S + 1,
                            .OW = (W + 2 * P - KW) / S + 1 };
}

/* The same with other zeros below and right than above and left. */
static inline dt_conv_shape conv_sided(dt_conv_shape s, int64_t below, int64_t right)
{
    s.OH = (s.H + s.PH + below - dt_conv_reach(s.KH, s.DH)) / s.SH + 1;
    s.OW = (s.W + s.PW + right - dt_conv_reach(s.KW, s.DW)) / s.SW + 1;
    return s;
}

/* The same with pixels left out between taps. */
static inline dt_conv_shape conv_dilated(dt_conv_shape s, int64_t DH, int64_t DW)
{
    s.DH = DH, s.DW = DW;
    return conv_sided(s, s.PH, s.PW);
}

static inline const char *conv_print(const dt_conv_shape *s, char *text, size_t size)
{
    snprintf(text, size,
             "N%d %dx%dx%d -> %dx%dx%d kernel %dx%d stride %dx%d pad %dx%d groups %d "
             "dilation %dx%d",
             (int)s->N, (int)s->H, (int)s->W, (int)s->C, (int)s->OH, (int)s->OW, (int)s->O,
             (int)s->KH, (int)s->KW, (int)s->SH, (int)s->SW, (int)s->PH, (int)s->PW, (int)s->G,
             (int)s->DH + 1, (int)s->DW + 1);
    return text;
}

static inline real *random_array(size_t count, uint32_t stream)
{
    real *a = dt_get_array(NULL, count, sizeof *a, "test");
    dt_rng rng;
    dt_rng_open(&rng, 1, DT_RNG_TEST, stream, 0);
    for (size_t i = 0; i < count; i++)
        a[i] = (real)(2 * dt_rng_uniform(&rng) - 1);
    return a;
}

static inline conv_case conv_open(dt_conv_shape s)
{
    conv_case c = { .s = s };
    c.x_count = (size_t)(s.N * s.H * s.W * s.C);
    c.w_count = (size_t)(s.O * s.KH * s.KW * (s.C / s.G));
    c.y_count = (size_t)(s.N * s.OH * s.OW * s.O);
    c.x = random_array(c.x_count, 1);
    c.w = random_array(c.w_count, 2);
    c.dy = random_array(c.y_count, 3);
    return c;
}

static inline void conv_close(conv_case *c)
{
    dt_put(NULL, c->x);
    dt_put(NULL, c->w);
    dt_put(NULL, c->dy);
}

static inline size_t pass_count(const conv_case *c, dt_conv_pass pass)
{
    return pass == DT_CONV_FORWARD ? c->y_count : pass == DT_CONV_DGRAD ? c->x_count : c->w_count;
}

/* Runs a pass into a guarded array filled with `fill`; returns the array (the output starts at
 * GUARD), or NULL when a byte outside it or outside the workspace was written. */
static inline real *run_pass(const dt_conv_kernels *k, const conv_case *c, dt_conv_pass pass,
                             int accumulate, int threads, real fill)
{
    size_t count = pass_count(c, pass), bytes = k->workspace(&c->s, pass, threads);
    real *out = dt_get_array(NULL, count + 2 * GUARD, sizeof *out, "test"), *first = out + GUARD;
    unsigned char *workspace = dt_get(NULL, bytes + GUARD, "test");
    memset(workspace, 0xff, bytes + GUARD); /* nan, so that a read before a write shows */
    memset(out, 0x5a, (count + 2 * GUARD) * sizeof *out);
    for (size_t i = 0; i < count; i++)
        first[i] = fill;
    if (pass == DT_CONV_FORWARD) k->forward(&c->s, c->x, c->w, first, workspace, threads);
    if (pass == DT_CONV_DGRAD) k->dgrad(&c->s, c->dy, c->w, first, accumulate, workspace, threads);
    const dt_conv_input x = { c->codes ? NULL : c->x, c->codes, CODES_ZERO, CODES_SCALE };
    if (pass == DT_CONV_WGRAD) k->wgrad(&c->s, &x, c->dy, first, workspace, threads);
    int intact = 1;
    const unsigned char *low = (const unsigned char *)out;
    const unsigned char *high = (const unsigned char *)(first + count);
    for (size_t i = 0; i < GUARD * sizeof *out; i++)
        intact &= low[i] == 0x5a && high[i] == 0x5a;
    for (size_t i = 0; i < GUARD; i++)
        intact &= workspace[bytes + i] == 0xff;
    dt_put(NULL, workspace);
    if (intact) return out;
    dt_put(NULL, out);
    return NULL;
}

#endif
