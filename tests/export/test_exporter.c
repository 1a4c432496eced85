/* The table of exporters and its counts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "export/exporter.h"

#include "tests/export/net.h"
#include "tests/support/run.h"

START_TEST(rows_are_complete)
{
    int n = 0;
    for (const dt_row *const *r = dt_exporters.rows; *r; r++, n++) {
        const dt_exporter *e = dt_exporter_of(*r);
        ck_assert(e->row.name && e->row.help && e->extension && e->write);
        ck_assert_ptr_eq(dt_table_find(&dt_exporters, e->row.name), *r);
    }
    ck_assert_int_ge(n, 2);
}
END_TEST

START_TEST(tallies_group_by_name)
{
    dt_export_count list[DT_EXPORT_KINDS];
    int count = 0;
    char name[16];
    dt_export_tally(list, &count, "a");
    dt_export_tally(list, &count, "b");
    dt_export_tally(list, &count, "a");
    ck_assert_int_eq(count, 2);
    ck_assert_int_eq(list[0].count, 2);
    for (int i = 0; i < 2 * DT_EXPORT_KINDS; i++) {
        snprintf(name, sizeof name, "x%d", i);
        dt_export_tally(list, &count, name);
    }
    ck_assert_int_eq(count, DT_EXPORT_KINDS);
}
END_TEST

START_TEST(layers_are_counted_by_bits)
{
    testnet t;
    dt_export_report report = { .layer_count = 0 };
    testnet_init(&t, RECIPE_SMALL RECIPE_QUANT("last: none, rules: [{layers: conv3, weights: 2}]"));
    dt_export_count_layers(&t.src, &report);
    ck_assert_int_eq(report.layer_count, 4);
    ck_assert_str_eq(report.layer[0].name, "w8 a8");
    ck_assert_str_eq(report.layer[1].name, "w4 a4");
    ck_assert_int_eq(report.layer[1].count, 3);
    ck_assert_str_eq(report.layer[2].name, "w2 a4");
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("exporter", rows_are_complete, tallies_group_by_name, layers_are_counted_by_bits)
