/* Comparison of staircases and tables. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "integer/prover.h"

/* The sums that a channel can have: low, low + step, ... high. */
typedef struct lattice {
    int64_t low, high, step;
} lattice;

static int64_t divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

static lattice lattice_of(const dt_int_model *m, const dt_int_node *n, int64_t c)
{
    const dt_int_node *from = dt_int_producer(m, n->in[0]);
    const dt_int_value *x = &m->value[n->in[0]];
    const dt_conv_shape *s = &from->shape;
    int64_t K = from->weight ? s->KH * s->KW * s->C / s->G : 0, step = 0;
    for (int64_t i = 0; i < K; i++)
        step = divisor(from->weight[c * K + i], step);
    if (step == 0) step = 1;
    return (lattice){ x->low[c], x->high[c], step };
}

/* First sum of the lattice that is `from` or more. */
static int64_t next_sum(const lattice *l, int64_t from)
{
    if (from <= l->low) return l->low;
    return l->low + (from - l->low + l->step - 1) / l->step * l->step;
}

static int64_t count_sums(const lattice *l, int64_t from, int64_t last)
{
    int64_t first = next_sum(l, from);
    if (last > l->high) last = l->high;
    return first > last ? 0 : (last - first) / l->step + 1;
}

/* Between two thresholds of one code lie the sums that the staircases tell apart. */
static void compare_stairs(const lattice *l, const int32_t *got, const int32_t *want,
                           const dt_lower_grid *g, dt_proof *p)
{
    int64_t counted = l->low - 1; /* sums up to here are done */
    for (int k = 0; k < g->high - g->low; k++) {
        int64_t a = got[k], b = want[k], from = a < b ? a : b, last = (a < b ? b : a) - 1;
        if (from <= counted) from = counted + 1;
        int64_t n = count_sums(l, from, last);
        if (n == 0) continue;
        if (p->differ == 0) {
            p->first = next_sum(l, from);
            p->got = dt_int_stairs(got, g->low, g->high, (int32_t)p->first);
            p->want = dt_int_stairs(want, g->low, g->high, (int32_t)p->first);
        }
        p->differ += n;
        counted = last;
    }
}

static dt_multiplier multiplier_under(const dt_int_model *m, const dt_contract *c,
                                      const dt_int_node *n, int64_t channel)
{
    const dt_int_node *from = dt_int_producer(m, n->in[0]);
    const dt_lower_grid *y = &m->value[n->out].grid;
    return from->pixels
               ? dt_multiplier_mean(c, &m->value[from->in[0]].grid, y, from->pixels)
               : dt_multiplier_product(c, from->x_scale, from->w_scale[channel], y->scale);
}

static void stairs_under(dt_prover *p, int node, const dt_contract *c)
{
    const dt_int_node *n = &p->m->node[node];
    const dt_int_value *x = &p->m->value[n->in[0]], *y = &p->m->value[n->out];
    int64_t steps = y->grid.high - y->grid.low;
    for (int64_t o = 0; o < y->C; o++) {
        const lattice l = lattice_of(p->m, n, o);
        const dt_multiplier other = multiplier_under(p->m, c, n, o);
        dt_proof proof = { .node = node, .other = c, .channel = o };
        proof.cases = count_sums(&l, l.low, l.high);
        dt_int_thresholds(&other, &y->grid, x->low[o], x->high[o], p->threshold);
        compare_stairs(&l, p->threshold, n->threshold + o * steps, &y->grid, &proof);
        p->fn(p->arg, &proof);
    }
}

/* The sums on both sides of threshold k (of unreached ones the greatest sum). */
static void fill_sums(dt_prover *p, const dt_int_node *n, const dt_int_value *x, int64_t steps)
{
    for (int64_t k = 0; k < steps; k++)
        for (int64_t c = 0; c < x->C; c++) {
            int64_t t = n->threshold[c * steps + k], low = x->low[c], high = x->high[c];
            p->sums[2 * k * x->C + c] = (int32_t)(t - 1 < low ? low : t - 1 > high ? high : t - 1);
            p->sums[(2 * k + 1) * x->C + c] = (int32_t)(t > high ? high : t);
        }
}

