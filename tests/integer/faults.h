/* Faults for the comparison to find: a model that was changed, or an executor that errs. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_INTEGER_FAULTS_H
#define DT_TESTS_INTEGER_FAULTS_H

#include <math.h>

#include "tests/integer/models.h"

typedef struct fault_site {
    dt_int_model *m;
    dt_int_node *n;
    dt_int_value *y; /* its output */
} fault_site;

/* Models. */

static inline void bias_plus_1(fault_site *f)
{
    f->n->bias[1]++;
}

static inline void bias_minus_1(fault_site *f)
{
    f->n->bias[0]--;
}

static inline void bias_rotated(fault_site *f)
{
    int32_t first = f->n->bias[0];
    memmove(f->n->bias, f->n->bias + 1, (size_t)(f->y->C - 1) * sizeof first);
    f->n->bias[f->y->C - 1] = first;
}

static inline void bias_missing(fault_site *f)
{
    memset(f->n->bias, 0, (size_t)f->y->C * sizeof *f->n->bias);
}

static inline int64_t terms(const dt_int_node *n)
{
    return n->shape.KH * n->shape.KW * n->shape.C / n->shape.G;
}

static inline void weight_plus_1(fault_site *f)
{
    int8_t *w = f->n->weight;
    w[terms(f->n) / 2] = (int8_t)(w[terms(f->n) / 2] + (w[terms(f->n) / 2] > 0 ? -1 : 1));
}

static inline void sign_of_a_channel(fault_site *f)
{
    for (int64_t i = 0; i < terms(f->n); i++)
        f->n->weight[i] = (int8_t)-f->n->weight[i];
}

/* Height and width exchanged. */
static inline void kernel_axes(fault_site *f)
{
    const dt_conv_shape *s = &f->n->shape;
    int64_t I = s->C / s->G, K = s->KH;
    for (int64_t o = 0; o < s->O; o++)
        for (int64_t h = 0; h < K; h++)
            for (int64_t w = h + 1; w < K; w++)
                for (int64_t i = 0; i < I; i++) {
                    int8_t *a = &f->n->weight[((o * K + h) * K + w) * I + i];
                    int8_t *b = &f->n->weight[((o * K + w) * K + h) * I + i];
                    int8_t kept = *a;
                    *a = *b;
                    *b = kept;
                }
}

static inline void reverse(int8_t *w, int64_t n)
{
    for (int64_t i = 0; i < n / 2; i++) {
        int8_t kept = w[i];
        w[i] = w[n - 1 - i];
        w[n - 1 - i] = kept;
    }
}

static inline void kernel_flipped(fault_site *f)
{
    for (int64_t o = 0; o < f->n->shape.O; o++)
        reverse(f->n->weight + o * terms(f->n), terms(f->n));
}

static inline void input_axis(fault_site *f)
{
    int64_t I = f->n->shape.C / f->n->shape.G;
    for (int64_t i = 0; i < f->n->shape.O * terms(f->n); i += I)
        reverse(f->n->weight + i, I);
}

static inline void output_axis(fault_site *f)
{
    int64_t K = terms(f->n);
    memmove(f->n->weight, f->n->weight + K, (size_t)((f->n->shape.O - 1) * K));
}

static inline void gain_forgotten(fault_site *f)
{
    for (int64_t i = 0; i < f->n->shape.O * terms(f->n); i++)
        f->n->weight[i] = (int8_t)(f->n->weight[i] / f->n->gain);
}

static inline void scale_plus_1_percent(fault_site *f)
{
    f->n->multiplier[2].f *= 1.01f;
}

static inline void scale_plus_1_ulp(fault_site *f)
{
    for (int64_t c = 0; c < f->y->C; c++)
        f->n->multiplier[c].f = nextafterf(f->n->multiplier[c].f, 1e9f);
}

static inline void scale_of_the_first_channel(fault_site *f)
{
    for (int64_t c = 0; c < f->y->C; c++)
        f->n->multiplier[c] = f->n->multiplier[0];
}

static inline void scale_rotated(fault_site *f)
{
    const dt_multiplier first = f->n->multiplier[0];
    memmove(f->n->multiplier, f->n->multiplier + 1, (size_t)(f->y->C - 1) * sizeof first);
    f->n->multiplier[f->y->C - 1] = first;
}

/* This node alone under another contract. */
static inline void round_as(fault_site *f, const char *contract)
{
    const dt_contract *c;
    const dt_int_node *from = dt_int_producer(f->m, f->n->in[0]);
    ck_assert_int_eq(dt_contract_get(contract, NULL, &c, NULL), DT_OK);
    if (int_is(f->n, "add"))
        f->n->adder = dt_adder_make(c, &f->m->value[f->n->in[0]].grid,
                                    &f->m->value[f->n->in[1]].grid, &f->y->grid);
    for (int64_t i = 0; int_is(f->n, "requant") && i < f->y->C; i++)
        f->n->multiplier[i] =
            from->pixels
                ? dt_multiplier_mean(c, &f->m->value[from->in[0]].grid, &f->y->grid, from->pixels)
                : dt_multiplier_product(c, from->x_scale, from->w_scale[i], f->y->grid.scale);
}

