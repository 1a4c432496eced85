/* The section `distill`. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/recipes/fake_tables.h"
#include "tests/support/run.h"

static dt_recipe *must_read(const char *distill)
{
    char text[500];
    dt_recipe *r = NULL;
    dt_error err = { 0 };
    snprintf(text, sizeof text, "%s%s", FAKE_BASE, distill);
    ck_assert_msg(fake_read(text, NULL, &r, &err) == DT_OK, "%s", err.text);
    return r;
}

START_TEST(the_student_s_own_model_unless_named)
{
    dt_recipe *r = must_read("distill: {teacher: a/float.h5}\n");
    ck_assert(r->distill.enabled);
    ck_assert_str_eq(r->distill.teacher, "/r/a/float.h5");
    ck_assert_ptr_eq(r->distill.model.row, r->model.choice.row);
    ck_assert_ptr_eq(r->distill.model.conf, r->model.choice.conf);
    ck_assert(r->distill.temperature == 1 && r->distill.task == 1 && r->distill.weight == 1);
    dt_recipe_free(r);
    r = must_read("distill: {teacher: t.h5, model: resnet20, temperature: 4, weight: .5}\n");
    ck_assert_ptr_ne(r->distill.model.conf, r->model.choice.conf);
    ck_assert(r->distill.temperature == 4 && r->distill.weight == 0.5);
    dt_recipe_free(r);
    r = must_read("");
    ck_assert(!r->distill.enabled && !strstr(r->text, "distill"));
    dt_recipe_free(r);
}
END_TEST

START_TEST(the_effective_recipe_reads_back_and_its_hash_knows_no_path)
{
    dt_recipe *a = must_read("distill: {teacher: a.h5}\n"),
              *b = must_read("distill: {teacher: b.h5}\n");
    dt_recipe *c = must_read("distill: {teacher: a.h5, temperature: 2}\n"), *again;
    ck_assert_int_eq(fake_read(a->text, NULL, &again, NULL), DT_OK);
    ck_assert_str_eq(again->text, a->text);
    ck_assert_str_eq(a->hash, b->hash);
    ck_assert_str_ne(a->hash, c->hash);
    dt_recipe_free(again);
    dt_recipe_free(a);
    dt_recipe_free(b);
    dt_recipe_free(c);
}
END_TEST

START_TEST(wrong_settings)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        { "distill: {weight: 2}\n", "/r/x.yaml:3: distill: needs a 'teacher'" },
        { "distill: {}\n", "needs a 'teacher'" },
        { "distill: yes\n", "distill: must be a map" },
        { "distill: {teacher: a, temperature: 0}\n", "distill.temperature: 0 is outside" },
        { "distill: {teacher: a, model: nothing}\n", "distill.model: " },
        { "distill: {teacher: a, modell: resnet20}\n", "did you mean 'model'?" },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        char text[500];
        dt_recipe *r;
        dt_error err = { 0 };
        snprintf(text, sizeof text, "%s%s", FAKE_BASE, cases[i].text);
        ck_assert_int_ne(fake_read(text, NULL, &r, &err), DT_OK);
        ck_assert_msg(strstr(err.text, cases[i].part) != NULL, "%s", err.text);
    }
}
END_TEST

DT_TEST_MAIN("distill", the_student_s_own_model_unless_named,
             the_effective_recipe_reads_back_and_its_hash_knows_no_path, wrong_settings)
