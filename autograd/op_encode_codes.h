/* Configuration of the encode_codes op. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_ENCODE_CODES_H
#define DT_AUTOGRAD_OP_ENCODE_CODES_H

#include "autograd/quantizer.h"

typedef enum dt_encode_of { DT_ENCODE_VALUE, DT_ENCODE_LAYERNORM, DT_ENCODE_GELU } dt_encode_of;

/* Inputs are x [...,C], with LAYERNORM gamma and beta, then the parameters of the quantizer. */
typedef struct dt_encode_codes_conf {
    dt_encode_of of;
    const void *function;           /* configuration of what is computed on the way; VALUE: NULL */
    const dt_fakequant_conf *quant; /* `uniform`, of an activation */
} dt_encode_codes_conf;

#endif
