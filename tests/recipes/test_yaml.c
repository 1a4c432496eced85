/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/atomic.h"
#include "tests/support/run.h"

static dt_status parse(dt_arena *arena, const char *text, dt_yaml_node **root, dt_error *err)
{
    return dt_yaml_parse(arena, "r.yaml", text, strlen(text), root, err);
}

START_TEST(tree_with_places)
{
    dt_arena *arena = dt_arena_new(NULL, "test");
    dt_yaml_node *root, *n;
    ck_assert_int_eq(parse(arena, "a: 1\nb:\n  - x\n  - {c: 'q', d: }\ne: \"\"\n", &root, NULL),
                     DT_OK);
    ck_assert_int_eq(root->kind, DT_YAML_MAP);
    ck_assert_uint_eq(root->count, 3);
    n = dt_yaml_find(root, "a");
    ck_assert(n->line == 1 && n->column == 1 && !n->quoted && strcmp(n->text, "1") == 0);
    n = dt_yaml_find(root, "b");
    ck_assert(n->kind == DT_YAML_SEQ && n->count == 2 && n->line == 2 && n->index == 1);
    ck_assert_int_eq(dt_yaml_at(n, 0)->column, 5);
    n = dt_yaml_find(dt_yaml_at(n, 1), "c");
    ck_assert(n->quoted && strcmp(n->text, "q") == 0 && n->line == 4);
    n = n->next;
    ck_assert(!n->quoted && strcmp(n->text, "") == 0);
    ck_assert(dt_yaml_find(root, "e")->quoted);
    ck_assert_ptr_null(dt_yaml_find(root, "z"));
    dt_arena_free(arena);
}
END_TEST

START_TEST(what_is_refused)
{
    static const char *const cases[][2] = {
        { "a: 1\nb: {c: 2,\n  c: 3}\n", "r.yaml:3: b.c: repeated key, first in line 2" },
        { "a: &x 1\nb: *x\n", "r.yaml:1: YAML anchors are refused" },
        { "a: 1\nb: *x\n",
          "r.yaml:2: YAML aliases are refused; put a text that starts with * in quotes" },
        { "a: !!int 1\n", "r.yaml:1: YAML tags are refused" },
        { "a: 1\n---\nb: 2\n", "r.yaml:2: a second YAML document is refused" },
        { "", "r.yaml:1: the document is empty" },
        { "# only a comment\n", "r.yaml:2: the document is empty" },
        { "? [a]\n: 1\n", "r.yaml:1: a key that is no plain text" },
        { "a: \"x\\0y\"\n", "r.yaml:1: a NUL character inside a text" },
        { "a: [1, 2\nb: 3\n", NULL },
        { "a: \xff\n", NULL },
        { "\ta: 1\n", NULL },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        dt_arena *arena = dt_arena_new(NULL, "test");
        dt_yaml_node *root;
        dt_error err;
        ck_assert_int_eq(parse(arena, cases[i][0], &root, &err), DT_ERR_FORMAT);
        if (cases[i][1])
            ck_assert_str_eq(err.text, cases[i][1]);
        else
            ck_assert_msg(strstr(err.text, "no YAML: "), "%s", err.text);
        dt_arena_free(arena);
    }
}
END_TEST

/* `head`, then `n` times `unit`. */
static dt_status parse_repeated(const char *head, const char *unit, size_t n, dt_error *err)
{
    size_t len = strlen(unit), from = strlen(head), size = from + n * len;
    char *text = dt_get(NULL, size + 1, "test");
    memcpy(text, head, from);
    for (size_t i = 0; i < n; i++)
        memcpy(text + from + i * len, unit, len);
    dt_arena *arena = dt_arena_new(NULL, "test");
    dt_yaml_node *root;
    dt_status st = dt_yaml_parse(arena, "r.yaml", text, size, &root, err);
    dt_arena_free(arena);
    dt_put(NULL, text);
    return st;
}

START_TEST(limits)
{
    dt_error err;
    ck_assert_int_eq(parse_repeated("", "- ", DT_YAML_MAX_DEPTH, &err), DT_OK);
    ck_assert_int_eq(parse_repeated("", "- ", DT_YAML_MAX_DEPTH + 1, &err), DT_ERR_FORMAT);
    ck_assert_str_eq(err.text, "r.yaml:1: nested deeper than 32 levels");
    ck_assert_int_eq(parse_repeated("", "[", 500000, &err), DT_ERR_FORMAT);
    ck_assert_int_eq(parse_repeated("", "- 1\n", DT_YAML_MAX_NODES - 1, &err), DT_OK);
    ck_assert_int_eq(parse_repeated("", "- 1\n", DT_YAML_MAX_NODES, &err), DT_ERR_FORMAT);
    ck_assert_str_eq(err.text, "r.yaml:10000: more than 10000 values");
    ck_assert_int_eq(parse_repeated("a: ", "x", DT_YAML_MAX_BYTES - 3, &err), DT_OK);
    ck_assert_int_eq(parse_repeated("a: ", "x", DT_YAML_MAX_BYTES - 2, &err), DT_ERR_FORMAT);
    ck_assert_str_eq(err.text, "r.yaml: 1048577 bytes; at most 1048576 are read");
}
END_TEST

START_TEST(from_a_file)
{
    dt_error err;
    dt_yaml_node *root;
    char path[] = "/tmp/dt_yaml_XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(dt_file_write(path, "a: 7\n", 5, NULL), DT_OK);
    dt_arena *arena = dt_arena_new(NULL, "test");
    ck_assert_int_eq(dt_yaml_read(arena, NULL, path, &root, &err), DT_OK);
    ck_assert_str_eq(dt_yaml_find(root, "a")->text, "7");
    ck_assert_str_eq(root->file, path);
    /* as some editors write it: a byte order mark, and ends of lines of two bytes */
    ck_assert_int_eq(dt_file_write(path,
                                   "\xef\xbb\xbf"
                                   "a: 7\r\nb: x y\r\n",
                                   17, NULL),
                     DT_OK);
    ck_assert_int_eq(dt_yaml_read(arena, NULL, path, &root, &err), DT_OK);
    ck_assert_str_eq(dt_yaml_find(root, "a")->text, "7");
    ck_assert_str_eq(dt_yaml_find(root, "b")->text, "x y");
    unlink(path);
    ck_assert_int_eq(dt_yaml_read(arena, NULL, path, &root, &err), DT_ERR_NOT_FOUND);
    dt_arena_free(arena);
}
END_TEST

DT_TEST_MAIN("yaml", tree_with_places, what_is_refused, limits, from_a_file)
