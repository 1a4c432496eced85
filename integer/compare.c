/* Comparison of two executions, and of two models. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "integer/compare.h"

#include <stdio.h>
#include <string.h>

static int64_t element(const dt_int_value *v, const void *data, int64_t i)
{
    return v->is_sum ? ((const int32_t *)data)[i] : ((const uint8_t *)data)[i];
}

static void note_first(dt_int_diff *d, const dt_int_value *v, int64_t i, int64_t picture,
                       int64_t got, int64_t want)
{
    int64_t at = i % dt_int_count(v);
    d->picture = picture + i / dt_int_count(v);
    d->y = at / v->C / v->W;
    d->x = at / v->C % v->W;
    d->channel = at % v->C;
    d->got = got;
    d->want = want;
}

void dt_int_diff_add(dt_int_diff *d, const dt_int_value *v, const void *got, const void *want,
                     int64_t n, int64_t picture)
{
    int64_t count = n * dt_int_count(v);
    size_t size = v->is_sum ? sizeof(int32_t) : 1;
    d->checked += count;
    if (memcmp(got, want, (size_t)count * size) == 0) return;
    for (int64_t i = 0; i < count; i++) {
        int64_t a = element(v, got, i), b = element(v, want, i), size_of = a > b ? a - b : b - a;
        if (a == b) continue;
        if (d->differ++ == 0) note_first(d, v, i, picture, a, b);
        if (size_of > d->largest) d->largest = size_of;
    }
}

static bool same_nodes(const dt_int_model *a, const dt_int_model *b)
{
    bool same = a->node_count == b->node_count && a->value_count == b->value_count;
    for (int i = 0; same && i < a->node_count; i++) {
        const dt_int_node *m = &a->node[i], *n = &b->node[i];
        same = m->form == n->form && m->out == n->out && strcmp(m->name, n->name) == 0;
    }
    for (int i = 0; same && i < a->value_count; i++)
        same = dt_int_count(&a->value[i]) == dt_int_count(&b->value[i]) &&
               a->value[i].C == b->value[i].C && a->value[i].is_sum == b->value[i].is_sum;
    return same;
}

static dt_status get_spares(dt_int_compare *c, const dt_int_compare_params *p, dt_error *err)
{
    const dt_int_model *m = p->model;
    size_t nodes = (size_t)m->node_count + 1;
    c->chained = dt_get_array(p->alloc, nodes, sizeof *c->chained, "comparison");
    c->isolated = dt_get_array(p->alloc, nodes, sizeof *c->isolated, "comparison");
    c->spare = dt_get_array(p->alloc, (size_t)m->value_count + 1, sizeof *c->spare, "comparison");
    bool ok = c->chained && c->isolated && c->spare;
    for (int i = 0; ok && i < m->value_count; i++) {
        size_t size = m->value[i].is_sum ? sizeof(int32_t) : 1;
        size_t count = (size_t)(p->room * dt_int_count(&m->value[i]));
        c->spare[i] = dt_get_array(p->alloc, count, size, "comparison");
        ok = c->spare[i] != NULL;
    }
    return ok ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to compare");
}

dt_status dt_int_compare_init(dt_int_compare *c, const dt_int_compare_params *p, dt_error *err)
{
    const dt_int_model *tested = p->tested ? p->tested : p->model;
    const dt_int_executor *e = p->executor ? p->executor : &dt_int_engine;
    *c = (dt_int_compare){ 0 };
    if (!same_nodes(p->model, tested))
        return dt_fail(err, DT_ERR_ARG, NULL, "the models have other nodes or shapes");
    DT_TRY(dt_int_run_init(&c->reference, p->model, &dt_int_reference, NULL, p->threads, p->room,
                           p->alloc, err));
    dt_status st =
        dt_int_run_init(&c->tested, tested, e, p->kernels, p->threads, p->room, p->alloc, err);
    if (st == DT_OK) st = get_spares(c, p, err);
    if (st != DT_OK) dt_int_compare_fini(c);
    return st;
}

void dt_int_compare_fini(dt_int_compare *c)
{
    const dt_alloc *a = c->reference.alloc;
    for (int i = 0; c->spare && i < c->reference.model->value_count; i++)
        dt_put(a, c->spare[i]);
    dt_put(a, c->spare);
    dt_put(a, c->chained);
    dt_put(a, c->isolated);
    if (c->tested.model) dt_int_run_fini(&c->tested);
    if (c->reference.model) dt_int_run_fini(&c->reference);
    *c = (dt_int_compare){ 0 };
}

/* The tested node on the reference's inputs. */
static void isolate(dt_int_compare *c, int node, int64_t picture)
{
    const dt_int_node *n = &c->reference.model->node[node];
    const dt_int_value *v = &c->reference.model->value[n->out];
    void *kept[DT_INT_MAX_IN], *out = c->tested.data[n->out];
    for (int k = 0; k < n->in_count; k++) {
        kept[k] = c->tested.data[n->in[k]];
        c->tested.data[n->in[k]] = c->reference.data[n->in[k]];
    }
    c->tested.data[n->out] = c->spare[n->out];
    dt_int_run_node(&c->tested, node);
    dt_int_diff_add(&c->isolated[node], v, c->spare[n->out], c->reference.data[n->out], c->tested.n,
                    picture);
    c->tested.data[n->out] = out;
    for (int k = n->in_count - 1; k >= 0; k--) /* inputs may be one value */
        c->tested.data[n->in[k]] = kept[k];
}

