/* What quantizers with even steps share. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fakequant/uniform.h"

#include <math.h>

#include "core/mathx.h"

void dt_uniform_codes(const dt_quant_site *site, int narrow, int *out_qmin, int *out_qmax)
{
    int half = 1 << (site->bits - 1);
    bool without_lowest =
        narrow == DT_NARROW_YES || (narrow == DT_NARROW_AUTO && site->weight && site->bits == 8);
    *out_qmin = site->is_signed ? -half + without_lowest : 0;
    *out_qmax = site->is_signed ? half - 1 : 2 * half - 1;
}

bool dt_uniform_of_codes(int low, int high, dt_quant_site *site, int *out_narrow)
{
    dt_quant_site s = *site;
    s.is_signed = low < 0;
    for (s.bits = 2; s.bits <= 8; s.bits++)
        for (int narrow = DT_NARROW_NO; narrow <= (s.is_signed ? DT_NARROW_YES : DT_NARROW_NO);
             narrow++) {
            int qmin, qmax;
            dt_uniform_codes(&s, narrow, &qmin, &qmax);
            if (qmin != low || qmax != high) continue;
            *site = s;
            *out_narrow = narrow;
            return true;
        }
    return false;
}

double dt_uniform_grad_factor(int grad_scale, int act_N, const dt_quant_site *site, double qmax)
{
    bool features = act_N == DT_COUNT_FEATURES && !site->weight;
    double N = (double)(features ? site->features : site->count);
    if (!features && !site->weight && site->batches > 1) N *= site->batches;
    if (grad_scale == DT_GRAD_NONE) return 1;
    return 1 / sqrt(grad_scale == DT_GRAD_SQRT_N ? N : N * qmax);
}

static double sigmoid(double x)
{
    return 1 / (1 + dt_exp(-x));
}

bool dt_uniform_read_ends(dt_quant_read_fn read, void *arg, int k, double *out_low,
                          double *out_high)
{
    double a, b, low, high;
    bool has_start = read(arg, "low_start", &low) && read(arg, "high_start", &high);
    if (read(arg, "low", &a) && read(arg, "high", &b))
        low = a, high = b;
    else if (read(arg, "scale", &a) && read(arg, "zero_point", &b))
        low = -a * b, high = a * (k - b);
    else if (has_start && read(arg, "beta", &a) && read(arg, "gamma", &b))
        low *= a, high *= b;
    else if (has_start && read(arg, "beta_logit", &a) && read(arg, "gamma_logit", &b))
        low *= sigmoid(a), high *= sigmoid(b);
    else
        return false;
    *out_low = fmin(low, 0);
    *out_high = fmax(high, 0);
    return isfinite(low) && isfinite(high) && *out_high > *out_low;
}
