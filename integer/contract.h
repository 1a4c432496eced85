/* Rounding contracts: which integer a runtime gives for a sum of products, an addition, a mean.
 * With M = input scale * weight scale / output scale, a sum becomes the code
 * clamp(round(M * sum), low - z, high - z) + z. Contracts differ in how M is held and rounded.
 *
 *   fp32     float M, round half to even: onnxruntime on x86-64, and what training computes;
 *            additions with two fused multiply-adds
 *   unfused  the same without fused multiply-adds: onnxruntime where the processor has none
 *   xnnpack  the same products; additions by 21-bit multipliers; a mean is converted from the sum of
 *            codes as they are stored, M sum + b in float with both zero points in b
 *   single   M = m 2^-31 2^e with 31 bits, one rounding, half up (TFLITE_SINGLE_ROUNDING)
 *   double   the same m and e, doubling high product half up, then a shift half away from zero
 *            (gemmlowp, fixedpoint.h; TFLite's own kernels, CMSIS-NN by default)
 *
 * Additions of `single` and `double` are TFLite's: inputs << 20, scaled to twice the larger input
 * scale; so are means, where m is divided by the pixels and rounded down. Scales are float32 as
 * stored; the first three compute M in float32, left to right, the fixed-point ones in double.
 * Results are the same on every processor. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_INTEGER_CONTRACT_H
#define DT_INTEGER_CONTRACT_H

#include "integer/lower.h"

typedef enum dt_rounding { DT_ROUND_FP32, DT_ROUND_SINGLE, DT_ROUND_DOUBLE } dt_rounding;
typedef enum dt_adding { DT_ADD_FUSED, DT_ADD_UNFUSED, DT_ADD_XNNPACK, DT_ADD_FIXED } dt_adding;
typedef enum dt_averaging { DT_MEAN_FP32, DT_MEAN_XNNPACK, DT_MEAN_FIXED } dt_averaging;

typedef struct dt_contract {
    const char *name, *help;
    dt_rounding rounding;
    dt_adding adding;
    dt_averaging averaging;
} dt_contract;

/* Ends with a row without a name; the first is the default, fp32. */
extern const dt_contract dt_contracts[];
/* NOT_FOUND names `key` and the nearest. */
dt_status dt_contract_get(const char *name, const char *key, const dt_contract **out,
                          dt_error *err) DT_MUST_CHECK;

/* M as a contract holds it. */
typedef struct dt_multiplier {
    dt_rounding rounding;
    float f;
    int32_t m; /* 2^30..2^31-1, of means 2^29..; 0 for an M that rounds everything to 0 */
    int e;     /* -31..30 */
    /* Means of xnnpack: round(f (sum + zeros) + bias) - z. */
    bool converts;
    int32_t zeros, z; /* zero points as they are stored: of all codes of the sum, of the result */
    float bias;
} dt_multiplier;

/* M of a conv or linear. */
dt_multiplier dt_multiplier_product(const dt_contract *c, float x_scale, float w_scale,
                                    float y_scale);
/* M of a sum over n codes of grid x, zero points taken off, whose mean is wanted on grid y. */
dt_multiplier dt_multiplier_mean(const dt_contract *c, const dt_lower_grid *x,
                                 const dt_lower_grid *y, int64_t n);
/* M itself. */
double dt_multiplier_value(const dt_multiplier *m);
/* round(M * sum) within low..high. */
int32_t dt_multiplier_apply(const dt_multiplier *m, int32_t sum, int32_t low, int32_t high);

/* An addition of codes. */
typedef struct dt_adder {
    dt_adding adding;
    dt_lower_grid a, b, y;
    float a_ratio, b_ratio, fixed; /* float: y = fixed + a a_ratio + b b_ratio */
    int32_t a_times, b_times;      /* xnnpack */
    int shift;
    dt_multiplier a_scale, b_scale, y_scale; /* fixed point */
} dt_adder;
dt_adder dt_adder_make(const dt_contract *c, const dt_lower_grid *a, const dt_lower_grid *b,
                       const dt_lower_grid *y);
/* The code of the sum, within y.low..y.high. */
int32_t dt_adder_apply(const dt_adder *adder, int32_t a, int32_t b);

/* Code on grid y of a float value: clamp(rne(x / scale) + z); nan gives the zero point. */
int32_t dt_grid_encode(const dt_lower_grid *y, float x);
/* Code of grid x on grid y, as DequantizeLinear and QuantizeLinear: the same in every contract. */
int32_t dt_grid_move(const dt_lower_grid *x, const dt_lower_grid *y, int32_t code);
float dt_grid_value(const dt_lower_grid *x, int32_t code);

#endif
