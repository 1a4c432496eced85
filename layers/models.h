/* The model table: rows of models.def. A model is a graph builder. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_LAYERS_MODELS_H
#define DT_LAYERS_MODELS_H

#include "layers/builder.h"

/* A file of another program that a graph is read from. */
typedef struct dt_model_source {
    dt_opt_str path, sha256; /* of all that belongs to it; empty: not known */
} dt_model_source;

typedef struct dt_model {
    dt_row row;
    bool describes; /* its file is a list of layers in YAML, without weights; else ONNX */
    /* That its input has beside the samples; 0: three, [N,H,W,C]; -1: as its file says. */
    int axes;
    bool inputs; /* takes several, by the names of the graph's ports */
    /* x: the input, of any number of channels. Returns the output [N,classes], or -1 (see
     * dt_builder). */
    int (*build)(dt_builder *b, const void *conf, int classes, int x);
    /* NULL: `build` makes the graph. Otherwise there is no `build`, and this is the file. */
    const dt_model_source *(*file)(const void *conf);
} dt_model;

extern const dt_table dt_models; /* kind "model"; rows are dt_model */

#endif
