/* The section reader by itself: merged namespace, given-only sections, long values. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/section.h"

#include <stdio.h>

#include "tests/recipes/fake_tables.h"
#include "tests/support/run.h"

typedef struct both {
    int common;
    dt_opt_str file;
} both;
static const dt_opt both_opts[] = {
    DT_OPT_INT(both, common, 1, 0, 9, "number"),
    DT_OPT_STR(both, file, "", "path"),
    DT_OPT_END,
};

static dt_status read_text(dt_arena *arena, const dt_section *s, const char *path, const char *text,
                           both *conf, dt_recipe_choice *choice, dt_yaml_node **out, dt_error *err)
{
    dt_yaml_node *in;
    dt_reader r = { .tables = &fake_tables, .arena = arena, .path = path };
    DT_TRY(dt_yaml_parse(arena, "s", text, strlen(text), &in, err));
    DT_TRY(dt_yaml_add(arena, NULL, DT_YAML_MAP, NULL, NULL, in, out, err));
    return dt_section_read(&r, s, in, *out, conf, choice, err);
}

static const char *const paths[] = { "file", NULL };

START_TEST(common_and_row_keys_are_one_namespace)
{
    dt_arena *arena = dt_arena_new(NULL, "test");
    const dt_section s = { .path = "s",
                           .opts = both_opts,
                           .name_key = "kind",
                           .table = &quantizer_table,
                           .fallback = "pact",
                           .path_keys = paths };
    both conf;
    dt_recipe_choice choice;
    dt_yaml_node *out;
    char *text;
    ck_assert_int_eq(
        read_text(arena, &s, "/a/b/c.yaml", "{alpha: 2, file: ././f}", &conf, &choice, &out, NULL),
        DT_OK);
    ck_assert_int_eq(dt_yaml_print(NULL, out, NULL, &text, NULL), DT_OK);
    ck_assert_str_eq(text, "kind: pact\ncommon: 1\nfile: /a/b/f\nalpha: 2\n");
    dt_put(NULL, text);
    ck_assert_ptr_eq(choice.row, &pact);
    dt_arena_free(arena);
}
END_TEST

START_TEST(given_only)
{
    dt_arena *arena = dt_arena_new(NULL, "test");
    const dt_section s = { .path = "s", .opts = both_opts, .given_only = true };
    both conf;
    dt_yaml_node *out;
    ck_assert_int_eq(read_text(arena, &s, "/c", "{common: 3}", &conf, NULL, &out, NULL), DT_OK);
    ck_assert(out->count == 1 && conf.common == 3 && !*conf.file);
    dt_arena_free(arena);
}
END_TEST

START_TEST(values_that_do_not_fit)
{
    dt_arena *arena = dt_arena_new(NULL, "test");
    const dt_section s = { .path = "s", .opts = both_opts, .path_keys = paths };
    both conf;
    dt_yaml_node *out;
    dt_error err;
    char text[700], folder[600];
    memset(folder, 'd', sizeof folder);
    memcpy(folder + sizeof folder - 4, "/r", 3);
    folder[0] = '/';
    /* The path fits, the resolved one does not. */
    ck_assert_int_eq(read_text(arena, &s, folder, "{file: x}", &conf, NULL, &out, &err),
                     DT_ERR_RANGE);
    snprintf(text, sizeof text, "{file: %s}", folder);
    ck_assert_int_eq(read_text(arena, &s, "/c", text, &conf, NULL, &out, &err), DT_ERR_RANGE);
    ck_assert_int_eq(read_text(arena, &s, "/c", "[]", &conf, NULL, &out, &err), DT_ERR_FORMAT);
    ck_assert_str_eq(err.text, "s:1: must be a map of keys");
    dt_arena_free(arena);
}
END_TEST

START_TEST(lists)
{
    typedef struct number_list {
        dt_opt_ints at;
    } number_list;
    static const dt_opt opts[] = { DT_OPT_INTS(number_list, at, 1, 99, "numbers"), DT_OPT_END };
    static const struct {
        const char *text;
        int count;
    } cases[] = { { "[]", 0 },        { "[1, 2]", 2 },
                  { "5", 1 },         { "'1 2 3'", 3 },
                  { "[1, [2]]", -1 }, { "['1 2']", -1 },
                  { "[1, '']", -1 },  { "{a: 1}", -1 },
                  { "[100]", -1 },    { "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]", -1 } };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        dt_arena *arena = dt_arena_new(NULL, "test");
        number_list conf = { .at = { .count = 7 } };
        dt_yaml_node *n;
        ck_assert_int_eq(dt_yaml_parse(arena, "s", cases[i].text, strlen(cases[i].text), &n, NULL),
                         DT_OK);
        dt_status st = dt_option_set(n, opts, &conf, NULL);
        ck_assert_msg((st == DT_OK) == (cases[i].count >= 0), "%s", cases[i].text);
        ck_assert_int_eq(conf.at.count, st == DT_OK ? cases[i].count : 7);
        dt_arena_free(arena);
    }
}
END_TEST

START_TEST(unknown_keys)
{
    const dt_yaml_node n = {
        .file = "s", .line = 2, .key = "widht", .parent = &(dt_yaml_node){ 0 }
    };
    dt_error err;
    ck_assert_int_eq(
        dt_key_unknown(&n, "name", both_opts, NULL, (const char *const[]){ "width", NULL }, &err),
        DT_ERR_NOT_FOUND);
    ck_assert_str_eq(err.text, "s:2: widht: unknown key, did you mean 'width'?");
    ck_assert_int_eq(dt_key_unknown(&n, "name", both_opts, NULL, NULL, &err), DT_ERR_NOT_FOUND);
    ck_assert_str_eq(err.text, "s:2: widht: unknown key; there are: name, common, file");
    ck_assert(dt_is_one_of("b", (const char *const[]){ "a", "b", NULL }) &&
              !dt_is_one_of("b", NULL));
}
END_TEST

DT_TEST_MAIN("section", common_and_row_keys_are_one_namespace, given_only, values_that_do_not_fit,
             lists, unknown_keys)
