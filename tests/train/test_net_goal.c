/* What outputs of a net are trained for: parts of its goal, answers, losses. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/net/net_goal.h"

#include <math.h>
#include <string.h>

#include "autograd/op_loss_sum.h"
#include "autograd/query.h"
#include "tests/support/nets.h"
#include "tests/support/tempdir.h"

static const char layers[] = "layers:\n"
                             "- {name: heard, op: gap}\n"
                             "- {name: kind, op: linear, out: 5}\n"
                             "- {name: more, op: linear, out: 3, from: heard}\n"
                             "- {name: level, op: linear, out: 2, from: heard}\n"
                             "outputs: {kind: kind, more: more, level: level}\n";
#define LEVEL "{output: level, name: regress, weight: 0.5, loss: {name: huber, delta: 2}}"
#define KIND "{output: kind, target: label, name: classify}"

typedef struct opened {
    tempdir dir;
    dt_recipe *recipe;
    dt_net net;
} opened;

static dt_status open_net(opened *o, const char *more, dt_error *err)
{
    char text[1024];
    tempdir_init(&o->dir, "net.layers");
    FILE *f = fopen(o->dir.file, "w");
    ck_assert_ptr_nonnull(f);
    fputs(layers, f);
    fclose(f);
    snprintf(text, sizeof text, "model: {file: %s}\ndata: {name: builtin}\n%s\n", o->dir.file, more);
    const dt_recipe_params p = { .tables = &dt_tables, .path = "test.yaml", .text = text };
    ck_assert_msg(dt_recipe_read(&p, &o->recipe, err) == DT_OK, "%s", err->text);
    const dt_net_input input = { .H = 8, .W = 8, .low = -2.5, .high = 2.5 };
    return dt_net_init(&o->net, o->recipe, &input, false, NULL, err);
}

static void close_recipe(opened *o)
{
    dt_recipe_free(o->recipe);
    tempdir_fini(&o->dir);
}

/* Parts are in the order of the tasks, what nobody trains comes last; where each begins among the
 * outputs is the order of the net. */
START_TEST(parts_are_those_of_the_tasks)
{
    opened o;
    dt_error err = { .status = DT_OK };
    ck_assert_msg(open_net(&o, "tasks: [" LEVEL ", " KIND "]", &err) == DT_OK, "%s", err.text);
    const dt_goal *g = &o.net.goal;
    ck_assert(g->trained == 2 && g->count == 3 && g->K == 10 && g->decides == -1);
    const dt_goal_part *level = &g->part[0], *kind = &g->part[1], *more = &g->part[2];
    ck_assert_str_eq(level->output, "level");
    ck_assert(level->at == 8 && level->K == 2 && level->answer_at == 0 && level->weight == 0.5);
    ck_assert_str_eq(level->loss->row.name, "huber");
    ck_assert_str_eq(kind->output, "kind");
    ck_assert(kind->at == 0 && kind->K == 5 && kind->answer_at == 2 * sizeof(float));
    ck_assert(kind->weight == 1 && strcmp(kind->loss->row.name, "softmax_ce") == 0);
    ck_assert(!more->task && more->at == 5 && more->K == 3);
    ck_assert_uint_eq(dt_goal_answer_bytes(g), 3 * sizeof(float));
    dt_net_fini(&o.net);
    close_recipe(&o);
}
END_TEST

/* Answers have ports of the outputs' names; the loss is the sum of the losses by weight, and what
 * it gives of a sample is what the goal says. */
START_TEST(losses_are_added_by_weight)
{
    opened o;
    dt_error err = { .status = DT_OK };
    ck_assert_msg(open_net(&o, "tasks: [" LEVEL ", " KIND "]", &err) == DT_OK, "%s", err.text);
    const dt_graph *g = &o.net.graph;
    const dt_node *sum = dt_query_maker(g, o.net.loss);
    ck_assert_str_eq(sum->op->name, "loss_sum");
    const dt_loss_sum_conf *c = sum->conf;
    ck_assert(c->weight[0] == 0.5 && c->weight[1] == 1 && sum->in_count == 2);
    ck_assert_str_eq(dt_query_maker(g, sum->in[0])->name, "loss.level");
    ck_assert_str_eq(dt_graph_port_name(g, dt_graph_answer(g, 0), ""), "level");
    ck_assert_str_eq(dt_graph_port_name(g, dt_graph_answer(g, 1), ""), "kind");
    ck_assert_int_eq(dt_graph_answer(g, 2), -1);
    const real y[10] = { 0, 0, 0, 0, 0, 9, 9, 9, 1, 7 };
    struct {
        float level[2];
        int32_t kind;
    } answer = { { 1, 2 }, 3 };
    /* huber, delta 2, of 0 and 5: the mean of 0 and 2 (5 - 1) */
    ck_assert_double_eq_tol(dt_goal_loss(&o.net.goal, y, &answer), 0.5 * 4 + log(5), 1e-6);
    dt_net_fini(&o.net);
    close_recipe(&o);
}
END_TEST

START_TEST(one_output_can_decide)
{
    opened o;
    dt_error err = { .status = DT_OK };
    ck_assert_msg(open_net(&o, "tasks: [" LEVEL ", {output: kind, name: classify, best: yes}]",
                           &err) == DT_OK,
                  "%s", err.text);
    ck_assert_int_eq(o.net.goal.decides, 1);
    dt_net_fini(&o.net);
    close_recipe(&o);
    ck_assert_msg(open_net(&o, "tasks: [" LEVEL "]", &err) == DT_OK, "%s", err.text);
    ck_assert(o.net.goal.decides == 0 && o.net.goal.trained == 1 && o.net.goal.count == 3);
    dt_net_fini(&o.net);
    close_recipe(&o);
}
END_TEST

START_TEST(what_is_wrong_is_named)
{
    static const struct {
        const char *more;
        dt_status status;
        const char *text;
    } cases[] = {
        { "tasks: [{output: kid, name: classify}]", DT_ERR_NOT_FOUND,
          "tasks.0.output: 'kid' is no output of the network, whose are: kind, more, level; did you "
          "mean 'kind'?" },
        { "task: {name: classify}", DT_ERR_ARG,
          "task: is that of one output, the network has several: kind, more, level; "
          "tasks=[{output: kind, name: classify}, ...]" },
        { "tasks: [{output: kind, name: classify, loss: {name: mse}}]", DT_ERR_ARG,
          "tasks.0.loss: 'mse' compares with other answers than those of task 'classify'" },
        { "tasks: [{output: level, name: regress}]\ntrain: {label_smoothing: 0.1}", DT_ERR_ARG,
          "train.label_smoothing: 0.1: loss 'mse' has no labels that could be smoothed" },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        opened o;
        dt_error err = { .status = DT_OK };
        dt_status st = open_net(&o, cases[i].more, &err);
        ck_assert_msg(st == cases[i].status && strstr(err.text, cases[i].text), "%zu: %d %s", i,
                      (int)st, err.text);
        close_recipe(&o);
    }
}
END_TEST

DT_TEST_MAIN("net_goal", parts_are_those_of_the_tasks, losses_are_added_by_weight,
             one_output_can_decide, what_is_wrong_is_named)
