/* The integer model executed as it is defined: plain loops, integers from the picture's codes to
 * those of the logits. It calls no kernel, so that an error in one cannot hide. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/thread.h"
#include "integer/run.h"

typedef struct job {
    const dt_int_run *r;
    const dt_int_node *n;
    const dt_int_value *x, *y; /* first input (NULL: the picture) and output */
} job;

static const void *input(const job *j, int which, int64_t picture)
{
    int id = j->n->in[which];
    const dt_int_value *v = &j->r->model->value[id];
    int64_t size = v->is_sum ? (int64_t)sizeof(int32_t) : 1;
    return (const char *)j->r->data[id] + picture * dt_int_count(v) * size;
}

static uint8_t *codes(const job *j, int64_t picture)
{
    return (uint8_t *)j->r->data[j->n->out] + picture * dt_int_count(j->y);
}

static int32_t *sums(const job *j, int64_t picture)
{
    return (int32_t *)j->r->data[j->n->out] + picture * dt_int_count(j->y);
}

static void encode_picture(const job *j, int64_t picture)
{
    int64_t count = dt_int_count(j->y);
    uint8_t *y = codes(j, picture);
    for (int64_t i = 0; i < count; i++)
        y[i] = (uint8_t)dt_grid_encode(&j->y->grid, j->r->picture[picture * count + i]);
}

/* Sum of one output; taps outside the picture have the value zero and add nothing. */
static int32_t product_at(const job *j, const uint8_t *x, int64_t oh, int64_t ow, int64_t o)
{
    const dt_conv_shape *s = &j->n->shape;
    int64_t I = s->C / s->G, first = o / (s->O / s->G) * I;
    int32_t sum = j->n->bias[o], zero = j->x->grid.zero_point;
    for (int64_t kh = 0; kh < s->KH; kh++)
        for (int64_t kw = 0; kw < s->KW; kw++) {
            int64_t h = oh * s->SH - s->PH + kh, w = ow * s->SW - s->PW + kw;
            if (h < 0 || h >= s->H || w < 0 || w >= s->W) continue;
            const uint8_t *at = x + (h * s->W + w) * s->C + first;
            const int8_t *f = j->n->weight + ((o * s->KH + kh) * s->KW + kw) * I;
            for (int64_t i = 0; i < I; i++) /* 16 bits hold it, and compilers know the pattern */
                sum += (int16_t)(at[i] - zero) * (int16_t)f[i];
        }
    return sum;
}

static void product(const job *j, int64_t picture)
{
    const uint8_t *x = input(j, 0, picture);
    int32_t *y = sums(j, picture);
    for (int64_t oh = 0; oh < j->y->H; oh++)
        for (int64_t ow = 0; ow < j->y->W; ow++)
            for (int64_t o = 0; o < j->y->C; o++)
                *y++ = product_at(j, x, oh, ow, o);
}

static void mean(const job *j, int64_t picture)
{
    const uint8_t *x = input(j, 0, picture);
    int32_t *y = sums(j, picture);
    for (int64_t c = 0; c < j->x->C; c++) {
        y[c] = 0;
        for (int64_t p = 0; p < j->n->pixels; p++)
            y[c] += x[p * j->x->C + c] - j->x->grid.zero_point;
    }
}

static void requant(const job *j, int64_t picture)
{
    const int32_t *x = input(j, 0, picture);
    uint8_t *y = codes(j, picture);
    int low = j->y->grid.low, high = j->y->grid.high;
    for (int64_t i = 0; i < dt_int_count(j->y); i++)
        y[i] =
            (uint8_t)dt_int_stairs(j->n->threshold + i % j->y->C * (high - low), low, high, x[i]);
}

static void add(const job *j, int64_t picture)
{
    const uint8_t *a = input(j, 0, picture), *b = input(j, 1, picture);
    uint8_t *y = codes(j, picture);
    for (int64_t i = 0; i < dt_int_count(j->y); i++)
        y[i] = j->n->pair[a[i] * DT_CODES + b[i]];
}

static void table(const job *j, int64_t picture)
{
    const uint8_t *x = input(j, 0, picture);
    uint8_t *y = codes(j, picture);
    for (int64_t i = 0; i < dt_int_count(j->y); i++)
        y[i] = j->n->table[x[i]];
}

/* Greatest code of a window; a window holds at least one pixel of the picture. */
static void maxpool(const job *j, int64_t picture)
{
    const dt_conv_shape *s = &j->n->shape;
    const uint8_t *x = input(j, 0, picture);
    uint8_t *y = codes(j, picture);
    int64_t H = j->x->H, W = j->x->W, C = j->x->C;
    for (int64_t i = 0; i < dt_int_count(j->y); i++) {
        int64_t c = i % C, ow = i / C % j->y->W, oh = i / C / j->y->W;
        int most = 0;
        for (int64_t k = 0; k < s->KH * s->KW; k++) {
            int64_t h = oh * s->SH - s->PH + k / s->KW, w = ow * s->SW - s->PW + k % s->KW;
            if (h < 0 || h >= H || w < 0 || w >= W) continue;
            int code = x[(h * W + w) * C + c];
            most = code > most ? code : most;
        }
        y[i] = (uint8_t)most;
    }
}

static void pad(const job *j, int64_t picture)
{
    const uint8_t *x = input(j, 0, picture);
    uint8_t *y = codes(j, picture);
    int64_t W = j->x->W, I = j->x->C;
    for (int64_t i = 0; i < dt_int_count(j->y); i++) {
        int64_t c = i % j->y->C - j->n->before, ow = i / j->y->C % j->y->W;
        int64_t oh = i / j->y->C / j->y->W;
        y[i] = c < 0 || c >= I ? (uint8_t)j->y->grid.zero_point
                               : x[(oh * j->n->shape.SH * W + ow * j->n->shape.SW) * I + c];
    }
}

static void picture_task(void *arg, int64_t i, int thread)
{
    static void (*const run[DT_INT_KINDS])(const job *j, int64_t picture) = {
        [DT_INT_INPUT] = encode_picture, [DT_INT_PRODUCT] = product, [DT_INT_MEAN] = mean,
        [DT_INT_REQUANT] = requant,      [DT_INT_ADD] = add,         [DT_INT_TABLE] = table,
        [DT_INT_MAXPOOL] = maxpool,      [DT_INT_PAD] = pad,
    };
    (void)thread;
    const job *j = arg;
    run[j->n->kind](j, i);
}

static void node(dt_int_run *r, const dt_int_node *n)
{
    job j = { r, n, n->in[0] >= 0 ? &r->model->value[n->in[0]] : NULL, &r->model->value[n->out] };
    dt_parallel(r->threads, r->n, picture_task, &j);
}

const dt_int_executor dt_int_reference = { "reference", node, NULL };
