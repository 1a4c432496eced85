/* Placing quantizers: a plain float graph in, the same graph with quantization sites out. Where
 * they go follows from the facts of operations, from the roles of nodes, and from a policy. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_LAYERS_PLACE_H
#define DT_LAYERS_PLACE_H

#include "layers/site.h"

/* What is quantized beside inputs and weights of products and operands of products of activations;
 * rows of dt_policies, in the order of dt_placement. */
typedef struct dt_policy {
    const char *name, *help;
    bool given;        /* the model brings its quantizers: none are placed */
    bool branch, skip; /* in[0] and in[1] of sums, before what is nothing outside of training */
    bool streams;      /* what sums give, past the limits behind them, what goes on to sums, and
                           what is moved */
    bool means;        /* inputs and outputs of means over a window */
    bool functions;    /* inputs of element-wise functions, limits aside, of batch norms that are
                           part of no product, and of what wants grids */
    bool scores;       /* inputs of what makes rows shares of 1 */
    bool logits;       /* outputs of products with the role LAST, and of what gives the net's */
} dt_policy;
extern const dt_policy dt_policies[];

typedef struct dt_place_params {
    const dt_policy *policy;
    dt_choose_fn choose; /* of a layer: method and bits of its input and of its weight */
    void *choose_arg;
    dt_quant_choice residual; /* what the policy adds */
    bool share;
    int batches;
    double input_low, input_high; /* range of the input's values */
    bool input_open;              /* it is not known: its quantizers start from data */
} dt_place_params;

/* Inputs of `plain` come first in `out`, under their numbers; `value[v]` (by value of plain, the
 * caller's array) is what stands for v in `out`, behind its quantizer where it has one. Nothing of
 * `plain` is borrowed. Errors name the site, its value and the rule. */
dt_status dt_place(const dt_graph *plain, const dt_place_params *params, const dt_alloc *a,
                   dt_graph *out, int *value, dt_error *err) DT_MUST_CHECK;

#endif
