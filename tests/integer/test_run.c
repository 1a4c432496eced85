/* The two executors give the same integers; the float network is near them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "integer/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/exchange/operations.h"
#include "tests/integer/models.h"
#include "tests/support/failalloc.h"
#include "tests/support/run.h"

enum { PICTURES = 5 };

static dt_int_run start(const dt_int_model *m, const dt_int_executor *e, const dt_kernels *k,
                        int threads, const float *x)
{
    dt_int_run r;
    ck_assert_int_eq(dt_int_run_init(&r, m, e, k, threads, PICTURES + 2, NULL, NULL), DT_OK);
    dt_int_run_forward(&r, x, PICTURES);
    return r;
}

static void expect_same(const dt_int_run *a, const dt_int_run *b, const char *what)
{
    for (int i = 0; i < a->model->value_count; i++)
        ck_assert_msg(memcmp(a->data[i], b->data[i], int_bytes(a, i)) == 0,
                      "%s: '%s' differs between %s and %s", what,
                      dt_int_producer(a->model, i)->name, a->executor->name, b->executor->name);
}

static void compare(const testnet *t, const char *contract)
{
    static const char *const tiers[] = { "scalar", "avx2", "avx512" };
    dt_int_model *m = int_model(t, contract);
    float *x = int_pictures(PICTURES, 1);
    dt_int_run reference = start(m, &dt_int_reference, NULL, 2, x);
    for (size_t i = 0; i < DT_ARRAY_LEN(tiers); i++)
        for (int threads = 1; threads <= 3; threads += 2) {
            dt_kernels k;
            if (!test_tier(tiers[i], &k)) continue;
            dt_int_run engine = start(m, &dt_int_engine, &k, threads, x);
            expect_same(&reference, &engine, contract);
            dt_int_run_fini(&engine);
        }
    dt_int_run_fini(&reference);
    dt_put(NULL, x);
    dt_int_model_free(m);
}

static void compare_all(const char *recipe, const dt_model *model)
{
    testnet t;
    testnet_init_model(&t, recipe, model);
    for (const dt_contract *c = dt_contracts; c->name; c++)
        compare(&t, c->name);
    testnet_fini(&t);
}

START_TEST(executors_agree_in_every_value)
{
    compare_all(RECIPE_SMALL RECIPE_BITS("2"), NULL);
    compare_all(RECIPE_SMALL RECIPE_BITS("3"), NULL);
    compare_all(RECIPE_RESNET RECIPE_W4A4, NULL);
    compare_all(RECIPE_RESNET RECIPE_W8("yes"), NULL);
    compare_all(RECIPE_MOBILE RECIPE_W4A4, NULL);
    compare_all(RECIPE_SMALL RECIPE_BITS("4"), &odd_model);
    compare_all(RECIPE_SMALL RECIPE_BITS("4"), &odd_biased_model);
    compare_all(RECIPE_SMALL RECIPE_W8("yes"), &odd_model);
}
END_TEST

/* Every node computes something: no value is the same everywhere. */
START_TEST(values_vary)
{
    testnet t;
    testnet_init(&t, RECIPE_RESNET RECIPE_W4A4);
    dt_int_model *m = int_model(&t, "fp32");
    float *x = int_pictures(PICTURES, 1);
    dt_int_run r = start(m, &dt_int_reference, NULL, 1, x);
    for (int i = 0; i < m->value_count; i++) {
        const unsigned char *p = r.data[i];
        size_t same = 0, n = int_bytes(&r, i);
        while (same < n && p[same] == p[same % (m->value[i].is_sum ? 4 : 1)])
            same++;
        ck_assert_msg(same < n, "'%s' is constant", dt_int_producer(m, i)->name);
    }
    dt_int_run_fini(&r);
    dt_put(NULL, x);
    dt_int_model_free(m);
    testnet_fini(&t);
}
END_TEST

typedef struct watch {
    const dt_int_run *r;
    int64_t codes, differ, far;
} watch;

/* Codes of every site of the float network beside those of the model. */
static dt_status on_node(void *arg, const dt_node *node, const dt_op_run *run, bool after,
                         dt_error *err)
{
    (void)err;
    watch *w = arg;
    const dt_int_model *m = w->r->model;
    for (int i = 0; after && i < m->node_count; i++) {
        const dt_int_value *v = &m->value[m->node[i].out];
        if (v->is_sum || strcmp(m->node[i].name, node->name) != 0 || !node->op->quantizes) continue;
        const real *y = run->out[0];
        const uint8_t *code = w->r->data[m->node[i].out];
        for (int64_t k = 0; k < PICTURES * dt_int_count(v); k++) {
            int d = abs((int)lrint((double)y[k] / (double)v->grid.scale) + v->grid.zero_point -
                        code[k]);
            w->differ += d > 0;
            w->far += d > 2;
            w->codes++;
        }
    }
    return DT_OK;
}

