/* The integers of a net, read back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "autograd/query.h"
#include "exchange/import.h"
#include "exchange/layout.h"
#include "tests/exchange/net.h"
#include "tests/support/run.h"
#include "tests/support/tempdir.h"

static const dt_exporter *exporter(void)
{
    return dt_exporter_of(dt_table_find(&dt_exporters, "safetensors_codes"));
}

static const void *data_of(const dt_tensors *set, const char *name, dt_dtype type)
{
    const dt_named_tensor *t = dt_tensors_find(set, name);
    ck_assert_msg(t && t->dtype == type, "%s", name);
    return t->data;
}

START_TEST(codes_are_the_lowering_s)
{
    testnet t;
    tempdir dir;
    dt_tensors set;
    dt_lowered *l;
    dt_export_report report;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    tempdir_init(&dir, "m.safetensors");
    ck_assert_int_eq(exporter()->write(&t.src, NULL, dir.file, &report, NULL), DT_OK);
    ck_assert_int_eq(dt_import_file(dir.file, NULL, &set, NULL), DT_OK);
    tempdir_fini(&dir);
    t.low.no_gain = true;
    ck_assert_int_eq(dt_lower_new(&t.low, &l, NULL), DT_OK);
    const dt_node *conv = testnet_node(&t, "conv2d", "conv2");
    const dt_lower_product *p = l->product[dt_query_index(&t.net.graph, conv)];
    const dt_named_tensor *codes = dt_tensors_find(&set, "conv2.codes");
    ck_assert(codes && dt_shape_equal(&codes->shape, &DT_SHAPE(8, 4, 3, 3)));
    const int8_t *q = data_of(&set, "conv2.codes", DT_S8);
    for (int64_t o = 0; o < 8; o++) /* torch's layout: the channel before the pixels */
        for (int64_t i = 0; i < 4; i++)
            for (int64_t k = 0; k < 9; k++) {
                ck_assert_int_eq(q[(o * 4 + i) * 9 + k], p->code[o * p->K + k * 4 + i]);
                ck_assert(abs(q[(o * 4 + i) * 9 + k]) <= 8);
            }
    ck_assert_mem_eq(data_of(&set, "conv2.scale", DT_F32), p->scale, 8 * sizeof(float));
    ck_assert_mem_eq(data_of(&set, "conv2.bias_codes", DT_I32), p->bias_code, 8 * sizeof(int32_t));
    const float *bias = data_of(&set, "conv2.bias", DT_F32);
    const float *unit = data_of(&set, "conv2.bias_scale", DT_F32);
    for (int o = 0; o < 8; o++)
        ck_assert_float_eq_tol(bias[o], (float)p->bias_code[o] * unit[o], 0.51f * unit[o]);
    const int32_t *grid = data_of(&set, "conv2.input_quant.grid", DT_I32);
    ck_assert(grid[0] == 0 && grid[1] == 0 && grid[2] == 15);
    ck_assert_str_eq(dt_tensors_attr(&set, "bits.conv2"), "w4 a4");
    ck_assert_uint_gt(report.weight_bytes, report.trained_bytes);
    dt_lower_free(l);
    dt_tensors_fini(&set);
    testnet_fini(&t);
}
END_TEST

/* Codes [O][K] of a product against those of the file, whose shape is torch's of the parameter. */
static void check_layout(const testnet *t, const dt_tensors *set, const dt_node *n,
                         const dt_lower_product *p)
{
    char name[256];
    snprintf(name, sizeof name, "%s.weight", n->name);
    const dt_value *v = &t->net.graph.value[dt_graph_find(&t->net.graph, name)];
    const dt_shape want = dt_layout_shape(v);
    snprintf(name, sizeof name, "%s.codes", n->name);
    const dt_named_tensor *codes = dt_tensors_find(set, name);
    ck_assert_msg(codes && dt_shape_equal(&codes->shape, &want), "%s", name);
    const int8_t *q = data_of(set, name, DT_S8);
    int64_t I = want.dim[1], pixels = want.rank == 4 ? want.dim[2] * want.dim[3] : 1;
    for (int64_t o = 0; o < p->O; o++)
        for (int64_t i = 0; i < I; i++)
            for (int64_t k = 0; k < pixels; k++)
                ck_assert_int_eq(q[(o * I + i) * pixels + k], p->code[o * p->K + k * I + i]);
}

START_TEST(every_layout_is_torch_s)
{
#define FOLDED RECIPE_QUANT("fold_norm: true")
    static const char *const recipes[] = {
        RECIPE_SMALL FOLDED,
        RECIPE_RESNET FOLDED,
        RECIPE_MOBILE FOLDED, /* depthwise */
        RECIPE_MOBILE RECIPE_QUANT(""),
        "model: {name: vit, classes: 10, dim: 16, depth: 2, heads: 2, patch: 4}\n" RECIPE_DATA
            RECIPE_QUANT(""),
    };
    for (size_t k = 0; k < DT_ARRAY_LEN(recipes); k++) {
        testnet t;
        tempdir dir;
        dt_tensors set;
        dt_lowered *l;
        int products = 0;
        testnet_init(&t, recipes[k]);
        tempdir_init(&dir, "m.safetensors");
        ck_assert_int_eq(exporter()->write(&t.src, NULL, dir.file, NULL, NULL), DT_OK);
        ck_assert_int_eq(dt_import_file(dir.file, NULL, &set, NULL), DT_OK);
        tempdir_fini(&dir);
        t.low.no_gain = true;
        ck_assert_int_eq(dt_lower_new(&t.low, &l, NULL), DT_OK);
        for (int i = 0; i < t.net.graph.node_count; i++) {
            if (!l->product[i]) continue;
            check_layout(&t, &set, &t.net.graph.node[i], l->product[i]);
            products++;
        }
        ck_assert_int_gt(products, 5);
        dt_lower_free(l);
        dt_tensors_fini(&set);
        testnet_fini(&t);
    }
}
END_TEST

START_TEST(float_layers_keep_their_weights)
{
    testnet t;
    tempdir dir;
    dt_tensors set;
    dt_export_report report;
    testnet_init(&t, RECIPE_SMALL RECIPE_QUANT("first: none, last: none"));
    tempdir_init(&dir, "m.safetensors");
    ck_assert_int_eq(exporter()->write(&t.src, NULL, dir.file, &report, NULL), DT_OK);
    ck_assert_int_eq(dt_import_file(dir.file, NULL, &set, NULL), DT_OK);
    tempdir_fini(&dir);
    ck_assert_int_gt(report.missing, 0);
    ck_assert_ptr_null(dt_tensors_find(&set, "conv1.codes"));
    data_of(&set, "conv1.weight", DT_F32);
    data_of(&set, "conv2.codes", DT_S8);
    dt_tensors_fini(&set);
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("export_safetensors_codes", codes_are_the_lowering_s, every_layout_is_torch_s,
             float_layers_keep_their_weights)
