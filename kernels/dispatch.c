/* Choice of kernels by what the processor can do, capped by name. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>

#include "kernels/kernels.h"

typedef struct tier {
    const char *isa;
    bool present; /* in this build and processor */
    void (*conv)(dt_conv_kernels *k);
    void (*conv_int)(dt_conv_int_kernels *k);
    void (*code)(dt_code_kernels *k);
    void (*point)(dt_point_kernels *k);
    void (*tile)(dt_tile_kernels *k);
    void (*token)(dt_token_kernels *k);
    void (*weight)(dt_weight_kernels *k);
    void (*gemm)(dt_gemm_kernels *k);
    dt_peak peak;
} tier;

/* Ascending; returns how many there are. */
static int list_tiers(tier *t)
{
    int n = 0;
    t[n++] = (tier){
        "scalar",        true,           dt_conv_scalar,  dt_conv_int_scalar, dt_code_scalar,
        dt_point_scalar, dt_tile_scalar, dt_token_scalar, dt_weight_scalar,
        dt_gemm_scalar,  dt_peak_scalar
    };
#if defined(__x86_64__) && !defined(DT_REAL_DOUBLE)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                  __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
    bool vnni = avx512 && __builtin_cpu_supports("avx512vnni");
    t[n++] = (tier){ "avx2",        avx2,         dt_conv_avx2,  dt_conv_int_avx2, dt_code_avx2,
                     dt_point_avx2, dt_tile_avx2, dt_token_avx2, dt_weight_avx2,
                     dt_gemm_avx2,  dt_peak_avx2 };
    t[n++] = (tier){ "avx512",         avx512,
                     dt_conv_avx512,   vnni ? dt_conv_int_vnni : dt_conv_int_avx2,
                     dt_code_avx512,   dt_point_avx512,
                     dt_tile_avx512,   dt_token_avx512,
                     dt_weight_avx512, dt_gemm_avx512,
                     dt_peak_avx512 };
#endif
    return n;
}

dt_status dt_kernels_init(dt_kernels *k, const char *cap, dt_error *err)
{
    const dt_where where = { .key = "isa" };
    tier t[4];
    int n = list_tiers(t), best = 0;
    bool found = !cap || !*cap;
    for (int i = 0; i < n; i++) {
        if (t[i].present) best = i;
        if (cap && strcmp(cap, t[i].isa) == 0) {
            found = t[i].present;
            break;
        }
    }
    if (!found)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &where,
                       "'%s' is not in this build or processor, the nearest is '%s'", cap,
                       t[best].isa);
    k->isa = t[best].isa;
    t[best].conv(&k->conv);
    t[best].conv_int(&k->conv_int);
    t[best].code(&k->code);
    t[best].point(&k->point);
    t[best].tile(&k->tile);
    t[best].token(&k->token);
    t[best].weight(&k->weight);
    t[best].gemm(&k->gemm);
    k->peak = t[best].peak;
    return DT_OK;
}
