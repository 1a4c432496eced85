/* What is told of layers. Inside ptq/ only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_PTQ_LAYERS_H
#define DT_PTQ_LAYERS_H

#include "ptq/engine.h"

/* Bits of what a product reads; DT_PTQ_FLOAT: it is not quantized. */
int dt_ptq_input_bits(const dt_ptq *q, const dt_node *product);
/* Every quantized layer to p->events.layer, its outputs over all pictures against the float net's.
 */
dt_status dt_ptq_tell_layers(dt_ptq *q, dt_error *err) DT_MUST_CHECK;

#endif
