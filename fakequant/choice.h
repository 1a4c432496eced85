/* What a recipe decides for one quantization site, and where sites are. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_FAKEQUANT_CHOICE_H
#define DT_FAKEQUANT_CHOICE_H

#include "core/opt.h"

/* Where quantizers sit. PAPER: inputs and weights of conv and linear. DEPLOY: also both inputs and
 * the output of every add, the pooling's input and output, and the logits. TRT: as PAPER, and the
 * skip branch of every add. FILE: where the file has them that the model is read from. Rows of
 * dt_policies (layers/place.h). */
typedef enum dt_placement {
    DT_PLACEMENT_PAPER,
    DT_PLACEMENT_DEPLOY,
    DT_PLACEMENT_TRT,
    DT_PLACEMENT_FILE
} dt_placement;
/* GROUP: a run of elements inside an output channel. */
typedef enum dt_granularity { DT_PER_TENSOR, DT_PER_CHANNEL, DT_PER_GROUP } dt_granularity;

/* First and last are the conv fed by the picture and the linear that gives the logits; shortcut is
 * a conv on a skip branch. */
typedef enum dt_layer_role {
    DT_LAYER_BODY,
    DT_LAYER_FIRST,
    DT_LAYER_LAST,
    DT_LAYER_SHORTCUT,
} dt_layer_role;
/* What reports and phases call the width of a side that is not quantized. */
enum { DT_FLOAT_BITS = 32 };
typedef enum dt_side { DT_SIDE_WEIGHTS, DT_SIDE_ACTIVATIONS } dt_side;

typedef struct dt_quant_choice {
    bool quantized;       /* false: stays float; `method` is the row "none" and the rest is 0 */
    const dt_row *method; /* row of the quantizer table */
    int bits;             /* 1..8 */
    int granularity;      /* dt_granularity */
    int group;            /* elements of a group, for DT_PER_GROUP */
    int ste;              /* dt_ste_kind (autograd/quantizer.h) */
    double ste_strength;  /* 0: the kind's default */
    void *conf;           /* the method's options, borrowed */
} dt_quant_choice;

#endif
