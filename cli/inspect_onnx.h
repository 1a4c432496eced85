/* detent inspect of an ONNX file: what would be imported, node by node. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_INSPECT_ONNX_H
#define DT_CLI_INSPECT_ONNX_H

#include <jansson.h>

#include "train/detent.h"

/* Prints the nodes, or adds them to `o` as "nodes" (NULL: prints). The exit code: 1 when the file
 * cannot be looked at; nodes that are refused are no failure. */
int cli_inspect_onnx(const char *path, json_t *o);

#endif
