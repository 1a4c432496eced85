/* TensorRT, explicit quantization: int8 with zero points of 0 throughout, biases in float. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/target/target.h"

const dt_target dt_target_trt = {
    .row = { "trt", "TensorRT: structural checks only, it was never run" },
    .format = { "onnx_trt" },
    .rule = { &dt_rule_complete, &dt_rule_activation_scale, &dt_rule_weight_scale,
              &dt_rule_skip_only, &dt_rule_narrow, &dt_rule_no_offset, &dt_rule_unsigned_7 },
};
