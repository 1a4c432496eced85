/* The quantizer table. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fakequant/quantizers.h"

#include <stddef.h>

#define DT_QUANTIZER(name) extern const dt_quantizer dt_quantizer_##name;
#include "fakequant/quantizers.def"
#undef DT_QUANTIZER

static const dt_row *const rows[] = {
#define DT_QUANTIZER(name) &dt_quantizer_##name.row,
#include "fakequant/quantizers.def"
#undef DT_QUANTIZER
    NULL,
};

const dt_table dt_quantizers = { "quantizer", rows };

const dt_quantizer *dt_quantizer_of(const dt_row *row)
{
    return (const dt_quantizer *)(const void *)row;
}

void dt_quantizer_apply(const dt_encode *e, int64_t n, const real *x, real *y)
{
    dt_point_kernels k;
    dt_point_scalar(&k);
    k.encode(1, n, x, e, y);
}
