/* Evaluation of the integer model: against the float evaluation of the same network. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/evaluate_integer.h"

#include <math.h>

#include "exchange/exporter.h"
#include "tests/support/run.h"
#include "train/net/session.h"

enum { PICTURES = 37 };

static const char recipe_text[] =
    "{model: {name: smallcnn, width: 4}, data: {name: builtin, batch: 16, train_pictures: 16, "
    "test_pictures: 37}, quant: {weights: {method: lsq, bits: 4}, activations: {method: lsq, bits: "
    "4}}}";

static dt_score evaluate(dt_session *s, const dt_int_model *m, int64_t batch, int64_t room,
                         float *predictions)
{
    dt_loader *loader;
    dt_int_run r;
    dt_score score;
    ck_assert_int_eq(dt_session_loader(s, DT_SPLIT_TEST, batch, &loader, NULL), DT_OK);
    ck_assert_int_eq(dt_int_run_init(&r, m, &dt_int_engine, &s->kernels, 1, room, NULL, NULL),
                     DT_OK);
    ck_assert_int_eq(
        dt_evaluate_integer(&r, &s->net.goal, loader, NULL, NULL, predictions, &score, NULL),
        DT_OK);
    dt_int_run_fini(&r);
    dt_loader_close(loader);
    return score;
}

START_TEST(integer_and_float_scores_agree)
{
    dt_recipe *recipe;
    dt_session s;
    dt_evaluator e;
    dt_loader *loader;
    dt_lowered *l;
    dt_int_model *m;
    dt_score want, score;
    dt_error err = { .status = DT_OK };
    float a[PICTURES], b[PICTURES], f[PICTURES];
    int flipped, small, same = 0;
    const dt_recipe_params p = { .tables = &dt_tables, .path = "test.yaml", .text = recipe_text };
    ck_assert_msg(dt_recipe_read(&p, &recipe, &err) == DT_OK, "%s", err.text);
    const dt_session_params sp = { .recipe = recipe, .threads = 1 };
    ck_assert_msg(dt_session_open(&s, &sp, &err) == DT_OK, "%s", err.text);
    ck_assert_int_eq(dt_session_calibrate(&s, NULL, NULL, &flipped, &small, NULL), DT_OK);
    const dt_lower_source low = { &s.net.graph, &s.net.state, s.net.input, s.net.logits, NULL };
    ck_assert_int_eq(dt_lower_new(&low, &l, NULL), DT_OK);
    ck_assert_int_eq(dt_int_model_new(l, dt_contracts, NULL, &m, NULL), DT_OK);
    dt_lower_round_biases(l, &s.net.state, &small);
    dt_lower_free(l);
    score = evaluate(&s, m, 16, 5, a);
    ck_assert_int_eq(score.count, PICTURES);
    dt_score other = evaluate(&s, m, 37, 64, b); /* cut in other pieces */
    ck_assert_mem_eq(a, b, sizeof a);
    ck_assert_double_eq_tol(other.loss, score.loss, 1e-12);
    ck_assert_int_eq(dt_session_loader(&s, DT_SPLIT_TEST, 16, &loader, NULL), DT_OK);
    ck_assert_int_eq(
        dt_evaluator_init(&e, &s.net, dt_net_steps(&s.net), &s.kernels, 16, 1, NULL, NULL, NULL),
        DT_OK);
    ck_assert_int_eq(dt_evaluate(&e, loader, NULL, NULL, f, &want, NULL), DT_OK);
    for (int i = 0; i < PICTURES; i++)
        same += a[i] == f[i];
    ck_assert_int_ge(same, PICTURES - 2);
    ck_assert_double_eq_tol(score.loss, want.loss, 0.01 * want.loss);
    dt_loader_close(loader);
    dt_evaluator_fini(&e);
    dt_int_model_free(m);
    dt_session_close(&s);
    dt_recipe_free(recipe);
}
END_TEST

DT_TEST_MAIN("evaluate_integer", integer_and_float_scores_agree)
