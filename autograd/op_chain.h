/* A batch normalisation and the element-wise nodes that follow it, as one node: a row of stages
 * that run tile by tile in cache. The fusing pass makes such nodes; models do not.
 *
 *   v[0] = batchnorm(x), v[i+1] = stage i of v[i]
 *
 * Inputs: those of batchnorm, then the operands of the stages in order. Each output is the value
 * after one stage, as real numbers or, of the last stage, as codes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_CHAIN_H
#define DT_AUTOGRAD_OP_CHAIN_H

#include "autograd/op_batchnorm.h"
#include "autograd/quantizer.h"

enum { DT_CHAIN_STAGES = 6 };

typedef enum dt_chain_kind {
    DT_CHAIN_RELU,
    DT_CHAIN_RELU6,
    DT_CHAIN_ADD,
    DT_CHAIN_QUANT
} dt_chain_kind;

typedef struct dt_chain_stage {
    dt_chain_kind kind;
    int in;                         /* ADD: the other operand; QUANT: the first parameter */
    const dt_fakequant_conf *quant; /* QUANT: of an activation, one group, without a transform */
    int out;                        /* the output that gets its value, -1: none */
    bool codes;                     /* that output is codes; QUANT as the last stage only */
} dt_chain_stage;

enum { DT_CHAIN_TILE = 2048 }; /* elements of a tile, about */

typedef struct dt_chain_conf {
    dt_batchnorm_conf norm; /* first: dt_batchnorm_count */
    bool sums;              /* x is DT_STORE_SUM; at most DT_CHAIN_TILE channels */
    int count;
    dt_chain_stage stage[DT_CHAIN_STAGES];
} dt_chain_conf;

#endif
