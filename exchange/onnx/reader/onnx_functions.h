/* Functions that a file defines: a node that calls one is replaced by its nodes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_FUNCTIONS_H
#define DT_EXCHANGE_ONNX_READER_ONNX_FUNCTIONS_H

#include "exchange/onnx/reader/onnx_ir.h"

/* Nodes of the file's graph that call functions in `inner` become those functions' nodes, named
 * after the caller. A few bytes of a file must not become all memory: UNSUPPORTED for more than
 * 64 MiB of copies, for functions deeper in each other than 16 and of other opsets than the file.
 * NOMEM */
dt_status dt_ox_inline(dt_ox_file *f, dt_error *err) DT_MUST_CHECK;

#endif
