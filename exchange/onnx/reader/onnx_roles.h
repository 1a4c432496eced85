/* Roles of layers, read off a graph without quantizers: nobody says them in a foreign file.
 *
 *   first     products that read an input, past what only moves its elements
 *   last      products that make an output, in the same way
 *   shortcut  a 1x1 product that is, with its batch norm, one addend of a sum by itself, where the
 *             other addend comes from the same value through two products or more
 *   stream    what a sum reads and others, too, and is no sum itself: it gets one quantizer */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_ROLES_H
#define DT_EXCHANGE_ONNX_READER_ONNX_ROLES_H

#include "autograd/graph.h"

/* Sets role and stream of the nodes from `first_node` on. */
void dt_ox_roles(dt_graph *g, int first_node, const int *output, int outputs);

#endif
