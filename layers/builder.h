/* Building a graph from layers. A layer makes its parameters under torchvision's names and its
 * nodes, and says what role they have; quantizers are placed when the graph is whole
 * (layers/place.h). Functions return the value of the layer's output, or -1 once anything failed:
 * the first error sticks in `status` and `err`, so that models read as a list of layers. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_LAYERS_BUILDER_H
#define DT_LAYERS_BUILDER_H

#include "autograd/graph.h"
#include "fakequant/choice.h"

typedef struct dt_builder {
    dt_graph *graph;
    bool small_init; /* linear layers start at DT_INIT_SMALL; set by models */
    dt_status status;
    dt_error *err;
} dt_builder;

/* A name in the graph's memory; "" once anything failed. */
const char *dt_layer_name(dt_builder *b, const char *fmt, ...) DT_PRINTF(2, 3);

/* x [N,H,W,C] -> [N,OH,OW,out]; weight "<name>.weight". Square kernel. */
int dt_layer_conv2d(dt_builder *b, const char *name, dt_layer_role role, int x, int64_t out,
                    int kernel, int stride, int pad, int groups);
/* The same with "<name>.bias". */
int dt_layer_conv2d_bias(dt_builder *b, const char *name, dt_layer_role role, int x, int64_t out,
                         int kernel, int stride, int pad, int groups);
/* "<name>.weight", ".bias", ".running_mean", ".running_var". */
int dt_layer_batchnorm(dt_builder *b, const char *name, int x);
/* The same with other numbers than PyTorch's. */
int dt_layer_batchnorm_of(dt_builder *b, const char *name, int x, double eps, double momentum);
int dt_layer_relu(dt_builder *b, const char *name, int x);
int dt_layer_relu6(dt_builder *b, const char *name, int x);
/* branch + skip, then relu: the end of a residual block. */
int dt_layer_residual(dt_builder *b, const char *name, int branch, int skip);
/* The same without a relu. */
int dt_layer_add(dt_builder *b, const char *name, int branch, int skip);
/* Says of x, which a node made, that it feeds an add later, as "<name>.output"; gives x back. */
int dt_layer_stream(dt_builder *b, const char *name, int x);
/* Option-A shortcut: subsample, pad channels with zeros on both sides. */
int dt_layer_pad_shortcut(dt_builder *b, const char *name, int x, int64_t out, int stride);
int dt_layer_maxpool(dt_builder *b, const char *name, int x, int kernel, int stride, int pad);
/* [N,H,W,C] -> [N,C] */
int dt_layer_gap(dt_builder *b, const char *name, int x);
/* [...,I] -> [...,out] with bias. The layer of role LAST gives the logits. */
int dt_layer_linear(dt_builder *b, const char *name, dt_layer_role role, int x, int64_t out);

#endif
