/* What must hold for the sections, whatever tables they are given. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/schema.h"

#include "core/alloc.h"
#include "tests/recipes/fake_tables.h"
#include "tests/support/run.h"

START_TEST(keys_are_documented_and_defaults_are_valid)
{
    dt_section s[DT_SECTION_COUNT];
    dt_sections(&fake_tables, s);
    for (int i = 0; i < DT_SECTION_COUNT; i++) {
        void *conf = dt_get(NULL, sizeof(dt_recipe), "test");
        dt_opt_defaults(s[i].opts, conf);
        for (const dt_opt *o = s[i].opts; o && o->type; o++) {
            char text[DT_OPT_STR_MAX];
            dt_error err = { 0 };
            dt_opt_print(o, conf, text, sizeof text);
            ck_assert_msg(dt_opt_set(o, conf, text, NULL, &err) == DT_OK, "%s.%s: %s", s[i].path,
                          o->key, err.text);
            ck_assert_msg(o->help && *o->help, "%s.%s", s[i].path, o->key);
            ck_assert_ptr_eq(dt_opt_find(s[i].opts, o->key), o); /* not twice */
            for (const char *const *other = s[i].others; other && *other; other++)
                ck_assert_str_ne(*other, o->key);
        }
        ck_assert_int_eq(s[i].table != NULL, s[i].name_key != NULL);
        if (s[i].fallback) ck_assert_ptr_nonnull(dt_table_find(s[i].table, s[i].fallback));
        if (s[i].path_keys)
            ck_assert_int_eq(dt_opt_find(s[i].opts, s[i].path_keys[0])->type, DT_OPT_TYPE_STR);
        dt_put(NULL, conf);
    }
}
END_TEST

START_TEST(unhashed_keys_exist)
{
    dt_section s[DT_SECTION_COUNT];
    dt_sections(&fake_tables, s);
    for (const char *const *key = dt_unhashed_keys; *key; key++) {
        const char *dot = strchr(*key, '.');
        bool found = false;
        for (int i = 0; i < DT_SECTION_COUNT; i++) {
            size_t n = dot ? (size_t)(dot - *key) : 0;
            bool same = strlen(s[i].path) == n && strncmp(s[i].path, *key, n) == 0;
            found |= strcmp(s[i].path, *key) == 0;
            found |= same && dt_opt_find(s[i].opts, dot ? dot + 1 : *key);
            for (const dt_row *const *row = same && s[i].table ? s[i].table->rows : NULL;
                 row && *row; row++)
                found |= dt_opt_find((*row)->opts, dot + 1) != NULL;
        }
        ck_assert_msg(found, "%s", *key);
    }
}
END_TEST

DT_TEST_MAIN("schema", keys_are_documented_and_defaults_are_valid, unhashed_keys_exist)
