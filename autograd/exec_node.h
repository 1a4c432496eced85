/* Passes node by node, for executors that run side by side (together.c). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_EXEC_NODE_H
#define DT_AUTOGRAD_EXEC_NODE_H

#include "autograd/exec.h"

/* How many numbers the statistics of a node's batch are, 0: it has none or uses running ones. */
int64_t dt_exec_numbers(const dt_exec *e, int node);

/* A forward pass is every node from the first to the last; one that does not run is passed over.
 * Nodes with statistics may be measured first, and then get `joined` ones, else NULL. */
void dt_exec_measure(dt_exec *e, int node, double *to);
dt_status dt_exec_forward_node(dt_exec *e, int node, const double *joined,
                               dt_error *err) DT_MUST_CHECK;

/* The same from the last node to the first. What was measured is gone on with before any other
 * node. */
void dt_exec_begin_backward(dt_exec *e);
void dt_exec_measure_back(dt_exec *e, int node, double *to);
void dt_exec_backward_node(dt_exec *e, int node, const double *joined);

#endif
