/* SPDX-License-Identifier: Apache-2.0 */
#include "core/opt.h"

#include <stdio.h>

#include "tests/support/run.h"

typedef struct {
    int bits, rule;
    double lr;
    bool nesterov;
    dt_opt_str root;
    dt_opt_ints at;
    dt_opt_words names;
} conf;

static const dt_opt opts[] = {
    DT_OPT_INT(conf, bits, 4, 2, 8, "bits per value"),
    DT_OPT_ENUM(conf, rule, 1, "CR|RC", "mask rule"),
    DT_OPT_FLOAT(conf, lr, 0.1, 0, 10, "learning rate"),
    DT_OPT_BOOL(conf, nesterov, 0, "Nesterov momentum"),
    DT_OPT_STR(conf, root, "data", "folder"),
    DT_OPT_INTS(conf, at, 1, 1000, "epochs"),
    DT_OPT_WORDS(conf, names, "names"),
    DT_OPT_END,
};

static dt_status set(conf *c, const char *key, const char *value, dt_error *err)
{
    return dt_opt_set(dt_opt_find(opts, key), c, value, &(dt_where){ .key = key }, err);
}

START_TEST(defaults_set_and_print)
{
    conf c;
    char text[600];
    dt_opt_defaults(opts, &c);
    ck_assert(c.bits == 4 && c.rule == 1 && c.lr == 0.1 && !c.nesterov && c.at.count == 0);
    ck_assert_str_eq(c.root, "data");
    static const char *const pairs[][2] = { { "bits", "3" },        { "rule", "CR" },
                                            { "lr", "0.0033" },     { "nesterov", "true" },
                                            { "root", "/x y/z" },   { "at", "[30, 60, 90]" },
                                            { "names", "[a.*, b]" } };
    for (size_t i = 0; i < DT_ARRAY_LEN(pairs); i++) {
        ck_assert_int_eq(set(&c, pairs[i][0], pairs[i][1], NULL), DT_OK);
        const dt_opt *o = dt_opt_find(opts, pairs[i][0]);
        ck_assert_str_eq(dt_opt_print(o, &c, text, sizeof text), pairs[i][1]);
        ck_assert_str_ne(dt_opt_rule(o, text, sizeof text), "");
    }
}
END_TEST

START_TEST(words_in_every_form)
{
    static const struct {
        const char *text;
        int count;
        const char *last;
    } good[] = { { "a.*", 1, "a.*" },   { "[a, b]", 2, "b" },
                 { "[*.x]", 1, "*.x" }, { "['a', \"b.?\"]", 2, "b.?" },
                 { "[]", 0, NULL },     { "", 0, NULL } };
    static const char *const bad[] = { "a b", "a,b", "[a", "a]",
                                       "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]" };
    conf c;
    dt_opt_defaults(opts, &c);
    for (size_t i = 0; i < DT_ARRAY_LEN(good); i++) {
        ck_assert_int_eq(set(&c, "names", good[i].text, NULL), DT_OK);
        ck_assert_int_eq(c.names.count, good[i].count);
        if (good[i].count) ck_assert_str_eq(c.names.value[good[i].count - 1], good[i].last);
    }
    for (size_t i = 0; i < DT_ARRAY_LEN(bad); i++)
        ck_assert_int_eq(set(&c, "names", bad[i], NULL), DT_ERR_RANGE);
}
END_TEST

