/* What layers are made of: parameters, nodes, and choices of the recipe. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_LAYERS_PARTS_H
#define DT_LAYERS_PARTS_H

#include "layers/site.h"

int dt_part_node(dt_builder *b, const char *op, const char *name, const void *conf, const int *in,
                 int in_count);
/* "<layer>.<part>" (or the part alone, with layer NULL) as a parameter or buffer. */
int dt_part_value(dt_builder *b, const char *layer, const char *part, dt_value v);
/* The recipe's choice for one side of a layer; not quantized in a float net. */
dt_quant_choice dt_part_choose(dt_builder *b, const char *layer, dt_layer_role role, dt_side side);
/* x quantized for the residual stream, unless its values lie on such a grid already. */
int dt_part_residual(dt_builder *b, const char *layer, const char *part, int x);

#endif