void dt_int_compare_batch(dt_int_compare *c, const float *picture, int64_t n)
{
    const dt_int_model *m = c->reference.model;
    dt_int_run_forward(&c->tested, picture, n);
    dt_int_run_forward(&c->reference, picture, n);
    for (int i = 0; i < m->node_count; i++) {
        int out = m->node[i].out;
        dt_int_diff_add(&c->chained[i], &m->value[out], c->tested.data[out], c->reference.data[out],
                        n, c->pictures);
        isolate(c, i, c->pictures);
    }
    c->pictures += n;
}

int dt_int_compare_first(const dt_int_compare *c)
{
    for (int i = 0; i < c->reference.model->node_count; i++)
        if (c->isolated[i].differ) return i;
    return -1;
}

/* Models */

typedef struct differ {
    const dt_int_node *n;
    char *text;
    size_t size;
} differ;

static bool numbers(const differ *d, const char *what, int64_t i, double a, double b)
{
    if (a == b) return false;
    snprintf(d->text, d->size, "%s: %s %lld is %.9g, not %.9g", d->n->name, what, (long long)i, a,
             b);
    return true;
}

static bool floats(const differ *d, const char *what, const float *a, const float *b, int64_t n)
{
    for (int64_t i = 0; a && i < n; i++)
        if (numbers(d, what, i, (double)a[i], (double)b[i])) return true;
    return false;
}

static bool ints(const differ *d, const char *what, const int32_t *a, const int32_t *b, int64_t n)
{
    for (int64_t i = 0; a && i < n; i++)
        if (numbers(d, what, i, a[i], b[i])) return true;
    return false;
}

static bool bytes(const differ *d, const char *what, const void *a, const void *b, int64_t n)
{
    const uint8_t *p = a, *q = b;
    for (int64_t i = 0; a && i < n; i++)
        if (numbers(d, what, i, p[i], q[i])) return true;
    return false;
}

static bool multipliers(const differ *d, const dt_multiplier *a, const dt_multiplier *b, int64_t n)
{
    for (int64_t i = 0; a && i < n; i++)
        if (numbers(d, "multiplier of channel", i, (double)a[i].f, (double)b[i].f) ||
            numbers(d, "multiplier's mantissa of channel", i, a[i].m, b[i].m) ||
            numbers(d, "multiplier's exponent of channel", i, a[i].e, b[i].e) ||
            numbers(d, "rounding of channel", i, a[i].rounding, b[i].rounding))
            return true;
    return false;
}

static bool values(const differ *d, const dt_int_value *a, const dt_int_value *b)
{
    if (a->is_sum)
        return ints(d, "least sum of channel", a->low, b->low, a->C) ||
               ints(d, "greatest sum of channel", a->high, b->high, a->C);
    return numbers(d, "scale", 0, (double)a->grid.scale, (double)b->grid.scale) ||
           numbers(d, "zero point", 0, a->grid.zero_point, b->grid.zero_point) ||
           numbers(d, "lowest code", 0, a->grid.low, b->grid.low) ||
           numbers(d, "highest code", 0, a->grid.high, b->grid.high);
}

static bool pairs(const differ *d, const char *what, int64_t ah, int64_t aw, int64_t bh, int64_t bw)
{
    return numbers(d, what, 0, (double)ah, (double)bh) ||
           numbers(d, what, 1, (double)aw, (double)bw);
}

static bool shapes(const differ *d, const dt_conv_shape *a, const dt_conv_shape *b)
{
    return pairs(d, "kernel", a->KH, a->KW, b->KH, b->KW) ||
           pairs(d, "stride", a->SH, a->SW, b->SH, b->SW) ||
           pairs(d, "dilation less 1", a->DH, a->DW, b->DH, b->DW) ||
           pairs(d, "padding", a->PH, a->PW, b->PH, b->PW) ||
           numbers(d, "groups", 0, (double)a->G, (double)b->G);
}

static bool nodes(const differ *d, const dt_int_node *a, const dt_int_node *b,
                  const dt_int_value *y)
{
    const dt_conv_shape *s = &a->shape;
    int64_t K = a->weight ? s->KH * s->KW * s->C / s->G : 0;
    int64_t steps = y->grid.high - y->grid.low;
    return shapes(d, &a->shape, &b->shape) ||
           numbers(d, "scale of the input", 0, (double)a->x_scale, (double)b->x_scale) ||
           numbers(d, "pixels", 0, (double)a->pixels, (double)b->pixels) ||
           numbers(d, "zero channels", 0, a->before, b->before) ||
           bytes(d, "weight", a->weight, b->weight, y->C * K) ||
           ints(d, "bias of channel", a->bias, b->bias, y->C) ||
           floats(d, "scale of channel", a->w_scale, b->w_scale, y->C) ||
           multipliers(d, a->multiplier, b->multiplier, y->C) ||
           ints(d, "threshold", a->threshold, b->threshold, y->C * steps) ||
           bytes(d, "code of pair", a->pair, b->pair, DT_CODES * DT_CODES) ||
           bytes(d, "code of table entry", a->table, b->table, DT_CODES) ||
           bytes(d, "own byte", a->own, b->own, (int64_t)a->own_bytes) ||
           floats(d, "ratio of the first addend", &a->adder.a_ratio, &b->adder.a_ratio, 1) ||
           floats(d, "ratio of the second addend", &a->adder.b_ratio, &b->adder.b_ratio, 1) ||
           floats(d, "constant of the addition", &a->adder.fixed, &b->adder.fixed, 1);
}

int dt_int_model_diff(const dt_int_model *a, const dt_int_model *b, char *text, size_t size)
{
    for (int i = 0; i < a->node_count; i++) {
        const dt_int_node *n = &a->node[i];
        const differ d = { n, text, size };
        if (values(&d, &a->value[n->out], &b->value[n->out]) ||
            nodes(&d, n, &b->node[i], &a->value[n->out]))
            return i;
    }
    return -1;
}
