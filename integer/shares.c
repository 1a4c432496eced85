/* Softmax on codes, as onnxruntime has it (contrib_ops/cpu/quantization/qlinear_softmax.cc, 1.31.1). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "integer/shares.h"

#include <float.h>
#include <math.h>

/* The largest power is e^-5 of what the sum of a row may be: 148 steps for each code would overflow. */
bool dt_shares_fit(const dt_lower_grid *y, int64_t C)
{
    return (double)y->scale * 100 * (double)C >= 1;
}

void dt_shares_init(dt_shares *s, const dt_lower_grid *x, const dt_lower_grid *y, int64_t C)
{
    const double scale = (double)x->scale;
    double most = (double)logf(FLT_MAX / (float)C) - 5;
    double first = (most > 0 ? most : 0) / scale - (DT_CODES - 1);
    for (int i = 0; i < DT_CODES; i++)
        s->power[i] = (float)exp((i + first) * scale);
    s->steps = floorf(1 / y->scale);
    s->y = *y;
}

void dt_shares_row(const dt_shares *s, const uint8_t *x, int64_t C, uint8_t *out)
{
    int most = 0;
    float sum = 0;
    for (int64_t i = 0; i < C; i++)
        most = x[i] > most ? x[i] : most;
    const float *power = s->power + DT_CODES - 1 - most; /* the largest code has the last */
    for (int64_t i = 0; i < C; i++)
        sum += power[x[i]];
    for (int64_t i = 0; i < C; i++) {
        int code = (int)rintf(power[x[i]] * s->steps / sum) + s->y.zero_point;
        out[i] = (uint8_t)(code < s->y.low ? s->y.low : code > s->y.high ? s->y.high : code);
    }
}
