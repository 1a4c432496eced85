/* What every convolution and linear layer of a network is and costs, in integers. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_INSPECT_INSPECT_LAYERS_H
#define DT_TRAIN_INSPECT_INSPECT_LAYERS_H

#include "autograd/exec.h"

typedef struct dt_inspect_layer {
    const char *name, *op;  /* of the graph */
    const char *method;     /* quantizer of the weights; NULL: float */
    dt_shape weight;        /* [O,KH,KW,I], [O,I] */
    dt_shape in, out;       /* of one picture: [1,H,W,C], [1,C] */
    int w_bits, a_bits;     /* of weights and input; DT_FLOAT_BITS: float */
    double low, high;       /* least and greatest weight */
    double clipped;         /* share of the weights outside of the grid; -1: no grid */
    double sqnr_db;         /* of what is quantized, which is a transform of the weights in some
                               methods; +inf: exact or float */
    int64_t weights, macs;  /* elements; products for one picture */
    int64_t bops;           /* macs * w_bits * a_bits */
    size_t low_bytes;       /* ceil(weights * w_bits / 8) */
    size_t container_bytes; /* a byte each, 4 in float */
} dt_inspect_layer;

struct dt_inspect_fit;
/* How the weights of a site meet their grid. Errors: NOMEM. */
dt_status dt_inspect_weights(const dt_graph *g, const dt_state *state, const dt_node *site,
                             const dt_alloc *a, struct dt_inspect_fit *fit,
                             dt_error *err) DT_MUST_CHECK;

/* Fills one for a conv2d or linear node. Errors: NOMEM. */
dt_status dt_inspect_layer_of(const dt_graph *g, const dt_state *state, const dt_node *node,
                              const dt_alloc *a, dt_inspect_layer *out,
                              dt_error *err) DT_MUST_CHECK;

#endif
