/* Tasks: what holds for every row, and their scores by hand. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tasks/task.h"

#include <string.h>

#include "tests/support/goal.h"
#include "tests/support/run.h"

/* Whoever reads a row counts on this. */
START_TEST(rows_are_whole)
{
    int rows = 0;
    for (const dt_row *const *row = dt_tasks.rows; *row; row++, rows++) {
        const dt_net_task *t = (const dt_net_task *)(const void *)*row;
        const dt_loss *loss = (const dt_loss *)(const void *)dt_table_find(&dt_losses, t->loss);
        int sums = 0, metrics = 0;
        while (t->sum[sums])
            sums++;
        while (t->metric[metrics].name)
            metrics++;
        ck_assert_msg(loss && loss->answer == t->answer, "%s: loss", t->row.name);
        ck_assert_msg(t->deciding >= 1 && t->deciding <= sums && t->counts <= sums, "%s: sums",
                      t->row.name);
        ck_assert_msg(metrics >= 1 && t->apart > 0 && t->means && t->digits > 0, "%s: metrics",
                      t->row.name);
        ck_assert_msg(t->predicted(7) >= 1 && t->predicted(7) <= 7, "%s", t->row.name);
    }
    ck_assert_int_ge(rows, 1);
}
END_TEST

START_TEST(losses_are_whole)
{
    for (const dt_row *const *row = dt_losses.rows; *row; row++) {
        const dt_loss *l = (const dt_loss *)(const void *)*row;
        const dt_op *op = dt_op_find(l->row.name);
        ck_assert_msg(op && op->conf_size == l->row.conf_size, "%s", l->row.name);
        ck_assert_msg(l->of && (!l->smooth || l->answer == DT_ANSWER_LABEL), "%s", l->row.name);
    }
}
END_TEST

START_TEST(classify_counts_top1_and_top5)
{
    enum { N = 4, K = 8 };
    const real x[N * K] = {
        0, 9, 1, 2, 3, 4, 5, 6, /* label 1: first */
        7, 6, 5, 4, 3, 2, 1, 0, /* label 4: fifth */
        7, 6, 5, 4, 3, 2, 1, 0, /* label 5: sixth */
        3, 3, 3, 3, 3, 3, 3, 3, /* label 0: the first of equals is the prediction */
    };
    const int32_t labels[N] = { 1, 4, 5, 0 };
    float predictions[N] = { -1, -1, -1, -1 };
    const dt_goal g = goal_of("classify", K);
    dt_score s = { 0 };
    dt_score_add(&s, &g, x, labels, N, predictions);
    ck_assert(s.sum[0][0] == 2 && s.sum[0][1] == 3 && s.count == 4);
    ck_assert(dt_score_value(&s, &g, 0) == 50 && dt_score_value(&s, &g, 1) == 75);
    ck_assert(predictions[0] == 1 && predictions[1] == 0 && predictions[3] == 0);
    const int32_t last[N] = { 1, 4, 5, 7 }; /* of equals, seven come before */
    dt_score_add(&s, &g, x, last, N, NULL);
    ck_assert(s.sum[0][0] == 2 + 1 && s.sum[0][1] == 3 + 2);
    dt_score few = { 0 };
    ck_assert(dt_score_value(&few, &g, 0) == 0);
    dt_score_add(&few, &g, x, labels, 1, NULL); /* padding is not counted */
    ck_assert_int_eq(few.count, 1);
}
END_TEST

START_TEST(parts_are_joined)
{
    dt_score s = { 3, 1.5, { { 1, 2, 3, 4, 5 } } };
    const dt_score part = { 2, 0.25, { { 10, 20, 30, 40, 50 } } };
    dt_score_join(&s, &part);
    ck_assert(s.count == 5 && s.loss == 1.75);
    for (int i = 0; i < DT_TASK_SUMS; i++)
        ck_assert(s.sum[0][i] == 11 * (i + 1));
}
END_TEST

/* Flags from 0.5 on, the logit 0. */
START_TEST(multilabel_counts_flags)
{
    enum { N = 2, K = 3 };
    const real y[N * K] = { 2, -1, 0, -3, -2, 1 };
    const float wanted[N * K] = { 1, 0, 1, 1, 0, 1 };
    float said[N * K];
    const dt_goal g = goal_of("multilabel", K);
    dt_score s = { 0 };
    dt_score_add(&s, &g, y, wanted, N, said);
    ck_assert(said[0] == 1 && said[1] == 0 && said[2] == 1 && said[3] == 0 && said[5] == 1);
    ck_assert_double_eq_tol(dt_score_value(&s, &g, 0), 100 * 2 * 3.0 / (2 * 3 + 1), 1e-9);
    ck_assert_double_eq_tol(dt_score_value(&s, &g, 1), 50, 1e-9);
    ck_assert_double_eq_tol(dt_score_value(&s, &g, 2), 100 * 5.0 / 6, 1e-9);
    const float none[K] = { 0 };
    const real low[K] = { -1, -1, -1 };
    dt_score empty = { 0 }; /* nothing set, nothing wanted: all is right */
    dt_score_add(&empty, &g, low, none, 1, NULL);
    ck_assert(dt_score_value(&empty, &g, 0) == 100 && dt_score_value(&empty, &g, 1) == 100);
}
END_TEST

