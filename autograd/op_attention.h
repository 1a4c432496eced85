/* Configurations of the attention ops. Heads divide the last axis: head h of [N,T,C] is the columns
 * h C/H .. (h+1) C/H. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_ATTENTION_H
#define DT_AUTOGRAD_OP_ATTENTION_H

#include "autograd/op.h"
#include "autograd/quantizer.h"

typedef struct dt_attention_heads { /* of attention_scores and attention_mix */
    int heads;
    double scale; /* of the scores; attention_mix does not read it */
} dt_attention_heads;

/* A head of a sample, and where it starts in tensors of queries [N,T,C], of keys [N,S,C] and of
 * scores [N,H,T,S]. */
typedef struct dt_attention_head {
    int64_t T, S, C, d;
    int64_t query, key, score;
} dt_attention_head;

/* Head `i` of N H, by the shape of scores. */
static inline dt_attention_head dt_attention_head_of(const dt_shape *scores, int64_t C, int64_t i)
{
    int64_t H = scores->dim[1], T = scores->dim[2], S = scores->dim[3];
    int64_t d = C / H, n = i / H, h = i % H;
    return (dt_attention_head){ T, S, C, d, n * T * C + h * d, n * S * C + h * d, i * T * S };
}

/* Work of a thread for any product of a head's matrices: [T,d] by [d,S], [T,S] by [S,d], and with T and
 * S the other way round. */
size_t dt_attention_work(const dt_op_run *r, const dt_attention_head *h);
/* One of them; r->work has that for each thread. */
void dt_attention_multiply(const dt_op_run *r, const dt_attention_head *h, const dt_gemm_part *p,
                           int thread);

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
