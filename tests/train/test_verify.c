/* The three forwards agree, and a fault on either side is found and named. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/verify.h"

#include <math.h>
#include <string.h>

#include "tests/support/goal.h"
#include "tests/support/run.h"
#include "train/net/session.h"

enum { PICTURES = 40 };

typedef struct setup {
    dt_recipe *recipe;
    dt_session s;
    dt_loader *loader;
} setup;

static const char recipe_text[] =
    "{model: {name: smallcnn, width: 4}, data: {name: builtin, batch: 16, train_pictures: 16, "
    "test_pictures: 50}, quant: {weights: {method: lsq, bits: 4}, activations: {method: lsq, bits: "
    "4}}}";

static void set_up(setup *t)
{
    dt_error err = { .status = DT_OK };
    int flipped, small;
    const dt_recipe_params p = { .tables = &dt_tables, .path = "test.yaml", .text = recipe_text };
    ck_assert_msg(dt_recipe_read(&p, &t->recipe, &err) == DT_OK, "%s", err.text);
    const dt_session_params sp = { .recipe = t->recipe, .threads = 1 };
    ck_assert_msg(dt_session_open(&t->s, &sp, &err) == DT_OK, "%s", err.text);
    ck_assert_int_eq(dt_session_calibrate(&t->s, NULL, NULL, &flipped, &small, NULL), DT_OK);
    ck_assert_int_eq(dt_session_loader(&t->s, DT_SPLIT_TEST, DT_VERIFY_BATCH, &t->loader, NULL),
                     DT_OK);
}

static void tear_down(setup *t)
{
    dt_loader_close(t->loader);
    dt_session_close(&t->s);
    dt_recipe_free(t->recipe);
}

static dt_int_model *model_of(setup *t, const char *contract)
{
    dt_lowered *l;
    dt_int_model *m;
    const dt_contract *c;
    const dt_net *n = &t->s.net;
    const dt_lower_source low = { &n->graph, &n->state, n->input, n->logits, NULL };
    ck_assert_int_eq(dt_contract_get(contract, NULL, &c, NULL), DT_OK);
    ck_assert_int_eq(dt_lower_new(&low, &l, NULL), DT_OK);
    ck_assert_int_eq(dt_int_model_new(l, c, NULL, &m, NULL), DT_OK);
    dt_lower_free(l);
    return m;
}

static dt_int_node *node_of(dt_int_model *m, const char *name)
{
    for (int i = 0; i < m->node_count; i++)
        if (strcmp(m->node[i].name, name) == 0) return &m->node[i];
    ck_abort_msg("no '%s'", name);
}

static void run(setup *t, const dt_int_model *m, const dt_int_model *tested, dt_verify *v)
{
    const dt_verify_params p = {
        .net = &t->s.net, .model = m, .tested = tested, .kernels = &t->s.kernels, .threads = 1
    };
    ck_assert_int_eq(dt_verify_init(v, &p, NULL), DT_OK);
    ck_assert_int_eq(dt_verify_run(v, t->loader, PICTURES, NULL, NULL, NULL), DT_OK);
    ck_assert_int_eq(v->pictures, PICTURES);
}

START_TEST(a_sound_model_is_verified)
{
    setup t;
    dt_verify v;
    set_up(&t);
    for (const dt_contract *c = dt_contracts; c->name; c++) {
        dt_int_model *m = model_of(&t, c->name);
        run(&t, m, NULL, &v);
        ck_assert_int_eq(dt_verify_first_engine(&v), -1);
        ck_assert_int_eq(dt_verify_first_float(&v), -1);
        ck_assert_int_ge(v.same[0], PICTURES - 4);
        int sites = 0;
        for (int i = 0; i < m->node_count; i++) {
            const dt_int_value *y = &m->value[m->node[i].out];
            ck_assert_int_eq(v.compare.chained[i].checked, PICTURES * dt_int_count(y));
            if (y->is_sum) continue;
            ck_assert_int_eq(v.site[i].chained.checked, PICTURES * dt_int_count(y));
            ck_assert_int_eq(v.site[i].isolated.checked, PICTURES * dt_int_count(y));
            sites++;
        }
        ck_assert_int_eq(sites, 1 + 4 + 2 + 1); /* picture, convs, pool, logits */
        dt_verify_fini(&v);
        dt_int_model_free(m);
    }
    tear_down(&t);
}
END_TEST

