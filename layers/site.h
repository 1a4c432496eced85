/* Quantization sites: inserting fakequant nodes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_LAYERS_SITE_H
#define DT_LAYERS_SITE_H

#include "autograd/graph.h"
#include "autograd/quantizer.h"
#include "fakequant/choice.h"

/* What the recipe says of one side of a layer. */
typedef dt_status (*dt_choose_fn)(void *arg, const char *layer, dt_layer_role role, dt_side side,
                                  dt_quant_choice *out, dt_error *err);

/* A graph that gets sites. Functions return a value or -1: the first error sticks. */
typedef struct dt_placer {
    dt_graph *graph;
    bool share;                   /* one node for all that quantize a value in the same way */
    int batches;                  /* of a training step; 0: 1 */
    double input_low, input_high; /* range of the input's values, of pictures after normalising */
    bool input_open;              /* it is not known */
    dt_status status;
    dt_error *err;
} dt_placer;

/* Quantizes activation x at "<layer>.<part>_quant" (part NULL: "<layer>_quant") as `choice` says.
 * Gives x itself when the choice is none, and with `share` an existing node when x was quantized in
 * the same way already: consumers of one quantized value share one scale. */
int dt_site_activation(dt_placer *p, const char *layer, const char *part, int x,
                       const dt_quant_choice *choice);
/* Quantizes weight w [O,...]. */
int dt_site_weight(dt_placer *p, const char *layer, int w, const dt_quant_choice *choice);
/* Quantizes x at the site `name`, as `choice` and `site` (its bits are the choice's) say; `layer`
 * is the one that other names of its parameters begin with. */
int dt_site_add(dt_placer *p, const char *layer, const char *name, int x,
                const dt_quant_choice *choice, dt_quant_site site);
/* Do x's values lie on a grid of this choice's method and bits, in training too? Then quantizing
 * them again would add a second scale and no precision. How the scale is learned may differ. */
bool dt_site_on_grid(const dt_placer *p, int x, const dt_quant_choice *choice);

#endif