START_TEST(regress_measures_distances)
{
    enum { N = 2, K = 2 };
    const real y[N * K] = { 1, 2, 3, 5 };
    const float wanted[N * K] = { 1, 4, 3, 4 };
    float said[N * K];
    const dt_goal g = goal_of("regress", K);
    dt_score s = { 0 };
    dt_score_add(&s, &g, y, wanted, N, said);
    ck_assert(said[3] == 5);
    ck_assert_double_eq_tol(dt_score_value(&s, &g, 0), 1.118033988749895, 1e-12); /* sqrt(5/4) */
    ck_assert_double_eq_tol(dt_score_value(&s, &g, 1), 0.75, 1e-12);
    ck_assert_double_eq_tol(dt_score_value(&s, &g, 2), 1 - 5 / 6.0, 1e-12); /* mean 3: 4+1+0+1 */
    ck_assert(dt_goal_is_better(&g, 1, 1.5) && !dt_goal_is_better(&g, 1.5, 1));
    dt_score near = s;
    near.sum[0][0] *= 1.02 * 1.02;
    ck_assert(dt_goal_agrees(&g, &s, &near));
    near.sum[0][0] *= 1.02 * 1.02;
    ck_assert(!dt_goal_agrees(&g, &s, &near));
}
END_TEST

START_TEST(the_better_score_is_the_tasks)
{
    const dt_goal g = goal_of("classify", 10);
    ck_assert(dt_goal_is_better(&g, 0, -1));
    ck_assert(dt_goal_is_better(&g, 50.5, 50) && !dt_goal_is_better(&g, 50, 50));
}
END_TEST

/* A label and two numbers beside each other, with an output in between that nobody trains. */
START_TEST(parts_are_scored_beside_each_other)
{
    dt_goal g = goal_of("classify", 3), box = goal_of("regress", 2);
    g.part[0].output = "class";
    g.part[1] = box.part[0];
    g.part[1].output = "box";
    g.part[1].at = 4;
    g.part[1].answer_at = sizeof(int32_t);
    g.part[1].weight = 0.5;
    g.part[2] = (dt_goal_part){ .output = "more", .K = 1, .at = 3 };
    g.trained = 2;
    g.count = 3;
    g.K = 6;
    g.decides = 1;
    const real y[2 * 6] = { 1, 3, 2, 99, 0.5f, 1, 4, 0, 0, 99, 2, 2 };
    struct {
        int32_t label;
        float box[2];
    } answer[2] = { { 1, { 0.5f, 0 } }, { 2, { 2, 2 } } };
    float means[2 * 3];
    char text[DT_GOAL_NAME];
    dt_score s = { 0 };
    ck_assert_uint_eq(dt_goal_answer_bytes(&g), sizeof answer[0]);
    ck_assert_int_eq(dt_goal_predicted(&g), 3);
    dt_score_add(&s, &g, y, answer, 2, means);
    ck_assert(s.sum[0][0] == 1 && s.sum[1][0] == 1 && s.count == 2);
    ck_assert(means[0] == 1 && means[1] == 0.5f && means[3] == 0 && means[4] == 2);
    ck_assert(dt_score_value(&s, &g, 0) == 50); /* top-1 */
    ck_assert_int_eq(dt_goal_first(&g, 1), 2);
    ck_assert_double_eq_tol(dt_score_value(&s, &g, 2), 0.5, 1e-12); /* sqrt(1/4) */
    ck_assert_ptr_null(dt_goal_metric(&g, 5, NULL));
    ck_assert_str_eq(dt_goal_key(&g, 2, text), "box_rmse");
    ck_assert_str_eq(dt_goal_label(&g, 0, text), "class top-1");
    ck_assert_double_eq_tol(dt_score_deciding(&s, &g), 0.5, 1e-12);
    ck_assert(dt_goal_is_better(&g, 0.4, 0.5)); /* of the numbers, the lower */
    g.decides = -1;
    s.loss = 0.25;
    ck_assert(dt_score_deciding(&s, &g) == 0.25 && dt_goal_is_better(&g, 0.2, 0.25));
    double want =
        log(exp(1) + exp(3) + exp(2)) - 3 + 0.5 * g.part[1].loss->of(NULL, y + 4, answer[0].box, 2);
    const dt_loss *ce = g.part[0].loss;
    double conf[8] = { 0 }; /* no smoothing */
    ck_assert_uint_le(ce->row.conf_size, sizeof conf);
    g.part[0].loss_conf = conf;
    ck_assert_double_eq_tol(dt_goal_loss(&g, y, &answer[0]), want, 1e-6);
}
END_TEST

START_TEST(metrics_are_printed_with_their_units)
{
    char text[DT_METRIC_TEXT];
    const dt_goal g = goal_of("classify", 10);
    ck_assert_str_eq(dt_metric_print(dt_goal_metric(&g, 0, NULL), 91.449, text), "91.45%");
}
END_TEST

DT_TEST_MAIN("task", rows_are_whole, losses_are_whole, classify_counts_top1_and_top5,
             multilabel_counts_flags, regress_measures_distances, parts_are_joined,
             the_better_score_is_the_tasks, parts_are_scored_beside_each_other,
             metrics_are_printed_with_their_units)
