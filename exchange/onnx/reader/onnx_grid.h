/* Quantizers of other programs: what codes mean in a file, and the sites that they become. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_GRID_H
#define DT_EXCHANGE_ONNX_READER_ONNX_GRID_H

#include "exchange/onnx/reader/onnx_ops.h"

/* value = scale * (code - zero), low <= code <= high. */
typedef struct dt_ox_grid {
    int low, high;
    const dt_ox_tensor *scale; /* one number, or one for each element along `axis` */
    const dt_ox_tensor *zero;  /* as many; NULL: 0 */
    int axis;                  /* of the tensor; -1: one number for all */
} dt_ox_grid;

/* Codes of a value of the graph, until DequantizeLinear. */
typedef struct dt_ox_codes {
    dt_ox_grid grid;
    const char *layer; /* the site is "<layer>_quant" */
} dt_ox_codes;

/* Scale and zero point, inputs `scale` and `zero` (which may be left out) of the node in work, for
 * something of these dimensions. The range is left to the caller. */
dt_status dt_ox_grid_read(dt_ox_walk *w, int scale, int zero, int rank, const int64_t *dim,
                          dt_ox_grid *out) DT_MUST_CHECK;
/* Are scales and zero points the same? */
bool dt_ox_grid_is_alike(const dt_ox_grid *a, const dt_ox_grid *b);
/* The number of the group that element i of t belongs to. */
int64_t dt_ox_grid_group(const dt_ox_grid *g, const dt_ox_tensor *t, int64_t i);
float dt_ox_grid_scale(const dt_ox_grid *g, int64_t group);
int dt_ox_grid_zero(const dt_ox_grid *g, int64_t group);

/* Quantizes x at the site `name`, by a quantizer that has such steps, without an offset where there
 * is one; what lies on the same grid already is left as it is. `axis` (the grid's, in the order of
 * x) has to be the first one of weights, and activations have one scale. -1: the builder has the
 * error. */
int dt_ox_site(dt_ox_walk *w, const char *layer, const char *name, int x, bool weight,
               const dt_ox_grid *g);

#endif
