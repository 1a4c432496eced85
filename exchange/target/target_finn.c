/* FINN. Activations become thresholds; its front end takes unsigned grids from 0 behind a ReLU and
 * signed ones around 0. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/target/target.h"

const dt_target dt_target_finn = {
    .row = { "finn", "FINN and hls4ml, dataflow on FPGAs" },
    .format = { "qonnx" },
    .rule = { &dt_rule_complete, &dt_rule_activation_scale, &dt_rule_weight_scale,
              &dt_rule_no_offset, &dt_rule_few_thresholds },
};
