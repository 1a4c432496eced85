/* The section `task`. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/recipes/fake_tables.h"
#include "tests/support/run.h"

static dt_status read_with(const char *task, dt_recipe **out, dt_error *err)
{
    char text[1024];
    const dt_recipe_params p = { .tables = &fake_tables, .path = "/r/x.yaml", .text = text };
    snprintf(text, sizeof text, "%s%s", FAKE_BASE, task);
    return dt_recipe_read(&p, out, err);
}

static dt_recipe *must_read(const char *task)
{
    dt_recipe *r;
    dt_error err = { .status = DT_OK };
    ck_assert_msg(read_with(task, &r, &err) == DT_OK, "%s: %s", task, err.text);
    return r;
}

/* Recipes of before have no such section, and their text and hash must not change. */
START_TEST(without_the_section_the_first_task)
{
    dt_recipe *r = must_read("");
    ck_assert_str_eq(r->task.choice.row->name, "sort");
    ck_assert_ptr_null(r->task.loss.row);
    ck_assert_ptr_null(strstr(r->text, "task"));
    dt_recipe_free(r);
}
END_TEST

START_TEST(a_task_and_its_loss_have_options)
{
    dt_recipe *r = must_read("task: {name: measure, limit: 3, loss: {name: far, delta: 2}}\n");
    ck_assert_str_eq(r->task.choice.row->name, "measure");
    ck_assert(((const fake_task *)r->task.choice.conf)->limit == 3);
    ck_assert_str_eq(r->task.loss.row->name, "far");
    ck_assert(((const fake_loss *)r->task.loss.conf)->delta == 2);
    ck_assert_ptr_nonnull(strstr(r->text, "task:\n  name: measure\n  limit: 3\n  loss:\n"));
    dt_recipe_free(r);
    r = must_read("task: {loss: {name: near}}\n");
    ck_assert_str_eq(r->task.choice.row->name, "sort");
    dt_recipe_free(r);
}
END_TEST

/* What each of several outputs is trained for. */
START_TEST(outputs_have_tasks)
{
    dt_recipe *r = must_read("tasks:\n- {output: a, name: sort}\n"
                             "- {output: b, target: t, name: measure, limit: 3, weight: 0.5, "
                             "best: yes, loss: {name: far, delta: 2}}\n");
    ck_assert_int_eq(r->task_count, 2);
    const dt_recipe_task *a = &r->tasks[0], *b = &r->tasks[1];
    ck_assert_str_eq(a->output, "a");
    ck_assert_str_eq(a->target, "");
    ck_assert(a->weight == 1 && !a->best && !a->loss.row);
    ck_assert_str_eq(b->target, "t");
    ck_assert(b->weight == 0.5 && b->best);
    ck_assert(((const fake_task *)b->choice.conf)->limit == 3);
    ck_assert(((const fake_loss *)b->loss.conf)->delta == 2);
    ck_assert_ptr_nonnull(strstr(r->text, "tasks:\n"));
    const dt_recipe_params p = { .tables = &fake_tables, .path = "/r/x.yaml", .text = r->text };
    dt_recipe *again;
    ck_assert_int_eq(dt_recipe_read(&p, &again, NULL), DT_OK);
    ck_assert_str_eq(again->text, r->text);
    ck_assert_str_eq(again->hash, r->hash);
    dt_recipe_free(again);
    dt_recipe_free(r);
}
END_TEST

START_TEST(errors_name_the_key)
{
    static const char *const cases[][2] = {
        { "tasks: sort\n", "tasks: must be a list of 1 to 8 maps" },
        { "tasks: []\n", "tasks: must be a list" },
        { "tasks: [sort]\n", "tasks.0: must be a map" },
        { "tasks: [{name: sort}]\n", "tasks.0: needs an 'output'" },
        { "tasks: [{output: a}]\n", "'name' must name a task" },
        { "tasks: [{output: a, name: sort, limit: 3}]\n", "tasks.0.limit: unknown key" },
        { "tasks: [{output: a, name: sort, weight: nan}]\n", "tasks.0.weight: nan" },
        { "tasks: [{output: a, name: sort, weight: -1}]\n", "tasks.0.weight: -1 is outside" },
        { "tasks: [{output: a, name: sort}, {output: a, name: measure}]\n",
          "tasks.1.output: 'a' has a task already" },
        { "tasks: [{output: a, name: sort, best: yes}, {output: b, name: sort, best: yes}]\n",
          "tasks.1.best: 'a' decides already" },
        { "task: {name: sort}\ntasks: [{output: a, name: sort}]\n", "tasks: stands beside task" },
        { "task: sort\n", "task: must be a map" },
        { "task: {name: sorting}\n", "task.name: " },
        { "task: {limit: 3}\n", "task.limit: unknown key" },
        { "task: {name: measure, limit: -1}\n", "task.limit: -1 is outside" },
        { "task: {loss: far}\n", "task.loss: must be a map" },
        { "task: {loss: {delta: 3}}\n", "'name' must name a loss" },
        { "task: {loss: {name: near, delta: 3}}\n", "task.loss.delta: unknown key" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dt_recipe *r;
        dt_error err = { .status = DT_OK };
        ck_assert_msg(read_with(cases[i][0], &r, &err) != DT_OK, "%s", cases[i][0]);
        ck_assert_msg(strstr(err.text, cases[i][1]) != NULL, "%s: %s", cases[i][0], err.text);
    }
}
END_TEST

DT_TEST_MAIN("recipe_task", without_the_section_the_first_task, a_task_and_its_loss_have_options,
             outputs_have_tasks, errors_name_the_key)
