/* Convolution on small codes, AVX2. */
/* SPDX-License-Identifier: Apache-2.0 */
#define DT_CONV_INT_BYTES
#include "kernels/conv_int_bytes.h"

#include "kernels/conv_int_impl.h"

enum { SPAN_LEAST = 8, SIGNED_MOST = 32767, BYTE_MOST = 255 };

size_t dt_conv_int_bytes_workspace(const dt_conv_shape *s, int threads)
{
    return direct_workspace(s, threads);
}

/* Steps and shift; whether the call's numbers let sums be wide enough. */
static bool fit(job *j)
{
    const dt_conv_int_call *c = j->c;
    const dt_conv_shape *s = &c->shape;
    int64_t count = s->O * s->KH * s->KW * (s->C / s->G);
    int low = 0, high = 0, bits = 0, most = c->most > 0 ? c->most : BYTE_MOST;
    if (c->is_signed) return false;
    if (c->zero > most) most = c->zero; /* pads */
    for (int64_t i = 0; i < count; i++) {
        low = c->w[i] < low ? c->w[i] : low;
        high = c->w[i] > high ? c->w[i] : high;
        bits |= c->w[i];
    }
    j->shift = bits ? __builtin_ctz((unsigned)bits) : 0;
    int amount = (high > -low ? high : -low) >> j->shift;
    j->span = SIGNED_MOST / (2 * most * (amount > 0 ? amount : 1));
    return j->span >= SPAN_LEAST;
}

bool dt_conv_int_bytes_forward(const dt_conv_int_call *c, void *workspace, int threads)
{
    job j = { .c = c };
    if (!fit(&j)) return false;
    direct_forward(j, workspace, threads);
    return true;
}
