/* No quantization: the site stays float. The graph builder inserts no node for it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fakequant/quantizers.h"

const dt_quantizer dt_quantizer_none = {
    .row = { .name = "none", .help = "not quantized: the site stays float" },
    .min_bits = 1,
    .max_bits = 8,
};
