/* Microcontrollers, by the standalone C program, which has whatever the integer model has. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/target/target.h"

const dt_target dt_target_mcu = {
    .row = { "mcu", "microcontrollers: C99 without dependencies" },
    .format = { "c" },
    .rule = { &dt_rule_complete, &dt_rule_activation_scale, &dt_rule_weight_scale },
};
