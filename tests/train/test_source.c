/* The names of classes that a session knows, and what leaves with a net. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/net/source.h"

#include <string.h>

#include "tests/support/run.h"

static void open_session(dt_session *s, dt_recipe **recipe, const char *text, bool no_data)
{
    dt_error err;
    const dt_recipe_params p = { .tables = &dt_tables, .path = "/secret/r.yaml", .text = text };
    ck_assert_msg(dt_recipe_read(&p, recipe, &err) == DT_OK, "%s", err.text);
    const dt_session_params params = { .recipe = *recipe, .threads = 1, .no_data = no_data };
    ck_assert_msg(dt_session_open(s, &params, &err) == DT_OK, "%s", err.text);
}

static void close_session(dt_session *s, dt_recipe *recipe)
{
    dt_session_close(s);
    dt_recipe_free(recipe);
}

#define DATA "data: {name: builtin, train_pictures: 32, test_pictures: 16, batch: 8}\n"
#define SMALL(classes) "model: {name: smallcnn, width: 4, classes: " classes "}\n" DATA

START_TEST(classes_are_those_of_the_set)
{
    dt_session s;
    dt_recipe *recipe;
    open_session(&s, &recipe, SMALL("10"), false);
    ck_assert_str_eq(s.classes, "disc\nring\nsquare\ntriangle\nstar\nplus\ncrescent\nbowtie\n"
                                "corner\nbars");
    close_session(&s, recipe);
}
END_TEST

START_TEST(other_outputs_than_classes_have_no_names)
{
    dt_session s;
    dt_recipe *recipe;
    open_session(&s, &recipe, SMALL("10"), false);
    dt_put(s.alloc, s.classes);
    s.classes = NULL;
    s.net.goal.part[0].K = 11; /* other outputs than the set has classes */
    ck_assert_int_eq(dt_session_name_classes(&s, NULL), DT_OK);
    ck_assert_ptr_null(s.classes);
    close_session(&s, recipe);
}
END_TEST

START_TEST(what_leaves_tells_nothing_of_the_machine)
{
    dt_session s;
    dt_recipe *recipe;
    struct dt_text_attr attr[DT_SOURCE_TEXTS];
    open_session(&s, &recipe, SMALL("10") "name: cards\n", false);
    const dt_export_source src = dt_session_source(&s, "1.2", attr);
    ck_assert_str_eq(src.version, "1.2");
    ck_assert_str_eq(src.name, "cards");
    ck_assert_ptr_eq(src.classes, s.classes);
    ck_assert_ptr_nonnull(src.mean);
    ck_assert_uint_eq(src.attr_count, DT_SOURCE_TEXTS);
    for (size_t i = 0; i < src.attr_count; i++)
        ck_assert_ptr_null(strchr(attr[i].value, '/'));
    ck_assert_ptr_nonnull(strstr(attr[1].value, "name: smallcnn"));
    close_session(&s, recipe);
}
END_TEST

DT_TEST_MAIN("source", classes_are_those_of_the_set, other_outputs_than_classes_have_no_names,
             what_leaves_tells_nothing_of_the_machine)
