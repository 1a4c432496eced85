/* What layers are made of: parameters and nodes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_LAYERS_NODES_H
#define DT_LAYERS_NODES_H

#include "layers/builder.h"

int dt_part_node(dt_builder *b, const char *op, const char *name, const void *conf, const int *in,
                 int in_count);
/* "<layer>.<part>" (or the part alone, with layer NULL) as a parameter or buffer. */
int dt_part_value(dt_builder *b, const char *layer, const char *part, dt_value v);
/* Gives the node that makes y its role; y. */
int dt_part_role(dt_builder *b, dt_layer_role role, int y);
/* -1, with the first error kept. */
int dt_builder_fail(dt_builder *b, dt_status status);

#endif
