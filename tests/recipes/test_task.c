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

START_TEST(errors_name_the_key)
{
    static const char *const cases[][2] = {
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
             errors_name_the_key)
