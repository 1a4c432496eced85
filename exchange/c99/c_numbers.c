/* Packing of weights; float32 numbers as integers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/c99/c_numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exchange/exporter.h"

/* Trained code of weight i of an output. */
static int code_of(const dt_int_node *n, int64_t o, int64_t K, int64_t i)
{
    int w = n->weight[o * K + i] / n->gain;
    return n->negated[o] ? -w : w;
}

/* Are all codes of a byte, as `level` and the C program hold them? */
static bool fits_byte(const dt_int_node *n, int64_t K)
{
    for (int64_t o = 0; o < n->shape.O; o++)
        for (int64_t i = 0; i < K; i++) {
            int w = code_of(n, o, K, i) * n->gain;
            if (w < -128 || w > 127) return false;
        }
    return true;
}

static bool fits_two_complement(const dt_int_node *n, int64_t K)
{
    int half = 1 << (n->bits - 1);
    for (int64_t o = 0; o < n->shape.O; o++)
        for (int64_t i = 0; i < K; i++) {
            int code = code_of(n, o, K, i);
            if (code < -half || code >= half) return false;
        }
    return true;
}

/* index[w + 128]: which of the different weights w is, ascending; counts them. */
static int list_levels(const dt_int_node *n, int64_t K, int index[DT_CODES], int8_t *level)
{
    int count = 0;
    bool used[DT_CODES] = { false };
    for (int64_t o = 0; o < n->shape.O; o++)
        for (int64_t i = 0; i < K; i++)
            used[code_of(n, o, K, i) * n->gain + 128] = true;
    for (int w = 0; w < DT_CODES; w++) {
        if (!used[w]) continue;
        level[count] = (int8_t)(w - 128);
        index[w] = count++;
    }
    return count;
}

static void put_bits(uint8_t *bytes, size_t at, int bits, unsigned code)
{
    for (int i = 0; i < bits; i++, at++)
        bytes[at / 8] |= (uint8_t)((code >> i & 1) << at % 8);
}

static dt_status get_levels(const dt_int_node *n, int64_t K, dt_arena *arena, int index[DT_CODES],
                            dt_c_weights *w, dt_error *err)
{
    w->level = dt_arena_get(arena, DT_CODES);
    if (!w->level) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to pack weights");
    w->levels = list_levels(n, K, index, w->level);
    if (w->levels > 1 << n->bits)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = n->name },
                       "has %d different weights, %d bits tell %d apart; more bits for this layer "
                       "do",
                       w->levels, n->bits, 1 << n->bits);
    return DT_OK;
}

dt_status dt_c_pack(const dt_int_node *n, dt_arena *arena, dt_c_weights *out, dt_error *err)
{
    const dt_conv_shape *s = &n->shape;
    int64_t K = s->KH * s->KW * s->C / s->G;
    size_t bits = (size_t)n->bits, count = (size_t)(s->O * K);
    int index[DT_CODES];
    dt_c_weights w = { .size = dt_export_low_bytes(count, n->bits) };
    if (count > UINT32_MAX / bits)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = n->name },
                       "has %zu weights of %zu bits, more than 512 MiB", count, bits);
    if (!fits_byte(n, K))
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = n->name },
                       "has weights whose trained codes do not fit 8 bits; quantize them with "
                       "narrow: yes");
    if (!fits_two_complement(n, K)) DT_TRY(get_levels(n, K, arena, index, &w, err));
    w.bytes = dt_arena_get(arena, w.size);
    if (!w.bytes) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to pack weights");
    for (int64_t o = 0; o < s->O; o++)
        for (int64_t i = 0; i < K; i++) {
            int code = code_of(n, o, K, i);
            unsigned bytes = (unsigned)(w.level ? index[code * n->gain + 128] : code);
            put_bits(w.bytes, (size_t)(o * K + i) * bits, n->bits, bytes);
        }
    *out = w;
    return DT_OK;
}

/* x = m 2^e with m odd, or 0. */
static int64_t split(float x, int *out_e)
{
    int e;
    int64_t m = (int64_t)ldexpf(frexpf(x, &e), 24);
    *out_e = m ? e - 24 : 0;
    for (; m && m % 2 == 0; (*out_e)++)
        m /= 2;
    return m;
}

enum { MAX_SHIFT = 62 };

dt_c_scale dt_c_scale_of(const dt_multiplier *m)
{
    int e;
    if (m->rounding == DT_ROUND_SINGLE) return (dt_c_scale){ m->m, 31 - m->e };
    if (m->rounding == DT_ROUND_DOUBLE) return (dt_c_scale){ m->m, m->e };
    int32_t bits = (int32_t)ldexpf(frexpf(m->f, &e), 24);
    if (24 - e > MAX_SHIFT) return (dt_c_scale){ 0, 0 }; /* every sum becomes 0 */
    return (dt_c_scale){ bits, e > 24 ? 0 : 24 - e };    /* every sum but 0 leaves the codes */
}

/* m 2^(e + shift) if it has at most `bits` bits. */
static bool scale_up(int64_t m, int e, int shift, int bits, int64_t *out)
{
    if (m && (e + shift > MAX_SHIFT || llabs(m) > (INT64_C(1) << bits) >> (e + shift)))
        return false;
    *out = m ? m * (INT64_C(1) << (e + shift)) : 0;
    return true;
}

bool dt_c_sum_of(const dt_adder *d, dt_c_sum *out)
{
    int ea, eb, ef;
    dt_c_sum s = { .shift = d->shift };
    if (d->adding == DT_ADD_XNNPACK) {
        s.a = d->a_times;
        s.b = d->b_times;
        s.fixed = (INT64_C(1) << (d->shift - 1)) + d->y.zero_point * (INT64_C(1) << d->shift) -
                  s.a * d->a.zero_point - s.b * d->b.zero_point;
        *out = s;
        return true;
    }
    int64_t a = split(d->a_ratio, &ea), b = split(d->b_ratio, &eb), fixed = split(d->fixed, &ef);
    s.shift = 0;
    s.shift = -ea > s.shift ? -ea : s.shift;
    s.shift = -eb > s.shift ? -eb : s.shift;
    s.shift = -ef > s.shift ? -ef : s.shift;
    enum { ROOM = 60, CODE_BITS = 8 }; /* codes times ratios stay below 2^62 with `fixed` */
    if (!scale_up(a, ea, s.shift, ROOM - CODE_BITS, &s.a) ||
        !scale_up(b, eb, s.shift, ROOM - CODE_BITS, &s.b) ||
        !scale_up(fixed, ef, s.shift, ROOM, &s.fixed))
        return false;
    *out = s;
    return true;
}
