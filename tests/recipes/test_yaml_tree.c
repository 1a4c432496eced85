/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/yaml.h"

#include <string.h>

#include "tests/support/run.h"

START_TEST(build_and_replace)
{
    dt_arena *arena = dt_arena_new(NULL, "test");
    dt_yaml_node *root, *list, *n, *other;
    char path[DT_YAML_PATH];
    const dt_yaml_node place = { .file = "f", .line = 3 };
    ck_assert_int_eq(dt_yaml_add(arena, NULL, DT_YAML_MAP, NULL, NULL, &place, &root, NULL), DT_OK);
    ck_assert_int_eq(dt_yaml_add(arena, root, DT_YAML_SEQ, "list", NULL, NULL, &list, NULL), DT_OK);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(dt_yaml_add(arena, list, DT_YAML_SCALAR, NULL, "x", NULL, &n, NULL),
                         DT_OK);
    ck_assert_str_eq(dt_yaml_path(n, path), "list.2");
    dt_where where = dt_yaml_where(n, path);
    ck_assert(where.line == 3 && strcmp(where.file, "f") == 0); /* the parent's place */
    ck_assert_ptr_null(dt_yaml_where(root, path).key);
    for (size_t i = 0; i < 3; i++) { /* last, first and middle */
        size_t at = (i + 2) % 3;
        ck_assert_int_eq(dt_yaml_add(arena, NULL, DT_YAML_SCALAR, NULL, "y", NULL, &other, NULL),
                         DT_OK);
        dt_yaml_replace(dt_yaml_at(list, at), other);
        ck_assert_ptr_eq(dt_yaml_at(list, at), other);
        ck_assert(other->index == at && other->parent == list && list->count == 3);
    }
    ck_assert_ptr_eq(list->last, dt_yaml_at(list, 2));
    ck_assert_int_eq(dt_yaml_add(arena, list, DT_YAML_SCALAR, NULL, "z", NULL, &n, NULL), DT_OK);
    ck_assert_ptr_eq(dt_yaml_at(list, 3), n);
    ck_assert_ptr_null(dt_yaml_at(list, 4));
    dt_arena_free(arena);
}
END_TEST

START_TEST(long_paths_are_cut)
{
    dt_arena *arena = dt_arena_new(NULL, "test");
    char key[200], path[DT_YAML_PATH];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    dt_yaml_node *n = NULL;
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(dt_yaml_add(arena, n, DT_YAML_MAP, n ? key : NULL, NULL, NULL, &n, NULL),
                         DT_OK);
    ck_assert_uint_eq(strlen(dt_yaml_path(n, path)), DT_YAML_PATH - 1);
    dt_arena_free(arena);
}
END_TEST

DT_TEST_MAIN("yaml_tree", build_and_replace, long_paths_are_cut)
