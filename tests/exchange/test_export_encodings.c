/* Encodings as JSON, read back: every quantizer's range, by module and by parameter. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <math.h>

#include "autograd/query.h"
#include "tests/exchange/net.h"
#include "tests/support/run.h"
#include "tests/support/tempdir.h"

static const dt_exporter *exporter(void)
{
    return dt_exporter_of(dt_table_find(&dt_exporters, "encodings"));
}

static json_t *write_and_read(testnet *t, dt_export_report *report)
{
    tempdir dir;
    json_error_t e;
    tempdir_init(&dir, "m.json");
    ck_assert_int_eq(exporter()->write(&t->src, NULL, dir.file, report, NULL), DT_OK);
    json_t *all = json_load_file(dir.file, JSON_REJECT_DUPLICATES, &e);
    ck_assert_msg(all != NULL, "%s", e.text);
    tempdir_fini(&dir);
    return all;
}

/* Its ends are those of its codes, and 0 is one of them. */
static void check_encoding(const json_t *e, int bits)
{
    const double scale = json_number_value(json_object_get(e, "scale"));
    const double offset = (double)json_integer_value(json_object_get(e, "offset"));
    ck_assert_int_eq(json_integer_value(json_object_get(e, "bitwidth")), bits);
    ck_assert(scale > 0 && offset <= 0 && offset >= -(1 << bits));
    ck_assert_double_eq_tol(json_number_value(json_object_get(e, "min")), scale * offset, 1e-6);
    ck_assert_double_eq_tol(json_number_value(json_object_get(e, "max")),
                            scale * (offset + (1 << bits) - 1), 1e-6);
}

static void check_module(const json_t *m)
{
    const char *side, *place;
    json_t *sites, *e;
    json_object_foreach((json_t *)(uintptr_t)m, side, sites)
    {
        ck_assert(strcmp(side, "input") == 0 || strcmp(side, "output") == 0);
        json_object_foreach(sites, place, e)
            check_encoding(e, (int)json_integer_value(json_object_get(e, "bitwidth")));
    }
}

START_TEST(every_quantizer_is_told)
{
    testnet t;
    dt_export_report report;
    const char *name;
    json_t *one;
    int sites[2] = { 0, 0 };
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    json_t *all = write_and_read(&t, &report);
    const dt_graph *g = &t.net.graph;
    for (int i = 0; i < g->node_count; i++) {
        const dt_fakequant_conf *c = dt_query_quantizer(&g->node[i]);
        if (c) sites[c->site.weight ? 0 : 1]++;
    }
    ck_assert_str_eq(json_string_value(json_object_get(all, "version")), "0.6.1");
    json_t *params = json_object_get(all, "param_encodings");
    ck_assert_int_eq((int)json_object_size(params), sites[0]);
    json_object_foreach(params, name, one) check_encoding(
        json_array_get(one, 0),
        (int)json_integer_value(json_object_get(json_array_get(one, 0), "bitwidth")));
    one = json_array_get(json_object_get(params, "conv2.weight"), 0);
    check_encoding(one, 4);
    ck_assert_str_eq(json_string_value(json_object_get(one, "is_symmetric")), "True");
    json_t *modules = json_object_get(all, "activation_encodings");
    json_object_foreach(modules, name, one) check_module(one);
    one = json_object_get(json_object_get(json_object_get(modules, "conv1"), "input"), "0");
    check_encoding(one, 8);
    ck_assert_int_eq(report.part_count, 2);
    json_decref(all);
    testnet_fini(&t);
}
END_TEST

/* The scale is the quantizer's own: no norm is folded into it. */
START_TEST(scales_are_the_parameters)
{
    testnet t;
    dt_export_report report;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    json_t *all = write_and_read(&t, &report);
    const json_t *e =
        json_array_get(json_object_get(json_object_get(all, "param_encodings"), "conv2.weight"), 0);
    const real *scale = t.src.state->data[dt_graph_find(&t.net.graph, "conv2.weight_quant.scale")];
    ck_assert_double_eq_tol(json_number_value(json_object_get(e, "scale")), (double)scale[0], 1e-8);
    json_decref(all);
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("export_encodings", every_quantizer_is_told, scales_are_the_parameters)
