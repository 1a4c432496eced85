/* LiteRT. TFLite's 8-bit specification has symmetric weights in -127..127 and any zero point for
 * activations. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/target/target.h"

const dt_target dt_target_litert = {
    .row = { "litert", "LiteRT, TensorFlow Lite" },
    .format = { "tflite", "tflite_int4" },
    .rule = { &dt_rule_complete, &dt_rule_activation_scale, &dt_rule_weight_scale,
              &dt_rule_narrow },
};