START_TEST(a_fault_of_the_engine_is_named)
{
    setup t;
    dt_verify v;
    set_up(&t);
    dt_int_model *m = model_of(&t, "fp32"), *bad = model_of(&t, "fp32");
    node_of(bad, "conv4")->bias[7]++;
    run(&t, m, bad, &v);
    int first = dt_verify_first_engine(&v);
    ck_assert_str_eq(m->node[first].name, "conv4");
    ck_assert_int_eq(v.compare.isolated[first].channel, 7);
    ck_assert_int_eq(v.compare.isolated[first].largest, 1);
    dt_verify_fini(&v);
    dt_int_model_free(m);
    dt_int_model_free(bad);
    tear_down(&t);
}
END_TEST

/* E and I agree on a model that is not the network: F tells. */
static void spoil_and_expect(setup *t, dt_int_model *m, const char *site)
{
    dt_verify v;
    run(t, m, NULL, &v);
    ck_assert_int_eq(dt_verify_first_engine(&v), -1);
    int first = dt_verify_first_float(&v);
    ck_assert_msg(first >= 0 && strcmp(m->node[first].name, site) == 0, "found '%s', not '%s'",
                  first < 0 ? "" : m->node[first].name, site);
    dt_verify_fini(&v);
    dt_int_model_free(m);
}

START_TEST(a_fault_of_the_lowering_is_named)
{
    setup t;
    set_up(&t);
    dt_int_model *m = model_of(&t, "fp32");
    dt_int_node *n = node_of(m, "conv3");
    n->bias[2] +=
        (int32_t)(4 / dt_multiplier_value(&node_of(m, "conv4.input_quant")->multiplier[2]));
    m->value[n->out].high[2] += 1 << 20;
    dt_int_model_round(m, m->contract);
    spoil_and_expect(&t, m, "conv4.input_quant");
    m = model_of(&t, "fp32"); /* an output axis that is shifted by one */
    n = node_of(m, "conv2");
    memmove(n->weight, n->weight + 36, (size_t)(n->shape.O - 1) * 36);
    for (int c = 0; c < n->shape.O; c++)
        m->value[n->out].low[c] -= 1 << 20, m->value[n->out].high[c] += 1 << 20;
    dt_int_model_round(m, m->contract);
    spoil_and_expect(&t, m, "conv3.input_quant");
    tear_down(&t);
}
END_TEST

START_TEST(scores_count_only_over_many_pictures)
{
    dt_net net = { .goal = goal_of("classify", 10) };
    dt_verify v = { .params = { .net = &net },
                    .pictures = 9999,
                    .score_float = { .count = 9999, .sum = { { 9000 } } },
                    .score_integer = { .count = 9999 } };
    ck_assert(dt_verify_scores_agree(&v));
    v.pictures = v.score_float.count = v.score_integer.count = 10000;
    v.score_integer.sum[0][0] = 9030;
    ck_assert(dt_verify_scores_agree(&v));
    v.score_integer.sum[0][0] = 9031;
    ck_assert(!dt_verify_scores_agree(&v));
    v.score_integer.sum[0][0] = 8969;
    ck_assert(!dt_verify_scores_agree(&v));
}
END_TEST

/* A code is none of a nan's. */
START_TEST(a_nan_of_the_float_net_is_told)
{
    setup t;
    dt_verify v;
    dt_error err = { .status = DT_OK };
    set_up(&t);
    dt_int_model *m = model_of(&t, "fp32");
    const dt_verify_params p = {
        .net = &t.s.net, .model = m, .kernels = &t.s.kernels, .threads = 1
    };
    int id = dt_graph_find(&t.s.net.graph, "bn2.running_mean");
    ck_assert_int_ge(id, 0);
    for (int64_t c = 0; c < dt_shape_count(&t.s.net.graph.value[id].shape); c++)
        t.s.net.state.data[id][c] = (real)NAN;
    ck_assert_int_eq(dt_verify_init(&v, &p, NULL), DT_OK);
    ck_assert_int_eq(dt_verify_run(&v, t.loader, PICTURES, NULL, NULL, &err), DT_ERR_NUMERIC);
    ck_assert_msg(strstr(err.text, "is nan at element") != NULL, "%s", err.text);
    dt_verify_fini(&v);
    dt_int_model_free(m);
    tear_down(&t);
}
END_TEST

DT_TEST_MAIN("verify", a_nan_of_the_float_net_is_told, a_sound_model_is_verified,
             a_fault_of_the_engine_is_named, a_fault_of_the_lowering_is_named,
             scores_count_only_over_many_pictures)
