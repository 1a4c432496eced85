/* What exporters write in several nodes for one operator that older opsets have not: GELU, layer
 * norm, group norm. The last of these nodes becomes that operator, the others part of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_PATTERNS_H
#define DT_EXCHANGE_ONNX_READER_ONNX_PATTERNS_H

#include "exchange/onnx/reader/onnx_ops.h"

/* Changes nodes of the walk's file, whose readers are known. Doing it again changes nothing. */
dt_status dt_ox_find_patterns(dt_ox_walk *w) DT_MUST_CHECK;

#endif
