/* The start of a quantizer's parameters from what reaches it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_FAKEQUANT_START_H
#define DT_FAKEQUANT_START_H

#include "autograd/quantizer.h"

/* Parameters of all groups of a fakequant node from values x [groups * count] before its transform;
 * `site` as dt_fakequant_site gives it. param[i] [groups]: the node's, in the quantizer's order.
 * Errors name no place. */
dt_status dt_quant_start(const dt_fakequant_conf *c, const dt_quant_site *site, const real *x,
                         real *const *param, dt_error *err) DT_MUST_CHECK;

#endif
