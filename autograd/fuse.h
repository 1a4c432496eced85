/* The fusing pass: the same computation as a plain graph in fewer passes over memory.
 *
 *   batchnorm, then any of add, relu and activation fakequant   -> chain
 *   slices, attention_scores, softmax, attention_mix, and
 *   fakequants between them                                     -> attention
 *   layernorm or gelu, and a fakequant that only linears of
 *   tokens read                                                 -> encode_codes
 *   linear of tokens whose operands are quantized likewise      -> linear_codes
 *   conv2d whose operands are quantized on uniform grids        -> conv2d_codes, on 1-byte codes
 *
 * Values keep their ids, so one state serves both graphs. A value that only fused nodes passed on
 * is never in memory. Element-wise results have the plain graph's bits; sums (batch statistics,
 * products, gradients of parameters) are taken in another order. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_FUSE_H
#define DT_AUTOGRAD_FUSE_H

#include "autograd/graph.h"

/* `keep`: values that must be in memory under their ids (loss, logits), and borders of units: no
 * fused node reaches over one. `out` borrows names and configurations from `g`, which must outlive
 * it; end it with dt_graph_fini. */
dt_status dt_fuse(const dt_graph *g, const int *keep, int keep_count, dt_graph *out,
                  const dt_alloc *a, dt_error *err) DT_MUST_CHECK;

#endif
