/* The integer side of a fused product's operands: grids, and codes of the weight. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_WEIGHT_CODES_H
#define DT_AUTOGRAD_WEIGHT_CODES_H

#include "autograd/op_fakequant.h"

/* What codes of a group mean; `param`: the quantizer's parameter inputs [param_count][groups]. */
dt_grid dt_grid_of_group(const dt_fakequant_conf *c, const dt_shape *shape, void *const *param,
                         int64_t group);

typedef struct dt_weight_codes {
    const dt_fakequant_conf *quantizer; /* of the weight */
    const dt_shape *shape;              /* [O, ...] */
    void *const *param;                 /* as above */
    const real *w;                      /* on the quantizer's grid */
    real scale_x;                       /* of the other operand */
    int8_t *code;                       /* as w */
    real *scale;                        /* [lanes]: of the sums of output lane % O */
    int64_t lanes;                      /* a multiple of O */
} dt_weight_codes;

/* Fills `code` and `scale`; the scale of an output with a value that codes cannot say is nan, and
 * `lost` is set. Outputs are shared out by shape. */
void dt_weight_codes_make(const dt_weight_codes *k, int threads, bool *lost);

#endif
