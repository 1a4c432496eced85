/* The one door to arithmetic: a table of function pointers on plain buffers. The scalar tier is the
 * specification; faster tiers overwrite its entries when the processor has what they need. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_KERNELS_H
#define DT_KERNELS_KERNELS_H

#include "kernels/code.h"
#include "kernels/conv.h"
#include "kernels/conv_int.h"
#include "kernels/gemm_kernels.h"
#include "kernels/peak.h"
#include "kernels/tile.h"
#include "kernels/token.h"
#include "kernels/weight.h"

typedef struct dt_kernels {
    const char *isa; /* "scalar", "avx2", "avx512" */
    dt_conv_kernels conv;
    dt_conv_int_kernels conv_int;
    dt_code_kernels code;
    dt_point_kernels point;
    dt_tile_kernels tile;
    dt_token_kernels token;
    dt_weight_kernels weight;
    dt_gemm_kernels gemm;
    dt_peak peak;
} dt_kernels;

/* Fills the table with the best tier up to `cap` (NULL or "": no cap). UNSUPPORTED when `cap` names
 * a tier that this build or processor lacks. */
dt_status dt_kernels_init(dt_kernels *k, const char *cap, dt_error *err) DT_MUST_CHECK;

#endif
