/* OpenVINO, which reads the QDQ form. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/target/target.h"

const dt_target dt_target_openvino = {
    .row = { "openvino", "OpenVINO" },
    .format = { "onnx" },
    .rule = { &dt_rule_complete, &dt_rule_activation_scale, &dt_rule_weight_scale,
              &dt_rule_levels },
};
