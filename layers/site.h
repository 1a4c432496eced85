/* Quantization sites: inserting fakequant nodes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_LAYERS_SITE_H
#define DT_LAYERS_SITE_H

#include "layers/builder.h"

/* Quantizes activation x at "<layer>.<part>_quant" as `choice` says. Gives x itself when the choice
 * is none, and (with b->share) an existing node when x was quantized in the same way already:
 * consumers of one quantized value share one scale. */
int dt_site_activation(dt_builder *b, const char *layer, const char *part, int x,
                       const dt_quant_choice *choice);
/* Quantizes weight w [O,...]. */
int dt_site_weight(dt_builder *b, const char *layer, int w, const dt_quant_choice *choice);
/* Do x's values lie on a grid of this choice's method and bits? Then quantizing them again would
 * add a second scale and no precision. How the scale is learned may differ. */
bool dt_site_on_grid(const dt_builder *b, int x, const dt_quant_choice *choice);

/* -1, with the first error kept. */
int dt_builder_fail(dt_builder *b, dt_status status);

#endif