/* With biases as exported, only the float network's rounding is left between the two; with its own,
 * what the rounding of biases moves. */
static void expect_near(const dt_model *model, bool as_exported, int64_t per)
{
    testnet t;
    dt_kernels k;
    dt_plan plan;
    dt_exec exec;
    dt_lowered *l;
    int count;
    testnet_init_model(&t, RECIPE_SMALL RECIPE_BITS("4"), model);
    dt_int_model *m = int_model(&t, "fp32");
    ck_assert_int_eq(dt_lower_new(&t.low, &l, NULL), DT_OK);
    if (as_exported) dt_lower_round_biases(l, &t.net.state, &count);
    dt_lower_free(l);
    float *x = int_pictures(PICTURES, 1);
    ck_assert_int_eq(dt_kernels_init(&k, test_isa, NULL), DT_OK);
    dt_int_run r = start(m, &dt_int_engine, &k, 1, x);
    ck_assert_int_eq(dt_plan_init(&plan,
                                  &(dt_plan_request){ .graph = &t.net.graph,
                                                      .kernels = &k,
                                                      .mode = DT_MODE_EVAL,
                                                      .batch = PICTURES,
                                                      .threads = 1,
                                                      .outputs = &t.net.logits,
                                                      .output_count = 1 },
                                  NULL, NULL),
                     DT_OK);
    ck_assert_int_eq(dt_exec_init(&exec, &plan, &t.net.state, &k, NULL, NULL, NULL), DT_OK);
    watch w = { .r = &r };
    exec.hook = on_node;
    exec.hook_arg = &w;
    dt_exec_set_input(&exec, t.net.input, x);
    ck_assert_int_eq(dt_exec_forward(&exec, NULL), DT_OK);
    printf("%d of %d codes differ\n", (int)w.differ, (int)w.codes);
    ck_assert_int_gt(w.codes, 5000);
    ck_assert_int_lt(w.differ, w.codes / per);
    ck_assert_int_eq(w.far, 0);
    dt_exec_fini(&exec);
    dt_plan_fini(&plan);
    dt_int_run_fini(&r);
    dt_put(NULL, x);
    dt_int_model_free(m);
    testnet_fini(&t);
}

START_TEST(the_float_network_is_near)
{
    expect_near(&odd_model, true, 500);
    expect_near(&odd_biased_model, true, 500);
    expect_near(&odd_model, false, 20);
    expect_near(&odd_biased_model, false, 20);
}
END_TEST

/* The same around every operation that has a form. */
START_TEST(operations_agree_in_every_value)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(operations); i++) {
        operation_current = &operations[i];
        const dt_op *op = dt_op_find(operations[i].name);
        if (!op || op->in_float) continue; /* no integer form */
        compare_all(i % 2 ? RECIPE_SMALL RECIPE_BITS("4") : RECIPE_SMALL RECIPE_W8("yes"),
                    &operation_model);
        expect_near(&operation_model, true, 100);
    }
}
END_TEST

START_TEST(logits_are_codes_on_their_grid)
{
    testnet t;
    float logits[PICTURES * 10];
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    dt_int_model *m = int_model(&t, "fp32");
    float *x = int_pictures(PICTURES, 1);
    dt_int_run r = start(m, &dt_int_reference, NULL, 1, x);
    dt_int_run_logits(&r, logits);
    const uint8_t *code = r.data[m->logits];
    for (int i = 0; i < PICTURES * 10; i++)
        ck_assert(logits[i] == (float)(code[i] - 128) * m->value[m->logits].grid.scale);
    dt_int_run_fini(&r);
    dt_put(NULL, x);
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
    dt_status st = DT_ERR_NOMEM;
    size_t at = 1;
    for (; st != DT_OK && at < 200; at++) {
        failalloc f;
        dt_int_run r;
        failalloc_init(&f, at);
        st = dt_int_run_init(&r, m, &dt_int_engine, &k, 1, 1, &f.alloc, NULL);
        ck_assert(st == DT_OK || st == DT_ERR_NOMEM);
        if (st == DT_OK) dt_int_run_fini(&r);
        ck_assert_uint_eq(f.live, 0);
    }
    ck_assert(at > 2 && st == DT_OK);
    dt_int_model_free(m);
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("run", executors_agree_in_every_value, values_vary, the_float_network_is_near,
             operations_agree_in_every_value, logits_are_codes_on_their_grid,
             running_out_of_memory_is_an_error)
