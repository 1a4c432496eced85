/* Layers as files describe them (train/net/net_yaml.h): rows of layers.def. A row says its keys and
 * makes its nodes; parameters have PyTorch's names and starts. Operations that only take values are
 * layers without a row of their own, whose keys are the fields of their configuration. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_LAYERS_LAYER_H
#define DT_LAYERS_LAYER_H

#include "layers/builder.h"

typedef struct dt_layer {
    dt_row row;
    int in_min, in_max;
    /* in: values of the graph. The layer's output, or -1 (see dt_builder). */
    int (*build)(dt_builder *b, const char *name, const void *conf, const int *in, int in_count);
} dt_layer;

extern const dt_table dt_layers; /* kind "layer"; rows are dt_layer */

/* What a word stands for: a row of the table, or an operation. */
typedef struct dt_layer_kind {
    const char *name;
    const dt_layer *layer; /* NULL: `op` */
    const struct dt_op *op;
    const dt_opt *opts; /* NULL: no keys */
    size_t conf_size;
    int in_min, in_max;
} dt_layer_kind;

/* NOT_FOUND, with the nearest name, where no layer is called so. */
dt_status dt_layer_find(const char *name, const dt_where *where, dt_layer_kind *out,
                        dt_error *err) DT_MUST_CHECK;
/* Names of all, for lists: calls fn in the order of the tables. */
void dt_layer_each(void (*fn)(void *arg, const dt_layer_kind *kind), void *arg);
/* Makes the layer's nodes. Its output, or -1. */
int dt_layer_build(dt_builder *b, const dt_layer_kind *kind, const char *name, const void *conf,
                   const int *in, int in_count);

#endif
