/* Means and maxima over any dimensions. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_MEAN_H
#define DT_EXCHANGE_ONNX_READER_ONNX_MEAN_H

#include "exchange/onnx/reader/onnx_order.h"

/* The node's output is input 0, a value, averaged over the dimensions over[], or its greatest
 * element of them; with `keep` they are 1 then, without they go. */
dt_status dt_ox_build_mean(dt_ox_walk *w, const bool *over, bool keep,
                           bool of_greatest) DT_MUST_CHECK;

#endif
