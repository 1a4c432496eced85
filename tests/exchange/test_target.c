/* The table of targets. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/target/target.h"

#include "tests/exchange/net.h"
#include "tests/support/failalloc.h"
#include "tests/support/run.h"

START_TEST(rows_are_complete)
{
    int n = 0;
    for (const dt_row *const *r = dt_targets.rows; *r; r++, n++) {
        const dt_target *t = dt_target_of(*r);
        ck_assert(t->row.name && t->row.help && t->format[0]);
        for (const char *const *f = t->format; *f; f++)
            ck_assert_msg(dt_table_find(&dt_exporters, *f) != NULL, "%s: %s", t->row.name, *f);
        for (const dt_target_rule *const *rule = t->rule; *rule; rule++)
            ck_assert((*rule)->text && (*rule)->fix && (*rule)->find);
    }
    ck_assert_int_eq(n, 6);
}
END_TEST

START_TEST(a_target_takes_its_formats)
{
    const dt_target *t = dt_target_of(dt_table_find(&dt_targets, "litert"));
    const dt_row *row;
    dt_error err;
    ck_assert_int_eq(dt_target_format(t, NULL, &row, NULL), DT_OK);
    ck_assert_str_eq(row->name, "tflite");
    ck_assert_int_eq(dt_target_format(t, "tflite_int4", &row, NULL), DT_OK);
    ck_assert_str_eq(row->name, "tflite_int4");
    ck_assert_int_eq(dt_target_format(t, "onnx", &row, &err), DT_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(err.text, "tflite, tflite_int4"));
}
END_TEST

START_TEST(places_are_named_and_counted)
{
    dt_target_finding f = { .count = 0 };
    for (int i = 0; i < 200; i++)
        dt_target_add(&f, "layer%d of a long name", i);
    ck_assert_int_eq(f.count, 200);
    ck_assert_str_eq(f.places, "layer0 of a long name, layer1 of a long name, "
                               "layer2 of a long name, layer3 of a long name");
}
END_TEST

START_TEST(memory_may_run_out_anywhere)
{
    testnet t;
    failalloc f;
    dt_target_report r;
    dt_status st = DT_ERR_NOMEM;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    t.src.alloc = &f.alloc;
    for (size_t at = 1; st == DT_ERR_NOMEM; at++) {
        failalloc_init(&f, at);
        st = dt_target_check(dt_target_of(dt_table_find(&dt_targets, "ort")), &t.src, false, &r,
                             NULL);
        ck_assert_uint_eq(f.live, 0);
        ck_assert_int_eq(st, f.calls >= at ? DT_ERR_NOMEM : DT_OK);
    }
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("target", rows_are_complete, a_target_takes_its_formats, places_are_named_and_counted,
             memory_may_run_out_anywhere)
