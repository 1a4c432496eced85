/* Identity, and Dropout as it is outside of training: their output is their input. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_ops.h"

static dt_status build(dt_ox_walk *w)
{
    const dt_ox_value *v;
    DT_TRY(dt_ox_need(w, 0, &v));
    return dt_ox_set(w, 0, v);
}

const dt_ox_op dt_ox_op_Identity = { .name = "Identity",
                                     .in_min = 1,
                                     .in_max = 1,
                                     .build = build,
                                     .sees_constants = true,
                                     .takes_codes = true };
const dt_ox_op dt_ox_op_Dropout = { .name = "Dropout",
                                    .in_min = 1,
                                    .in_max = 3,
                                    .build = build,
                                    .sees_constants = true,
                                    .takes_codes = true };
