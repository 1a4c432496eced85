/* Operators between QuantizeLinear and DequantizeLinear. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_CODES_H
#define DT_EXCHANGE_ONNX_READER_ONNX_CODES_H

#include "exchange/onnx/reader/onnx_ops.h"

/* UNSUPPORTED: the node in work computes with codes, and `op` (NULL: unknown) does not know them.
 */
dt_status dt_ox_refuse_codes(dt_ox_walk *w, const dt_ox_op *op) DT_MUST_CHECK;
/* The node in work as nodes of the graph. Of codes an operator that moves elements moves the
 * numbers that they are of: rounding to one grid is the same before and behind it. */
dt_status dt_ox_build(dt_ox_walk *w, const dt_ox_op *op) DT_MUST_CHECK;

#endif
