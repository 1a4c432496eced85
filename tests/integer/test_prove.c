/* Proofs against enumeration. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "integer/prove.h"

#include "tests/integer/models.h"
#include "tests/support/failalloc.h"
#include "tests/support/run.h"

typedef struct count {
    const dt_int_model *m;
    int64_t channels, engine, others, differ_engine, differ_others;
    bool check; /* enumerate every sum */
} count;

static dt_multiplier multiplier(const dt_int_model *m, const dt_contract *c, const dt_int_node *n,
                                int64_t channel)
{
    const dt_int_node *from = dt_int_producer(m, n->in[0]);
    const dt_lower_grid *y = &m->value[n->out].grid;
    return from->pixels
               ? dt_multiplier_mean(c, &m->value[from->in[0]].grid, y, from->pixels)
               : dt_multiplier_product(c, from->x_scale, from->w_scale[channel], y->scale);
}

static int64_t common_divisor(const dt_int_node *n, int64_t channel)
{
    int64_t K = n->shape.KH * n->shape.KW * n->shape.C / n->shape.G, d;
    for (d = 127; d > 1; d--) {
        int64_t i = 0;
        while (i < K && n->weight[channel * K + i] % d == 0)
            i++;
        if (i == K) break;
    }
    return d;
}

/* All sums that a channel can have, one after the other. */
static void enumerate_sums(const dt_int_model *m, const dt_proof *p)
{
    const dt_int_node *n = &m->node[p->node], *from = dt_int_producer(m, n->in[0]);
    const dt_int_value *x = &m->value[n->in[0]];
    const dt_lower_grid *g = &m->value[n->out].grid;
    const dt_multiplier ours = n->multiplier[p->channel];
    const dt_multiplier other = multiplier(m, p->other, n, p->channel);
    int64_t step = from->pixels ? 1 : common_divisor(from, p->channel), cases = 0, differ = 0;
    int low = g->low - g->zero_point, high = g->high - g->zero_point;
    if (x->low[p->channel] == x->high[p->channel]) step = 1;
    for (int64_t sum = x->low[p->channel]; sum <= x->high[p->channel]; sum += step) {
        int a = dt_multiplier_apply(&ours, (int32_t)sum, low, high);
        int b = dt_multiplier_apply(&other, (int32_t)sum, low, high);
        if (a != b && differ++ == 0) {
            ck_assert_int_eq(p->first, sum);
            ck_assert_int_eq(p->want, a + g->zero_point);
            ck_assert_int_eq(p->got, b + g->zero_point);
        }
        cases++;
    }
    ck_assert_int_eq(p->cases, cases);
    ck_assert_int_eq(p->differ, differ);
}

static void enumerate_pairs(const dt_int_model *m, const dt_proof *p)
{
    const dt_int_node *n = &m->node[p->node];
    const dt_lower_grid *a = &m->value[n->in[0]].grid, *b = &m->value[n->in[1]].grid;
    const dt_adder other = dt_adder_make(p->other, a, b, &m->value[n->out].grid);
    int64_t differ = 0;
    for (int x = a->low; x <= a->high; x++)
        for (int y = b->low; y <= b->high; y++)
            differ += dt_adder_apply(&n->adder, x, y) != dt_adder_apply(&other, x, y);
    ck_assert_int_eq(p->differ, differ);
    ck_assert_int_eq(p->cases, (int64_t)(a->high - a->low + 1) * (b->high - b->low + 1));
}

static void on_proof(void *arg, const dt_proof *p)
{
    count *c = arg;
    c->channels++;
    if (!p->other) {
        c->engine++;
        c->differ_engine += p->differ;
        return;
    }
    c->others++;
    c->differ_others += p->differ;
    if (c->check && p->channel >= 0) enumerate_sums(c->m, p);
    if (c->check && p->channel < 0) enumerate_pairs(c->m, p);
}

