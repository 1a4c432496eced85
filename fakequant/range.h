/* Range initialisers: the scale of a uniform grid qmin..qmax from data. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_FAKEQUANT_RANGE_H
#define DT_FAKEQUANT_RANGE_H

#include <stdint.h>

#include "core/compiler.h"

/* Smallest scale that clips nothing; 0 for all-zero data. */
double dt_range_minmax(int64_t n, const real *x, int qmin, int qmax);
/* Scale of least mean square error: 100 candidates up to the min-max scale, then golden section
 * around the best (algorithms: "MSE grid"). Over an even sample of at most 65536 values. */
double dt_range_mse(int64_t n, const real *x, int qmin, int qmax);
/* 2 mean|x| / sqrt(qmax) (LSQ, Esser 2020, section 2.1). */
double dt_range_lsq(int64_t n, const real *x, int qmax);

#endif
