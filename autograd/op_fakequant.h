/* Parts of the fakequant op that fused nodes share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_FAKEQUANT_H
#define DT_AUTOGRAD_OP_FAKEQUANT_H

#include "autograd/op.h"
#include "autograd/quantizer.h"

/* The site of a configuration as an input of this shape makes it. */
dt_quant_site dt_fakequant_site(const dt_fakequant_conf *c, const dt_shape *x);

/* What kernels execute for a group with these parameters. */
void dt_fakequant_encode(const dt_fakequant_conf *c, const dt_quant_site *site, const real *params,
                         const real *stats, dt_encode *out);

/* Parameters of one group, and what kernels execute for it. param: the parameter inputs
 * [q->param_count][groups]; stats: of the transform, NULL without. params [DT_QUANT_MAX_PARAMS]. */
void dt_fakequant_plan(const dt_fakequant_conf *c, const dt_quant_site *site, void *const *param,
                       const real *stats, int64_t group, real *params, dt_encode *e);

/* Codes [n] of weights on a quantizer's grid: exact, for a value is a code times the scale. Returns
 * the scale; where a value or the scale is not finite, which codes cannot say, that is nan and
 * `lost` is set. */
real dt_fakequant_codes(const dt_grid *grid, int64_t n, const real *w, int8_t *to, bool *lost);

/* Gradients of one group's parameters where they are wanted: d_param[i] [groups] not NULL. */
void dt_fakequant_param_grads(const dt_fakequant_conf *c, const dt_quant_site *site,
                              const real *params, const dt_encode *e, const dt_encode_sums *sums,
                              int64_t group, real *const *d_param);

#endif
