/* Rounding contracts, scalar. Sources: onnxruntime core/mlas/lib/{quantize,qladd}.cpp, and for the
 * fused addition onnxruntime 1.31.1 itself: of the ways to fuse, this one gave its codes for all
 * pairs of codes on 400 random triples of grids (bench/ort_add.py); XNNPACK
 * src/{microparams-init.c,qs8-vadd/scalar.c.in}; gemmlowp fixedpoint/fixedpoint.h; tflite-micro
 * kernels/internal/{common.cc,reference/integer_ops/add.h}. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "integer/contract.h"

#include <math.h>
#include <string.h>

#include "core/opt.h"

const dt_contract dt_contracts[] = {
    { "fp32", "float32 multiplier, half to even: onnxruntime", DT_ROUND_FP32, DT_ADD_FUSED,
      DT_MEAN_FP32 },
    { "unfused", "as fp32, additions without fused multiply-add: onnxruntime without FMA",
      DT_ROUND_FP32, DT_ADD_UNFUSED, DT_MEAN_FP32 },
    { "xnnpack", "products as fp32, additions by 21-bit multipliers: LiteRT", DT_ROUND_FP32,
      DT_ADD_XNNPACK, DT_MEAN_XNNPACK },
    { "single", "31-bit multiplier, one rounding, half up", DT_ROUND_SINGLE, DT_ADD_FIXED,
      DT_MEAN_FIXED },
    { "double", "31-bit multiplier, gemmlowp's two roundings: TFLite, CMSIS-NN", DT_ROUND_DOUBLE,
      DT_ADD_FIXED, DT_MEAN_FIXED },
    { 0 },
};

dt_status dt_contract_get(const char *name, const char *key, const dt_contract **out, dt_error *err)
{
    const char *names[DT_ARRAY_LEN(dt_contracts)];
    size_t n = 0;
    for (const dt_contract *c = dt_contracts; c->name; c++) {
        names[n++] = c->name;
        if (strcmp(c->name, name) != 0) continue;
        *out = c;
        return DT_OK;
    }
    const char *near = dt_nearest(name, names, n);
    return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .key = key },
                   "unknown rounding '%s', %s%s%s", name,
                   near ? "did you mean '" : "there are fp32, unfused, xnnpack, single, double",
                   near ? near : "", near ? "'?" : "");
}

static int32_t clamp(int64_t v, int32_t low, int32_t high)
{
    return (int32_t)(v < low ? low : v > high ? high : v);
}

/* M > 0 as m 2^(e - 31). */
static dt_multiplier fixed_point(dt_rounding rounding, double M)
{
    int e;
    int64_t m = (int64_t)round(frexp(M, &e) * 2147483648.0);
    if (m == INT64_C(2147483648)) {
        m /= 2;
        e++;
    }
    if (e < -31) m = e = 0;
    if (e > 30) m = INT32_MAX, e = 30;
    return (dt_multiplier){ .rounding = rounding, .f = (float)M, .m = (int32_t)m, .e = e };
}

dt_multiplier dt_multiplier_product(const dt_contract *c, float x_scale, float w_scale,
                                    float y_scale)
{
    float sums = x_scale * w_scale; /* rounded to float before the division */
    if (c->rounding == DT_ROUND_FP32)
        return (dt_multiplier){ .rounding = c->rounding, .f = sums / y_scale };
    return fixed_point(c->rounding, (double)x_scale * (double)w_scale / (double)y_scale);
}

/* m / n as TFLite has it (reference/reduce.h, QuantizedMeanOrSum): m is shifted left by the whole
 * bits of n and divided, rounding down. */
static dt_multiplier divide(dt_multiplier m, int64_t n)
{
    int shift = 0;
    while (shift < 32 && shift < 31 + m.e && n >> (shift + 1))
        shift++;
    m.f /= (float)n;
    m.m = (int32_t)(((int64_t)m.m << shift) / n);
    m.e -= shift;
    return m;
}

enum { STORED = -128 }; /* from our codes to those of a TFLite file */

/* Found by LiteRT's own codes: of the ways to compute it in float, this one gave them for all sums of
 * 4 to 64 codes on random grids (tests/exchange/litert_means.py). */
static dt_multiplier mean_xnnpack(const dt_lower_grid *x, const dt_lower_grid *y, int64_t n)
{
    dt_multiplier m = { .rounding = DT_ROUND_FP32, .converts = true };
    float ratio = x->scale / y->scale, part = 1 / (float)n;
    m.f = ratio * part;
    m.zeros = (int32_t)n * (x->zero_point + STORED);
    m.z = y->zero_point + STORED;
    float zeros = (float)m.zeros * m.f;
    m.bias = (float)m.z - zeros;
    return m;
}

dt_multiplier dt_multiplier_mean(const dt_contract *c, const dt_lower_grid *x,
                                 const dt_lower_grid *y, int64_t n)
{
    if (c->averaging == DT_MEAN_FIXED)
        return divide(fixed_point(c->rounding, (double)x->scale / (double)y->scale), n);
    if (c->averaging == DT_MEAN_XNNPACK) return mean_xnnpack(x, y, n);
    float whole = y->scale * (float)n;
    return (dt_multiplier){ .rounding = DT_ROUND_FP32, .f = x->scale / whole };
}

double dt_multiplier_value(const dt_multiplier *m)
{
    return m->rounding == DT_ROUND_FP32 ? (double)m->f : ldexp((double)m->m, m->e - 31);
}

