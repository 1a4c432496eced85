/* The table of exporters and its counts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/exporter.h"

#include "core/file.h"
#include "tests/exchange/net.h"
#include "tests/support/failalloc.h"
#include "tests/support/run.h"
#include "tests/support/tempdir.h"

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

/* Writes with the row's default options. */
static dt_status write_row(const dt_exporter *e, const dt_export_source *src, const char *path,
                           dt_export_report *report, dt_error *err)
{
    void *conf = dt_get(NULL, e->row.conf_size + 1, "conf");
    ck_assert_ptr_nonnull(conf);
    if (e->row.opts) dt_opt_defaults(e->row.opts, conf);
    dt_status st = e->write(src, conf, path, report, err);
    dt_put(NULL, conf);
    return st;
}

/* Of 7 bits at most behind ReLUs: every format has these. */
#define RECIPE_INTEGER                                                                             \
    RECIPE_SMALL RECIPE_QUANT("residual: {bits: 7}, last: {weights: 4, activations: 4}")

static void check_bytes(const dt_exporter *e)
{
    testnet t;
    tempdir dir;
    unsigned char *bytes[2];
    size_t size[2];
    dt_error err;
    dt_export_report report = { .bytes = 0 };
    char name[32], header[96];
    snprintf(name, sizeof name, "m.%s", e->extension);
    testnet_init(&t, RECIPE_INTEGER);
    for (int i = 0; i < 2; i++) {
        tempdir_init(&dir, name);
        ck_assert_msg(write_row(e, &t.src, dir.file, NULL, &err) == DT_OK, "%s", err.text);
        ck_assert_int_eq(dt_file_read(NULL, dir.file, 1 << 24, &bytes[i], &size[i], NULL), DT_OK);
        snprintf(header, sizeof header, "%s/m.h", dir.folder);
        remove(header); /* only C has one */
        tempdir_fini(&dir);
    }
    ck_assert_uint_eq(size[0], size[1]);
    ck_assert_mem_eq(bytes[0], bytes[1], size[0]);
    ck_assert_int_eq(write_row(e, &t.src, NULL, &report, NULL), DT_OK);
    ck_assert(report.bytes > 0 && report.bytes <= size[0]); /* tensors alone, in some formats */
    ck_assert_uint_gt(report.part_count, 0);
    ck_assert_uint_gt(strlen(report.format), 0);
    dt_put(NULL, bytes[0]);
    dt_put(NULL, bytes[1]);
    testnet_fini(&t);
}

START_TEST(the_same_net_gives_the_same_bytes)
{
    for (const dt_row *const *r = dt_exporters.rows; *r; r++)
        check_bytes(dt_exporter_of(*r));
}
END_TEST

static void check_memory(const dt_exporter *e)
{
    testnet t;
    failalloc f;
    dt_status st = DT_ERR_NOMEM;
    testnet_init(&t, RECIPE_INTEGER);
    t.src.alloc = &f.alloc;
    for (size_t at = 1; st == DT_ERR_NOMEM; at += 1 + at / 16) {
        failalloc_init(&f, at);
        st = write_row(e, &t.src, NULL, NULL, NULL);
        ck_assert_uint_eq(f.live, 0);
        ck_assert_int_eq(st, f.calls >= at ? DT_ERR_NOMEM : DT_OK);
    }
    testnet_fini(&t);
}

START_TEST(memory_may_run_out_anywhere)
{
    for (const dt_row *const *r = dt_exporters.rows; *r; r++)
        check_memory(dt_exporter_of(*r));
}
END_TEST

/* Formats of integer models refuse a float net, and say which format takes it. */
static void check_float_net(const dt_exporter *e)
{
    testnet t;
    dt_error err;
    testnet_init(&t, RECIPE_SMALL);
    dt_status st = write_row(e, &t.src, NULL, NULL, &err);
    ck_assert(st == DT_OK || st == DT_ERR_UNSUPPORTED);
    if (st != DT_OK) ck_assert_ptr_nonnull(strstr(err.text, "--format onnx --allow-float"));
    testnet_fini(&t);
}

START_TEST(a_float_net_is_written_or_refused_with_advice)
{
    for (const dt_row *const *r = dt_exporters.rows; *r; r++)
        check_float_net(dt_exporter_of(*r));
}
END_TEST

DT_TEST_MAIN("exporter", rows_are_complete, tallies_group_by_name, layers_are_counted_by_bits,
             the_same_net_gives_the_same_bytes, memory_may_run_out_anywhere,
             a_float_net_is_written_or_refused_with_advice)
