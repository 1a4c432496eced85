/* What would become of an ONNX file as a network, node by node. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_INSPECT_INSPECT_ONNX_H
#define DT_TRAIN_INSPECT_INSPECT_ONNX_H

#include "core/memory.h"
#include "exchange/onnx/reader/onnx_graph.h"

/* Calls fn for every node of the file. Errors: those of dt_onnx_net_open; NOMEM: it takes more than
 * the limit (NULL: none). */
dt_status dt_inspect_onnx(const char *path, void (*fn)(void *arg, const dt_onnx_look *look),
                          void *arg, const dt_memory_limit *limit, dt_error *err) DT_MUST_CHECK;

#endif
