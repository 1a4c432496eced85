/* Configuration of the linear_codes op. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_LINEAR_CODES_H
#define DT_AUTOGRAD_OP_LINEAR_CODES_H

#include "autograd/quantizer.h"

/* Inputs are the codes of x [N,T,I], the weight [O,I] on its grid, the bias [O], then the
 * parameters of both quantizers. */
typedef struct dt_linear_codes_conf {
    const dt_fakequant_conf *x, *w; /* both `uniform`; w has 1 group or O */
} dt_linear_codes_conf;

#endif
