/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/evaluate.h"

#include <math.h>

#include "tests/support/nets.h"

START_TEST(counts_top1_and_top5)
{
    enum { N = 4, K = 8 };
    const real x[N * K] = {
        0, 9, 1, 2, 3, 4, 5, 6, /* label 1: first */
        7, 6, 5, 4, 3, 2, 1, 0, /* label 4: fifth */
        7, 6, 5, 4, 3, 2, 1, 0, /* label 5: sixth */
        3, 3, 3, 3, 3, 3, 3, 3, /* label 0: the first of equals is the prediction */
    };
    const int32_t labels[N] = { 1, 4, 5, 0 };
    int32_t predictions[N] = { -1, -1, -1, -1 };
    dt_score s = { 0 };
    dt_score_count(&s, x, labels, N, K, predictions);
    ck_assert_int_eq(s.correct, 2);
    ck_assert_int_eq(s.correct5, 3);
    ck_assert_int_eq(s.count, 4);
    ck_assert(predictions[0] == 1 && predictions[1] == 0 && predictions[3] == 0);
    const int32_t last[N] = { 1, 4, 5, 7 }; /* of equals, seven come before */
    dt_score_count(&s, x, last, N, K, NULL);
    ck_assert_int_eq(s.correct, 2 + 1);
    ck_assert_int_eq(s.correct5, 3 + 2);
    dt_score few = { 0 };
    dt_score_count(&few, x, labels, 1, K, NULL); /* padding is not counted */
    ck_assert_int_eq(few.count, 1);
}
END_TEST

static dt_score evaluate(int64_t batch, int threads, int32_t *predictions)
{
    dt_recipe *recipe;
    dt_session s;
    dt_evaluator e;
    dt_loader *loader;
    dt_score score;
    dt_error err = { .status = DT_OK };
    const dt_recipe_params p = { .tables = &dt_tables,
                                 .path = "test.yaml",
                                 .text =
                                     "{model: {name: smallcnn, width: 4}, data: {name: builtin, "
                                     "batch: 8, train_pictures: 8, test_pictures: 37}}" };
    ck_assert_msg(dt_recipe_read(&p, &recipe, &err) == DT_OK, "%s", err.text);
    const dt_session_params sp = { .recipe = recipe, .threads = threads, .isa = "scalar" };
    ck_assert_msg(dt_session_open(&s, &sp, &err) == DT_OK, "%s", err.text);
    ck_assert_int_eq(dt_session_loader(&s, DT_SPLIT_TEST, batch, &loader, NULL), DT_OK);
    ck_assert_int_eq(dt_evaluator_init(&e, &s.net, dt_net_steps(&s.net), &s.kernels, batch, threads,
                                       NULL, NULL, NULL),
                     DT_OK);
    ck_assert_int_eq(dt_evaluate(&e, loader, NULL, NULL, predictions, &score, NULL), DT_OK);
    dt_loader_close(loader);
    dt_evaluator_fini(&e);
    dt_session_close(&s);
    dt_recipe_free(recipe);
    return score;
}

START_TEST(batch_and_threads_change_no_prediction)
{
    int32_t a[37], b[37];
    dt_score whole = evaluate(37, 1, a), parts = evaluate(10, 3, b);
    ck_assert_int_eq(whole.count, 37);
    ck_assert_int_eq(parts.count, 37);
    ck_assert_mem_eq(a, b, sizeof a);
    ck_assert_int_eq(whole.correct, parts.correct);
    /* The loss of a batch is rounded to float. */
    ck_assert_double_eq_tol(whole.loss, parts.loss, 1e-5);
    ck_assert(whole.loss > 1 && whole.loss < 10);
}
END_TEST

DT_TEST_MAIN("evaluate", counts_top1_and_top5, batch_and_threads_change_no_prediction)
