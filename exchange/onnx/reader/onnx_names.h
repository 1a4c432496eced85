/* Names of layers. A layer has the name of its weight without ".weight" where that is one a person
 * gave, else the node's: "/layer1/layer1.0/conv1/Conv" is "layer1.0.conv1". */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_NAMES_H
#define DT_EXCHANGE_ONNX_READER_ONNX_NAMES_H

#include "exchange/onnx/reader/onnx_ops.h"

/* A name for node `index`, new among those in use. NULL: no memory. */
const char *dt_ox_layer_name(dt_ox_walk *w, const dt_ox_node *n, int index);
/* "<layer>.<part>" for a further node that the node in work makes, new too. NULL: no memory. */
const char *dt_ox_part_name(dt_ox_walk *w, const char *part);

#endif