static void stairs_of_engine(dt_prover *p, int node, dt_prove_requant *engine)
{
    const dt_int_node *n = &p->m->node[node];
    const dt_int_value *x = &p->m->value[n->in[0]], *y = &p->m->value[n->out];
    int64_t steps = y->grid.high - y->grid.low, C = y->C;
    fill_sums(p, n, x, steps);
    engine(p, n, 2 * steps, p->sums, p->codes);
    for (int64_t c = 0; c < C; c++) {
        const lattice l = lattice_of(p->m, n, c);
        dt_proof proof = { .node = node, .channel = c, .cases = count_sums(&l, l.low, l.high) };
        for (int64_t i = c; i < 2 * steps * C; i += C) {
            int want =
                dt_int_stairs(n->threshold + c * steps, y->grid.low, y->grid.high, p->sums[i]);
            if (p->codes[i] == want) continue;
            if (proof.differ++ > 0) continue;
            proof.first = p->sums[i];
            proof.got = p->codes[i];
            proof.want = want;
        }
        p->fn(p->arg, &proof);
    }
}

void dt_prove_stairs(dt_prover *p, int node, dt_prove_requant *engine)
{
    stairs_of_engine(p, node, engine);
    for (const dt_contract *c = dt_contracts; c->name; c++)
        if (c != p->m->contract) stairs_under(p, node, c);
}

void dt_prove_codes(dt_prover *p, int node, const dt_contract *other, int64_t channel,
                    const uint8_t *want, const uint8_t *got, bool pairs)
{
    const dt_int_node *n = &p->m->node[node];
    const dt_lower_grid *a = &p->m->value[n->in[0]].grid;
    const dt_lower_grid one = { .low = 0, .high = 0 };
    const dt_lower_grid *b = pairs ? &p->m->value[n->in[1]].grid : &one;
    dt_proof proof = { .node = node, .other = other, .channel = channel };
    for (int x = a->low; x <= a->high; x++)
        for (int y = b->low; y <= b->high; y++) {
            int at = pairs ? x * DT_CODES + y : x;
            proof.cases++;
            if (got[at] == want[at]) continue;
            if (proof.differ++ > 0) continue;
            proof.first = x;
            proof.second = y;
            proof.got = got[at];
            proof.want = want[at];
        }
    p->fn(p->arg, &proof);
}

void dt_prove_contracts(dt_prover *p, int node, const uint8_t *want, dt_prove_under *under)
{
    for (const dt_contract *c = dt_contracts; c->name; c++) {
        if (c == p->m->contract) continue;
        under(p->m, &p->m->node[node], c, p->out);
        dt_prove_codes(p, node, c, -1, want, p->out, true);
    }
}

static void prove(dt_prover *p)
{
    p->b = p->a + DT_PAIRS;
    p->out = p->b + DT_PAIRS;
    for (int i = 0; i < DT_PAIRS; i++) {
        p->a[i] = (uint8_t)(i / DT_CODES);
        p->b[i] = (uint8_t)(i % DT_CODES);
    }
    for (int i = 0; i < p->m->node_count; i++)
        if (p->m->node[i].form->prove) p->m->node[i].form->prove(p, i);
}

dt_status dt_int_prove(const dt_int_model *m, const dt_kernels *k, int threads, dt_proof_fn fn,
                       void *arg, const dt_alloc *a, dt_error *err)
{
    dt_prover p = { .m = m, .k = k, .threads = threads, .fn = fn, .arg = arg };
    size_t C = 1;
    for (int i = 0; i < m->value_count; i++)
        if ((size_t)m->value[i].C > C) C = (size_t)m->value[i].C;
    p.threshold = dt_get_array(a, DT_CODES, sizeof *p.threshold, "proof");
    p.sums = dt_get_array(a, 2 * DT_CODES * C, sizeof *p.sums, "proof");
    p.scale = dt_get_array(a, C, sizeof *p.scale, "proof");
    p.codes = dt_get_array(a, 2 * DT_CODES * C, 1, "proof");
    p.a = dt_get_array(a, 3 * DT_PAIRS, 1, "proof");
    bool ok = p.threshold && p.sums && p.scale && p.codes && p.a;
    if (ok) prove(&p);
    dt_put(a, p.threshold);
    dt_put(a, p.sums);
    dt_put(a, p.scale);
    dt_put(a, p.codes);
    dt_put(a, p.a);
    return ok ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the proof");
}