/* Rounding right shift, half away from zero. */
static int64_t shift_away(int64_t x, int shift)
{
    int64_t mask = (INT64_C(1) << shift) - 1, rest = x & mask;
    return (x >> shift) + (rest > (mask >> 1) + (x < 0));
}

static int64_t fixed_apply(const dt_multiplier *m, int64_t sum)
{
    if (m->rounding == DT_ROUND_SINGLE)
        return (sum * m->m + (INT64_C(1) << (30 - m->e))) >> (31 - m->e);
    int left = m->e > 0 ? m->e : 0, right = m->e < 0 ? -m->e : 0;
    int64_t shifted = sum * (INT64_C(1) << left);
    if (shifted > INT32_MAX) shifted = INT32_MAX; /* codes are long clamped there */
    if (shifted < INT32_MIN) shifted = INT32_MIN;
    return shift_away((shifted * m->m + (INT64_C(1) << 30)) >> 31, right);
}

static int32_t round_float(float v, int32_t low, int32_t high)
{
    if (!(v > (float)low)) return low;
    return v < (float)high ? (int32_t)rintf(v) : high;
}

int32_t dt_multiplier_apply(const dt_multiplier *m, int32_t sum, int32_t low, int32_t high)
{
    if (m->rounding != DT_ROUND_FP32) return clamp(fixed_apply(m, sum), low, high);
    float s = (float)(sum + m->zeros), scaled = s * m->f; /* s itself rounded above 2^24 */
    if (!m->converts) return round_float(scaled, low, high);
    return round_float(scaled + m->bias, low + m->z, high + m->z) - m->z;
}

static void adder_float(dt_adder *r)
{
    r->a_ratio = r->a.scale / r->y.scale;
    r->b_ratio = r->b.scale / r->y.scale;
    float za = r->a_ratio * (float)r->a.zero_point, zb = r->b_ratio * (float)r->b.zero_point;
    float zeros = za + zb;
    if (r->adding == DT_ADD_FUSED) zeros = fmaf(r->a_ratio, (float)r->a.zero_point, zb);
    r->fixed = (float)r->y.zero_point - zeros;
}

static void adder_shift(dt_adder *r)
{
    enum { BITS = 20 };
    int e;
    float a = r->a.scale / r->y.scale, b = r->b.scale / r->y.scale;
    frexpf(a > b ? a : b, &e);
    r->shift = BITS - (e - 1);
    if (r->shift < 1) r->shift = 1; /* a ratio of 2^20 or more saturates every code */
    if (r->shift > 40) r->shift = 40;
    r->a_times = (int32_t)rint(ldexp((double)a, r->shift));
    r->b_times = (int32_t)rint(ldexp((double)b, r->shift));
}

enum { TFLITE_SHIFT = 20 };

static void adder_fixed(dt_adder *r, dt_rounding rounding)
{
    double sa = (double)r->a.scale, sb = (double)r->b.scale, most = 2 * (sa > sb ? sa : sb);
    r->a_scale = fixed_point(rounding, sa / most);
    r->b_scale = fixed_point(rounding, sb / most);
    r->y_scale = fixed_point(rounding, most / ((1 << TFLITE_SHIFT) * (double)r->y.scale));
}

dt_adder dt_adder_make(const dt_contract *c, const dt_lower_grid *a, const dt_lower_grid *b,
                       const dt_lower_grid *y)
{
    dt_adder r = { .adding = c->adding, .a = *a, .b = *b, .y = *y };
    if (c->adding <= DT_ADD_UNFUSED) adder_float(&r);
    if (c->adding == DT_ADD_XNNPACK) adder_shift(&r);
    if (c->adding == DT_ADD_FIXED) adder_fixed(&r, c->rounding);
    return r;
}

int32_t dt_adder_apply(const dt_adder *r, int32_t a, int32_t b)
{
    int64_t x = a - r->a.zero_point, y = b - r->b.zero_point, sum;
    if (r->adding == DT_ADD_FUSED) {
        float part = fmaf((float)b, r->b_ratio, r->fixed);
        return round_float(fmaf((float)a, r->a_ratio, part), r->y.low, r->y.high);
    }
    if (r->adding == DT_ADD_UNFUSED) {
        float fa = (float)a * r->a_ratio, fb = (float)b * r->b_ratio, part = r->fixed + fa;
        return round_float(part + fb, r->y.low, r->y.high);
    }
    if (r->adding == DT_ADD_XNNPACK) {
        sum = x * r->a_times + y * r->b_times + (INT64_C(1) << (r->shift - 1));
        return clamp((sum >> r->shift) + r->y.zero_point, r->y.low, r->y.high);
    }
    sum = fixed_apply(&r->a_scale, x * (1 << TFLITE_SHIFT)) +
          fixed_apply(&r->b_scale, y * (1 << TFLITE_SHIFT));
    return clamp(fixed_apply(&r->y_scale, sum) + r->y.zero_point, r->y.low, r->y.high);
}

int32_t dt_grid_encode(const dt_lower_grid *y, float x)
{
    float u = x / y->scale;
    if (!(u == u)) return y->zero_point;
    return round_float(u, y->low - y->zero_point, y->high - y->zero_point) + y->zero_point;
}

float dt_grid_value(const dt_lower_grid *x, int32_t code)
{
    return (float)(code - x->zero_point) * x->scale;
}

int32_t dt_grid_move(const dt_lower_grid *x, const dt_lower_grid *y, int32_t code)
{
    return dt_grid_encode(y, dt_grid_value(x, code));
}