static inline void rounded_double(fault_site *f)
{
    round_as(f, "double");
}

static inline void rounded_single(fault_site *f)
{
    round_as(f, "single");
}

static inline void rounded_xnnpack(fault_site *f)
{
    round_as(f, "xnnpack");
}

static inline void zero_point_plus_1(fault_site *f)
{
    f->y->grid.zero_point++;
}

static inline void zero_point_of_bytes(fault_site *f)
{
    f->y->grid.zero_point = 0;
}

static inline void highest_code_lower(fault_site *f)
{
    f->y->grid.high--;
}

static inline void bits_minus_1(fault_site *f)
{
    f->y->grid.high = f->y->grid.low + (f->y->grid.high - f->y->grid.low) / 2;
}

static inline void no_upper_clip(fault_site *f)
{
    f->y->grid.high = 255;
}

static inline void no_lower_clip(fault_site *f)
{
    f->y->grid.low = 0;
}

static inline void lowest_code_higher(fault_site *f)
{
    f->y->grid.low++;
}

static inline void grid_scale(fault_site *f)
{
    f->y->grid.scale *= 1.02f;
}

static inline void addends_swapped(fault_site *f)
{
    float kept = f->n->adder.a_ratio;
    f->n->adder.a_ratio = f->n->adder.b_ratio;
    f->n->adder.b_ratio = kept;
}

static inline void zero_of_an_addend(fault_site *f)
{
    f->n->adder.fixed += f->n->adder.b_ratio * (float)f->n->adder.b.zero_point;
}

static inline void first_addend_twice(fault_site *f)
{
    f->n->in[1] = f->n->in[0];
}

static inline void fewer_pixels(fault_site *f)
{
    f->n->pixels--;
}

static inline void mean_of_fewer(fault_site *f)
{
    for (int64_t c = 0; c < f->y->C; c++)
        f->n->multiplier[c].f *= 36.0f / 35;
}

static inline void stride_1(fault_site *f)
{
    f->n->shape.SH = f->n->shape.SW = 1;
}

static inline void small_window(fault_site *f)
{
    f->n->shape.KH = f->n->shape.KW = 2;
}

static inline void window_not_padded(fault_site *f)
{
    f->n->shape.PH = f->n->shape.PW = 0;
}

static inline void zeros_behind(fault_site *f)
{
    f->n->before--;
}

/* Executors: the engine, then something wrong at the node called fault_node. */

static const char *fault_node;

static inline bool fault_here(dt_int_run *r, const dt_int_node *n)
{
    dt_int_engine.node(r, n);
    return strcmp(n->name, fault_node) == 0;
}

static inline size_t fault_work(const dt_int_run *r)
{
    return dt_int_engine.work(r);
}

static inline int64_t fault_count(const dt_int_run *r, const dt_int_node *n)
{
    return r->n * dt_int_count(&r->model->value[n->out]);
}

static inline int tap(const dt_int_run *r, const dt_int_node *n, int64_t i, int64_t k, int outside)
{
    const dt_conv_shape *s = &n->shape;
    const dt_int_value *x = &r->model->value[n->in[0]];
    int64_t I = s->C / s->G, o = i % s->O, ow = i / s->O % s->OW, oh = i / s->O / s->OW % s->OH;
    int64_t picture = i / s->O / s->OW / s->OH, h = oh * s->SH - s->PH + k / I / s->KW;
    int64_t w = ow * s->SW - s->PW + k / I % s->KW;
    if (h < 0 || h >= s->H || w < 0 || w >= s->W) return outside;
    return ((const uint8_t *)r->data[n->in[0]])[picture * dt_int_count(x) + (h * s->W + w) * s->C +
                                                o / (s->O / s->G) * I + k % I];
}

/* Pairs of products in 16 bits that saturate: what vpmaddubsw does to large weights. */
static inline void saturating(dt_int_run *r, const dt_int_node *n)
{
    if (!fault_here(r, n)) return;
    int zero = r->model->value[n->in[0]].grid.zero_point;
    int32_t *y = r->data[n->out];
    for (int64_t i = 0; i < fault_count(r, n); i++) {
        const int8_t *w = n->weight + i % n->shape.O * terms(n);
        int32_t sum = n->bias[i % n->shape.O];
        for (int64_t k = 0; k < terms(n); k += 2) {
            int pair = tap(r, n, i, k, zero) * w[k];
            if (k + 1 < terms(n)) pair += tap(r, n, i, k + 1, zero) * w[k + 1];
            sum += pair > 32767 ? 32767 : pair < -32768 ? -32768 : pair;
        }
        for (int64_t k = 0; k < terms(n); k++)
            sum -= zero * w[k];
        y[i] = sum;
    }
}

