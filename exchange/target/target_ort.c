/* onnxruntime. Eight-bit weights are written unsigned, which its kernels for processors without
 * VNNI need; nothing to ask for there. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/target/target.h"

const dt_target dt_target_ort = {
    .row = { "ort", "onnxruntime on CPUs: integer kernels for all of the net" },
    .format = { "onnx", "qoperator", "onnx_int4" },
    .rule = { &dt_rule_complete, &dt_rule_activation_scale, &dt_rule_weight_scale,
              &dt_rule_pool_ratio },
};
