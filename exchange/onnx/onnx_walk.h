/* From the graph to ONNX nodes, in the QDQ form: float operators between QuantizeLinear and
 * DequantizeLinear, which runtimes fuse into integer kernels. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_ONNX_WALK_H
#define DT_EXCHANGE_ONNX_ONNX_WALK_H

#include "exchange/onnx/onnx_message.h"

typedef struct dt_onnx_walk_params {
    bool packed; /* weights of up to 4 bits in half a byte each (opset 21), for storage */
    /* Zero points of 0 throughout: int8 codes, limits as float Clips in front of QuantizeLinear,
     * and float biases, as TensorRT wants them. Unsigned grids then hold 0..127. */
    bool symmetric;
} dt_onnx_walk_params;

/* Adds what the logits need to the model; inputs have the names of their ports, pictures [N,C,H,W],
 * the output "logits". Errors: UNSUPPORTED, NOMEM. */
dt_status dt_onnx_walk(const dt_lowered *l, const dt_onnx_walk_params *params, dt_onnx *m,
                       dt_error *err) DT_MUST_CHECK;

#endif
