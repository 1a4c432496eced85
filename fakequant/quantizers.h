/* The quantizer table: rows of quantizers.def, each a dt_quantizer (autograd/quantizer.h). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_FAKEQUANT_QUANTIZERS_H
#define DT_FAKEQUANT_QUANTIZERS_H

#include "autograd/quantizer.h"

extern const dt_table dt_quantizers; /* kind "quantizer"; rows are dt_quantizer */

/* The descriptor whose first member is `row`. */
const dt_quantizer *dt_quantizer_of(const dt_row *row);

/* Quantizes n values of one group with given parameters, for statistics and tests; scalar. `x` and
 * `y` as after the transform. */
void dt_quantizer_apply(const dt_encode *e, int64_t n, const real *x, real *y);

#endif
