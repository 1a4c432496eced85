/* The section ptq: presets stand for stages, which can be changed and replaced. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/run.h"
#include "train/net/session.h"

#define BASE "model: {name: smallcnn}\ndata: {name: builtin}\n"

static dt_status read(const char *text, const char *const *overrides, size_t count, dt_recipe **out,
                      dt_error *err)
{
    const dt_recipe_params p = { .tables = &dt_tables,
                                 .path = "x.yaml",
                                 .text = text,
                                 .overrides = overrides,
                                 .override_count = count };
    return dt_recipe_read(&p, out, err);
}

static dt_recipe *good(const char *text, const char *const *overrides, size_t count)
{
    dt_recipe *r;
    dt_error err = { .status = DT_OK };
    ck_assert_msg(read(text, overrides, count, &r, &err) == DT_OK, "%s", err.text);
    return r;
}

/* The effective recipe reads back to itself, whatever the preset was. */
START_TEST(presets_are_written_out)
{
    for (const dt_row *const *row = dt_tables.ptq_presets->rows; *row; row++) {
        char text[512];
        snprintf(text, sizeof text, BASE "ptq: {method: %s}\n", (*row)->name);
        dt_recipe *r = good(text, NULL, 0), *again = good(r->text, NULL, 0);
        ck_assert(r->ptq.enabled && r->ptq.stage_count > 0);
        ck_assert_str_eq(r->text, again->text);
        ck_assert_str_eq(r->hash, again->hash);
        ck_assert_str_eq(r->ptq.method, (*row)->name);
        dt_recipe_free(again);
        dt_recipe_free(r);
    }
}
END_TEST

START_TEST(without_the_section_nothing_is_there)
{
    dt_recipe *r = good(BASE, NULL, 0);
    ck_assert(!r->ptq.enabled && !strstr(r->text, "ptq"));
    dt_recipe_free(r);
}
END_TEST

START_TEST(the_command_line_changes_stages)
{
    const char *const method[] = { "ptq.method=nearest" };
    const char *const more[] = { "ptq.method=qdrop", "ptq.stages.1.reconstruct.iterations=7" };
    dt_recipe *r = good(BASE, method, 1);
    ck_assert_str_eq(r->ptq.stage[0].row->name, "ranges");
    dt_recipe_free(r);
    r = good(BASE "ptq: {stages: [norms]}\n", NULL, 0);
    ck_assert_int_eq((int)r->ptq.stage_count, 1);
    dt_recipe *changed = good(r->text, more, 2); /* a preset that is asked for wins */
    ck_assert_int_gt((int)changed->ptq.stage_count, 1);
    ck_assert(strstr(changed->text, "iterations: 7"));
    dt_recipe_free(changed);
    dt_recipe_free(r);
}
END_TEST

START_TEST(mistakes_are_told)
{
    static const struct {
        const char *text, *error;
    } bad[] = {
        { BASE "ptq: {method: qdrup}\n", "did you mean 'qdrop'" },
        { BASE "ptq: {stages: [rangez]}\n", "did you mean 'ranges'" },
        { BASE "ptq: {stages: ranges}\n", "must be a list of stages" },
        { BASE "ptq: {stages: [{ranges: {weihgts: mse}}]}\n", "did you mean 'weights'" },
        { BASE "ptq: {images: 0}\n", "outside 1..1000000" },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(bad); i++) {
        dt_recipe *r;
        dt_error err = { .status = DT_OK };
        ck_assert_int_ne(read(bad[i].text, NULL, 0, &r, &err), DT_OK);
        ck_assert_msg(strstr(err.text, bad[i].error), "%s", err.text);
    }
}
END_TEST

DT_TEST_MAIN("ptq", presets_are_written_out, without_the_section_nothing_is_there,
             the_command_line_changes_stages, mistakes_are_told)
