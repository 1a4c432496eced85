/* safetensors files, read back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/exporter.h"

#include "exchange/import.h"
#include "tests/exchange/net.h"
#include "tests/support/run.h"
#include "tests/support/tempdir.h"

START_TEST(everything_comes_back)
{
    testnet t, other;
    tempdir dir;
    dt_tensors set;
    dt_export_report report;
    dt_net_report found;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    const struct dt_text_attr attr[] = { { "recipe.hash", "abc" } };
    t.src.attr = attr;
    t.src.attr_count = 1;
    tempdir_init(&dir, "m.safetensors");
    const dt_exporter *e = dt_exporter_of(dt_table_find(&dt_exporters, "safetensors"));
    ck_assert_int_eq(e->write(&t.src, NULL, dir.file, &report, NULL), DT_OK);
    ck_assert_int_eq(dt_import_file(dir.file, NULL, &set, NULL), DT_OK);
    tempdir_fini(&dir);
    ck_assert_int_eq(report.part[0].count, (int)set.count);
    ck_assert_str_eq(dt_tensors_attr(&set, "recipe.hash"), "abc");
    ck_assert_str_eq(dt_tensors_attr(&set, "bits.conv2"), "w4 a4");
    const dt_named_tensor *w = dt_tensors_find(&set, "conv2.weight");
    ck_assert(w && dt_shape_equal(&w->shape, &DT_SHAPE(8, 4, 3, 3)));
    testnet_init(&other, RECIPE_SMALL RECIPE_W4A4);
    const dt_graph *g = &t.net.graph;
    for (int i = 0; i < g->value_count; i++) /* nothing of it is right before */
        for (int64_t k = 0; other.net.state.data[i] && k < dt_shape_count(&g->value[i].shape); k++)
            other.net.state.data[i][k] = -77;
    const dt_net_file file = { .set = &set, .path = "m" };
    ck_assert_int_eq(dt_net_import(&other.net, &file, &found, NULL), DT_OK);
    for (int i = 0; i < g->value_count; i++) {
        size_t bytes = (size_t)dt_shape_count(&g->value[i].shape) * sizeof(real);
        if (t.net.state.data[i])
            ck_assert_mem_eq(t.net.state.data[i], other.net.state.data[i], bytes);
    }
    dt_tensors_fini(&set);
    testnet_fini(&other);
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("export_safetensors", everything_comes_back)