START_TEST(bad_values_change_nothing_and_name_the_rule)
{
    conf c;
    dt_error err;
    dt_opt_defaults(opts, &c);
    ck_assert_int_eq(set(&c, "bits", "17", &err), DT_ERR_RANGE);
    ck_assert_str_eq(err.text, "bits: 17 is outside 2..8");
    ck_assert_int_eq(set(&c, "bits", "4.5", &err), DT_ERR_RANGE);
    ck_assert_int_eq(set(&c, "bits", "four", &err), DT_ERR_RANGE);
    ck_assert_int_eq(set(&c, "bits", "99999999999999999999", &err), DT_ERR_RANGE);
    ck_assert_int_eq(set(&c, "rule", "XX", &err), DT_ERR_RANGE);
    ck_assert_str_eq(err.text, "rule: XX is not one of CR|RC");
    ck_assert_int_eq(set(&c, "lr", "nan", &err), DT_ERR_RANGE);
    ck_assert_int_eq(set(&c, "at", "60 30", &err), DT_ERR_RANGE);
    ck_assert_int_eq(set(&c, "nesterov", "2", &err), DT_ERR_RANGE);
    ck_assert(c.bits == 4 && c.rule == 1 && c.lr == 0.1);
    ck_assert_int_eq(dt_opt_unknown(opts, "bitz", &(dt_where){ .key = "bitz" }, &err),
                     DT_ERR_NOT_FOUND);
    ck_assert_str_eq(err.text, "bitz: unknown key, did you mean 'bits'?");
    dt_opt_unknown(opts, "completely_else", NULL, &err);
    ck_assert_str_eq(err.text, "unknown key");
}
END_TEST

START_TEST(tables)
{
    static const dt_row sgd = { "sgd", "", NULL, 0 }, adam = { "adam", "", NULL, 0 };
    static const dt_row *const rows[] = { &sgd, &adam, NULL };
    const dt_table t = { "optimizer", rows };
    const dt_row *row = NULL;
    dt_error err;
    ck_assert_int_eq(dt_table_get(&t, "adam", NULL, &row, &err), DT_OK);
    ck_assert_ptr_eq(row, &adam);
    ck_assert_int_eq(dt_table_get(&t, "sdg", NULL, &row, &err), DT_ERR_NOT_FOUND);
    ck_assert_int_eq(dt_table_get(&t, "zzzzzz", NULL, &row, &err), DT_ERR_NOT_FOUND);
    ck_assert_str_eq(err.text, "unknown optimizer 'zzzzzz'; there are: sgd, adam");
}
END_TEST

typedef struct shaped {
    int kind, side;
    dt_opt_floats at;
} shaped;
static const dt_opt shaped_map[] = {
    DT_OPT_FLOATS(shaped, at, -2, 2, "where"),
    DT_OPT_INT(shaped, side, 5, 0, 9, "of it"),
    DT_OPT_END,
};
static const dt_opt shaped_opts[] = {
    DT_OPT_ENUM_MAP(shaped, kind, 0, "round|square", "its form", shaped_map),
    DT_OPT_END,
};

START_TEST(lists_of_numbers_and_choices_with_a_map)
{
    shaped s;
    char text[64];
    dt_error err;
    dt_opt_defaults(shaped_opts, &s);
    ck_assert_int_eq(s.side, 5);
    ck_assert_int_eq(s.at.count, 0);
    ck_assert_int_eq(dt_opt_choices(&shaped_opts[0]), 2);
    ck_assert_int_eq(dt_opt_set(&shaped_map[0], &s, "[0.1, -2]", NULL, &err), DT_OK);
    ck_assert_int_eq(s.at.count, 2);
    ck_assert_str_eq(dt_opt_print(&shaped_map[0], &s, text, sizeof text), "[0.1, -2]");
    ck_assert_int_eq(dt_opt_set(&shaped_map[0], &s, "1.5", NULL, &err), DT_OK);
    ck_assert_str_eq(dt_opt_print(&shaped_map[0], &s, text, sizeof text), "[1.5]");
    static const char *const bad[] = { "[3]", "", "[]", "nan", "[1] x", "[1, a]" };
    for (size_t i = 0; i < DT_ARRAY_LEN(bad); i++)
        ck_assert_int_eq(dt_opt_set(&shaped_map[0], &s, bad[i], NULL, &err), DT_ERR_RANGE);
    ck_assert_int_eq(s.at.count, 1);
    ck_assert(!dt_opt_is_map(&shaped_opts[0], &s));
    s.kind = 2;
    ck_assert(dt_opt_is_map(&shaped_opts[0], &s));
}
END_TEST

DT_TEST_MAIN("opt", defaults_set_and_print, lists_of_numbers_and_choices_with_a_map,
             words_in_every_form, bad_values_change_nothing_and_name_the_rule, tables)
