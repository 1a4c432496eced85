/* Configurations of the attention ops. Heads divide the last axis: head h of [N,T,C] is the columns
 * h C/H .. (h+1) C/H. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_ATTENTION_H
#define DT_AUTOGRAD_OP_ATTENTION_H

#include "autograd/quantizer.h"

typedef struct dt_attention_heads { /* of attention_scores and attention_mix */
    int heads;
    double scale; /* of the scores; attention_mix does not read it */
} dt_attention_heads;

enum {
    DT_ATTENTION_Q,
    DT_ATTENTION_K,
    DT_ATTENTION_SCORES,
    DT_ATTENTION_PROBS,
    DT_ATTENTION_V,
    DT_ATTENTION_SITES
};

/* Of attention: inputs are qkv [N,T,3C], then the parameters of the quantizers, in this order. */
typedef struct dt_attention_conf {
    dt_attention_heads heads;
    const dt_fakequant_conf *quant[DT_ATTENTION_SITES]; /* per tensor, no transform; NULL: none */
} dt_attention_conf;

#endif