static count prove(const dt_int_model *m, const char *isa, bool check)
{
    dt_kernels k;
    count c = { .m = m, .check = check };
    ck_assert_int_eq(dt_kernels_init(&k, isa, NULL), DT_OK);
    ck_assert_int_eq(dt_int_prove(m, &k, 2, on_proof, &c, NULL, NULL), DT_OK);
    return c;
}

START_TEST(counts_are_those_of_enumeration)
{
    testnet t;
    testnet_init_model(&t, RECIPE_SMALL RECIPE_BITS("4"), &odd_model);
    for (const dt_contract *c = dt_contracts; c->name; c++) {
        dt_int_model *m = int_model(&t, c->name);
        count got = prove(m, NULL, true);
        ck_assert_int_eq(got.differ_engine, 0);
        ck_assert_int_gt(got.differ_others, 0);
        /* conv1..3 and down, pool, logits: 6 + 10 + 10 + 10 + 10 + 10 channels; an addition, a
         * table */
        ck_assert_int_eq(got.engine, 56 + 1 + 1);
        ck_assert_int_eq(got.others, 4 * (56 + 1));
        dt_int_model_free(m);
    }
    testnet_fini(&t);
}
END_TEST

START_TEST(every_tier_is_the_reference)
{
    static const char *const tiers[] = { "scalar", "avx2", "avx512" };
    testnet t;
    testnet_init(&t, RECIPE_RESNET RECIPE_W8("yes"));
    dt_int_model *m = int_model(&t, "fp32");
    for (size_t i = 0; i < DT_ARRAY_LEN(tiers); i++) {
        dt_kernels k;
        if (test_tier(tiers[i], &k)) ck_assert_int_eq(prove(m, tiers[i], false).differ_engine, 0);
    }
    dt_int_model_free(m);
    testnet_fini(&t);
}
END_TEST

/* A threshold, a pair or an entry that is off by one cannot hide. */
START_TEST(a_fault_is_seen)
{
    testnet t;
    testnet_init_model(&t, RECIPE_SMALL RECIPE_BITS("4"), &odd_model);
    dt_int_model *m = int_model(&t, "fp32");
    dt_int_node *q = &m->node[int_node(m, "requant", "conv3.input_quant")];
    q->threshold[3 * 15 + 7]++;
    ck_assert_int_eq(prove(m, NULL, false).differ_engine, 1);
    q->threshold[3 * 15 + 7] -= 2;
    ck_assert_int_eq(prove(m, NULL, false).differ_engine, 1);
    q->threshold[3 * 15 + 7]++;
    ck_assert_int_eq(prove(m, NULL, false).differ_engine, 0);
    m->node[int_node(m, "add", "block.output_quant")].pair[200 * DT_CODES + 77] ^= 1;
    ck_assert_int_eq(prove(m, NULL, false).differ_engine, 1);
    m->node[int_node(m, "table", "conv2.input_quant")].table[9] ^= 1;
    ck_assert_int_eq(prove(m, NULL, false).differ_engine, 2);
    dt_int_model_free(m);
    testnet_fini(&t);
}
END_TEST

START_TEST(running_out_of_memory_is_an_error)
{
    testnet t;
    dt_kernels k;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    dt_int_model *m = int_model(&t, "fp32");
    ck_assert_int_eq(dt_kernels_init(&k, test_isa, NULL), DT_OK);
    for (size_t at = 1; at <= 5; at++) {
        failalloc f;
        count c = { .m = m };
        failalloc_init(&f, at);
        ck_assert_int_eq(dt_int_prove(m, &k, 1, on_proof, &c, &f.alloc, NULL), DT_ERR_NOMEM);
        ck_assert(f.live == 0 && c.channels == 0);
    }
    dt_int_model_free(m);
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("prove", counts_are_those_of_enumeration, every_tier_is_the_reference, a_fault_is_seen,
             running_out_of_memory_is_an_error)