static inline void padded_with_0(dt_int_run *r, const dt_int_node *n)
{
    if (!fault_here(r, n)) return;
    int zero = r->model->value[n->in[0]].grid.zero_point;
    int32_t *y = r->data[n->out];
    for (int64_t i = 0; i < fault_count(r, n); i++) {
        y[i] = n->bias[i % n->shape.O];
        for (int64_t k = 0; k < terms(n); k++)
            y[i] += (tap(r, n, i, k, 0) - zero) * n->weight[i % n->shape.O * terms(n) + k];
    }
}

static inline void zero_point_of_the_input(dt_int_run *r, const dt_int_node *n)
{
    if (!fault_here(r, n)) return;
    int zero = r->model->value[n->in[0]].grid.zero_point;
    int32_t *y = r->data[n->out];
    for (int64_t i = 0; i < fault_count(r, n); i++)
        for (int64_t k = 0; k < terms(n); k++)
            y[i] += zero * n->weight[i % n->shape.O * terms(n) + k];
}

static inline void bias_twice(dt_int_run *r, const dt_int_node *n)
{
    if (!fault_here(r, n)) return;
    for (int64_t i = 0; i < fault_count(r, n); i++)
        ((int32_t *)r->data[n->out])[i] += n->bias[i % n->shape.O];
}

static inline void sums_of_16_bits(dt_int_run *r, const dt_int_node *n)
{
    if (!fault_here(r, n)) return;
    for (int64_t i = 0; i < fault_count(r, n); i++)
        ((int32_t *)r->data[n->out])[i] = (int16_t)((int32_t *)r->data[n->out])[i];
}

static inline void last_sum_lost(dt_int_run *r, const dt_int_node *n)
{
    if (fault_here(r, n)) ((int32_t *)r->data[n->out])[fault_count(r, n) - 1] = 0;
}

static inline void codes_truncated(dt_int_run *r, const dt_int_node *n)
{
    if (!fault_here(r, n) || !int_is(n, "requant")) return;
    const dt_int_value *v = &r->model->value[n->out];
    for (int64_t i = 0; i < fault_count(r, n); i++) {
        float m = n->multiplier[i % v->C].f,
              q = floorf((float)((int32_t *)r->data[n->in[0]])[i] * m);
        q = fminf(fmaxf(q, (float)(v->grid.low - v->grid.zero_point)),
                  (float)(v->grid.high - v->grid.zero_point));
        ((uint8_t *)r->data[n->out])[i] = (uint8_t)((int)q + v->grid.zero_point);
    }
}

static inline void codes_half_up(dt_int_run *r, const dt_int_node *n)
{
    if (!fault_here(r, n) || !int_is(n, "requant")) return;
    const dt_int_value *v = &r->model->value[n->out];
    for (int64_t i = 0; i < fault_count(r, n); i++) {
        float m = n->multiplier[i % v->C].f,
              q = floorf((float)((int32_t *)r->data[n->in[0]])[i] * m + .5f);
        q = fminf(fmaxf(q, (float)(v->grid.low - v->grid.zero_point)),
                  (float)(v->grid.high - v->grid.zero_point));
        ((uint8_t *)r->data[n->out])[i] = (uint8_t)((int)q + v->grid.zero_point);
    }
}

static inline void codes_wrapped(dt_int_run *r, const dt_int_node *n)
{
    if (!fault_here(r, n) || !int_is(n, "requant")) return;
    const dt_int_value *v = &r->model->value[n->out];
    for (int64_t i = 0; i < fault_count(r, n); i++) {
        float m = n->multiplier[i % v->C].f,
              q = rintf((float)((int32_t *)r->data[n->in[0]])[i] * m);
        ((uint8_t *)r->data[n->out])[i] = (uint8_t)((int)q + v->grid.zero_point);
    }
}

static inline void picture_repeated(dt_int_run *r, const dt_int_node *n)
{
    const dt_int_value *v = &r->model->value[n->out];
    size_t size = (size_t)dt_int_count(v) * (v->is_sum ? 4 : 1);
    if (fault_here(r, n)) memcpy((char *)r->data[n->out] + size, r->data[n->out], size);
}

static inline void one_code_off(dt_int_run *r, const dt_int_node *n)
{
    if (fault_here(r, n)) ((uint8_t *)r->data[n->out])[fault_count(r, n) / 2] ^= 1;
}

#endif
