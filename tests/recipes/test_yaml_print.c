/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/yaml.h"

#include <string.h>

#include "tests/support/run.h"

static char *print(const char *text, const char *const *skip)
{
    dt_arena *arena = dt_arena_new(NULL, "test");
    dt_yaml_node *root;
    dt_error err = { 0 };
    char *out = NULL;
    ck_assert_msg(dt_yaml_parse(arena, "r", text, strlen(text), &root, &err) == DT_OK, "%s",
                  err.text);
    ck_assert_msg(dt_yaml_print(NULL, root, skip, &out, &err) == DT_OK, "%s", err.text);
    dt_arena_free(arena);
    return out;
}

START_TEST(block_style_with_short_lists)
{
    char *out = print("{a: 1, b: [1, 2], c: [x: {y: z}, w], d: {}, e: []}", NULL);
    ck_assert_str_eq(out, "a: 1\nb: [1, 2]\nc:\n- x:\n    y: z\n- w\nd: {}\ne: []\n");
    dt_put(NULL, out);
}
END_TEST

START_TEST(odd_texts_come_back)
{
    const char *text = "a: ''\nb: '*.conv'\nc: 'x: y # z'\nd: \"tab\\there \\u00e4\\x01\"\n"
                       "e: 'a, b]'\nf: \"two\\nlines\"\n' key ': '- x'\n";
    char *once = print(text, NULL), *twice = print(once, NULL);
    ck_assert_str_eq(once, twice);
    dt_arena *arena = dt_arena_new(NULL, "test");
    dt_yaml_node *root;
    ck_assert_int_eq(dt_yaml_parse(arena, "r", once, strlen(once), &root, NULL), DT_OK);
    static const char *const want[][2] = {
        { "a", "" },        { "b", "*.conv" },     { "c", "x: y # z" },
        { "e", "a, b]" },   { "f", "two\nlines" }, { "d", "tab\there \xc3\xa4\x01" },
        { " key ", "- x" },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(want); i++)
        ck_assert_str_eq(dt_yaml_find(root, want[i][0])->text, want[i][1]);
    dt_arena_free(arena);
    dt_put(NULL, once);
    dt_put(NULL, twice);
}
END_TEST

START_TEST(skipping)
{
    char *out =
        print("{a: {b: 1, c: 2}, d: {e: 3}, c: 4}", (const char *const[]){ "a.b", "d", NULL });
    ck_assert_str_eq(out, "a:\n  c: 2\nc: 4\n");
    dt_put(NULL, out);
}
END_TEST

START_TEST(bad_utf8_is_an_error)
{
    dt_yaml_node root = { .kind = DT_YAML_MAP, .count = 1, .file = "r" };
    dt_yaml_node bad = {
        .kind = DT_YAML_SCALAR, .key = "k", .text = "\xff\xfe", .parent = &root, .file = "r"
    };
    root.first = root.last = &bad;
    char *out;
    dt_error err;
    ck_assert_int_eq(dt_yaml_print(NULL, &root, NULL, &out, &err), DT_ERR_FORMAT);
    ck_assert_str_eq(err.text, "r: k: is not UTF-8");
}
END_TEST

DT_TEST_MAIN("yaml_print", block_style_with_short_lists, odd_texts_come_back, skipping,
             bad_utf8_is_an_error)
