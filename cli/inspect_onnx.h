/* detent inspect of an ONNX file: what would be imported, node by node. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_INSPECT_ONNX_H
#define DT_CLI_INSPECT_ONNX_H

#include <jansson.h>

#include "train/detent.h"

/* Prints the nodes, or adds them to `o` as "nodes" (NULL: prints). The exit code: 1 when that takes
 * more memory than the limit; nodes that are refused are no failure. */
int cli_inspect_onnx(const char *path, const dt_memory_limit *limit, json_t *o);

#endif
