/* Convolution on codes, scalar tier: the specification of conv_int.h in plain loops. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/thread.h"
#include "kernels/conv_int.h"

typedef struct job {
    const dt_conv_int_call *c;
    int32_t *row; /* [threads][OW * O], for sums that nobody keeps */
} job;

static int code_at(const dt_conv_int_call *c, int64_t n, int64_t h, int64_t w, int64_t channel)
{
    const dt_conv_shape *s = &c->shape;
    if (h < 0 || h >= s->H || w < 0 || w >= s->W) return c->zero;
    int64_t at = ((n * s->H + h) * s->W + w) * s->C + channel;
    return c->is_signed ? ((const int8_t *)c->x)[at] : ((const uint8_t *)c->x)[at];
}

static int32_t output_at(const dt_conv_int_call *c, int64_t n, int64_t oh, int64_t ow, int64_t o)
{
    const dt_conv_shape *s = &c->shape;
    int64_t I = s->C / s->G, first = o / (s->O / s->G) * I;
    const int8_t *w = c->w + o * s->KH * s->KW * I;
    int32_t sum = c->bias ? c->bias[o] : 0;
    for (int64_t kh = 0; kh < s->KH; kh++)
        for (int64_t kw = 0; kw < s->KW; kw++)
            for (int64_t i = 0; i < I; i++)
                sum += (code_at(c, n, oh * s->SH - s->PH + kh * (s->DH + 1),
                                ow * s->SW - s->PW + kw * (s->DW + 1), first + i) -
                        c->zero) *
                       *w++;
    return sum;
}

static void row_task(void *arg, int64_t row, int thread)
{
    const job *j = arg;
    const dt_conv_int_call *c = j->c;
    const dt_conv_shape *s = &c->shape;
    int64_t size = s->OW * s->O;
    int32_t *y = c->y ? c->y + row * size : j->row + thread * size;
    for (int64_t ow = 0; ow < s->OW; ow++)
        for (int64_t o = 0; o < s->O; o++)
            y[ow * s->O + o] = output_at(c, row / s->OH, row % s->OH, ow, o);
    if (c->done) c->done(c->arg, row * size, size, y);
}

static size_t workspace(const dt_conv_shape *s, int threads)
{
    return (size_t)(threads * s->OW * s->O) * sizeof(int32_t);
}

static void forward(const dt_conv_int_call *c, void *work, int threads)
{
    job j = { c, work };
    dt_parallel(threads, c->shape.N * c->shape.OH, row_task, &j);
}

void dt_conv_int_scalar(dt_conv_int_kernels *k)
{
    *k = (dt_conv_int_kernels){ "scalar", workspace, forward };
}
