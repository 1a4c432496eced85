/* Products of two values: scores of attention, and what mixes values by them. The file's heads are
 * dimensions of their own; the engine's are parts of the channels of tokens [N,T,C]. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_ATTENTION_H
#define DT_EXCHANGE_ONNX_READER_ONNX_ATTENTION_H

#include "exchange/onnx/reader/onnx_order.h"

/* The node in work is input 0 [...,T,d] times input 1 [...,d,S], both values. */
dt_status dt_ox_build_product(dt_ox_walk *w) DT_MUST_CHECK;

#endif
