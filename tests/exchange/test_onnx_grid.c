/* Quantizers of ONNX files become sites: bits, sign, groups, zero points, the numbers they start
 * from; where none is made, and what is refused. onnx_nets_check.py asks onnxruntime for codes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/query.h"
#include "fakequant/quantizers.h"
#include "tests/exchange/onnx_make.h"

static void make_u8(dt_onnx *m, const char *name, int x)
{
    const dt_shape scalar = { .rank = 0 };
    unsigned char byte = (unsigned char)x;
    dt_onnx_constant(m, name, DT_ONNX_U8, &scalar, &byte);
}

static void make_s8(dt_onnx *m, const char *name, int64_t count, int first, int step)
{
    const dt_shape shape = DT_SHAPE(count);
    signed char x[64];
    for (int64_t i = 0; i < count; i++)
        x[i] = (signed char)(first + step * (int)i);
    dt_onnx_constant(m, name, DT_ONNX_S8, &shape, x);
}

/* x -> pair -> conv of 2 channels, whose weight is codes [2,3,1,1] -> pair -> mean. */
static unsigned char *net(const char *zero, bool clip, size_t *size)
{
    const dt_onnx_attr first[] = { { .name = "axis", .i = 0 }, { .name = NULL } };
    const dt_shape shape = DT_SHAPE(2, 3, 1, 1);
    const signed char codes[] = { -7, 1, 2, 3, 4, 5 };
    dt_onnx *m = make_open();
    make_real(m, "s", 0.25f);
    make_u8(m, "z0", 0);
    make_u8(m, "z9", 9);
    make_u8(m, "low", 0);
    make_u8(m, "high", 15);
    make_reals(m, "ws", DT_SHAPE(2)); /* 0.01 0.02 */
    make_s8(m, "wz", 2, 0, 0);
    make_s8(m, "wlow", 1, -7, 0);
    make_s8(m, "whigh", 1, 7, 0);
    dt_onnx_constant(m, "c.weight", DT_ONNX_S8, &shape, codes);
    make_node(m, "QuantizeLinear", "/a/QuantizeLinear", NULL, "x", "s", zero, NULL);
    if (clip) make_node(m, "Clip", "cut", NULL, "/a/QuantizeLinear", "low", "high", NULL);
    make_node(m, "DequantizeLinear", "xd", NULL, clip ? "cut" : "/a/QuantizeLinear", "s", zero,
              NULL);
    make_node(m, "Clip", "wcut", NULL, "c.weight", "wlow", "whigh", NULL);
    make_node(m, "DequantizeLinear", "wd", first, "wcut", "ws", "wz", NULL);
    make_node(m, "Conv", "c", NULL, "xd", "wd", NULL, NULL);
    make_node(m, "QuantizeLinear", "q", NULL, "c", "s", "z0", NULL);
    make_node(m, "DequantizeLinear", "d", NULL, "q", "s", "z0", NULL);
    make_node(m, "MaxPool", "p",
              (dt_onnx_attr[]){ { .name = "kernel_shape", .count = 2, .ints = { 2, 2 } },
                                { .name = NULL } },
              "d", NULL, NULL, NULL);
    make_node(m, "QuantizeLinear", "q2", NULL, "p", "s", "z0", NULL);
    make_node(m, "DequantizeLinear", "d2", NULL, "q2", "s", "z0", NULL);
    make_node(m, "GlobalAveragePool", "g", NULL, "d2", NULL, NULL, NULL);
    make_node(m, "Flatten", "y", NULL, "g", NULL, NULL, NULL);
    return make_close(m, 2, size);
}

static const dt_fakequant_conf *site_of(const made *t, const char *name)
{
    return dt_query_quantizer(made_node(t, name));
}

static float number_of(const made *t, const char *site, int param)
{
    const dt_node *n = made_node(t, site);
    const float *x = dt_onnx_net_values(t->net, t->graph.value[n->in[1 + param]].name);
    ck_assert_ptr_nonnull(x);
    return x[0];
}

static int count_sites(const made *t)
{
    int n = 0;
    for (int i = 0; i < t->graph.node_count; i++)
        n += t->graph.node[i].op->quantizes;
    return n;
}

START_TEST(pairs_become_sites_with_their_grids)
{
    for (int way = 0; way < 3; way++) { /* zero point 0, 9, 4 bits by Clip */
        made t;
        size_t size;
        dt_error err = { .text = "" };
        unsigned char *bytes = net(way == 1 ? "z9" : "z0", way == 2, &size);
        ck_assert_msg(made_open(&t, bytes, size, &err) == DT_OK, "%s", err.text);
        ck_assert(dt_onnx_net_is_quantized(t.net));
        /* Picture, weight, convolution; the pooling lies on that grid. */
        ck_assert_int_eq(count_sites(&t), 3);
        const dt_fakequant_conf *x = site_of(&t, "a_quant"), *w = site_of(&t, "c.weight_quant");
        ck_assert_int_eq(x->site.bits, way == 2 ? 4 : 8);
        ck_assert_int_eq(x->site.is_signed, way == 1);
        ck_assert_float_eq(number_of(&t, "a_quant", 0), 0.25f);
        ck_assert_int_eq(strcmp(x->quantizer->row.name, way == 1 ? "asymmetric" : "lsq"), 0);
        if (way == 1) ck_assert_float_eq(number_of(&t, "a_quant", 1), 9);
        ck_assert_int_eq(w->site.bits, 4);
        ck_assert(w->site.is_signed && w->site.weight);
        ck_assert_int_eq(w->site.groups, 2);
        const float *latent = dt_onnx_net_values(t.net, "c.weight");
        ck_assert_float_eq_tol(latent[0], -0.07f, 1e-7);
        ck_assert_float_eq_tol(latent[5], 0.1f, 1e-7);
        /* Codes from 0 on stand for the ReLU that the file leaves out. */
        double low, high;
        const dt_node *relu = dt_query_maker(&t.graph, made_node(&t, "q_quant")->in[0]);
        ck_assert(relu->op->limits);
        relu->op->limits(relu->conf, &low, &high);
        ck_assert(low == 0 && isinf(high));
        made_close(&t);
        dt_put(NULL, bytes);
    }
}
END_TEST

/* A weight of a 1x1 convolution that is rounded as [inputs,outputs], and turned
 * before a Reshape (way 0) or behind one (1); of way 2 scales of an axis cannot follow. */
static const char *open_turned(int way, made *t)
{
    static const int64_t four[] = { 3, 2, 1, 1 }, turned[] = { 2, 3, 1, 1 }, one[] = { 1, 6 };
    const dt_onnx_attr axis[] = { { .name = "axis", .i = 1 }, { .name = NULL } };
    const dt_onnx_attr perm[] = { { .name = "perm", .count = 4, .ints = { 1, 0, 2, 3 } },
                                  { .name = NULL } };
    dt_onnx *m = make_open();
    make_reals(m, "w", DT_SHAPE(3, 2));
    make_reals(m, "ws", DT_SHAPE(2));
    make_s8(m, "wz", 2, 0, 0);
    make_wholes(m, "four", 4, four);
    make_wholes(m, "turned", 4, turned);
    make_wholes(m, "one", 2, one);
    make_node(m, "QuantizeLinear", "wq", axis, "w", "ws", "wz", NULL);
    make_node(m, "DequantizeLinear", "wd", axis, "wq", "ws", "wz", NULL);
    if (way == 0) {
        make_node(m, "Transpose", "wt", NULL, "wd", NULL, NULL, NULL);
        make_node(m, "Reshape", "wr", NULL, "wt", "turned", NULL, NULL);
    } else {
        make_node(m, "Reshape", "wt", NULL, "wd", way == 1 ? "four" : "one", NULL, NULL);
        make_node(m, "Transpose", "wr", way == 1 ? perm : NULL, "wt", NULL, NULL, NULL);
    }
    make_node(m, "Conv", "/c/Conv", NULL, "x", "wr", NULL, NULL);
    make_node(m, "GlobalAveragePool", "g", NULL, "/c/Conv", NULL, NULL, NULL);
    make_node(m, "Flatten", "y", NULL, "g", NULL, NULL, NULL);
    return made_of(m, 2, t);
}

START_TEST(codes_of_weights_follow_reshape_and_transpose)
{
    static const float want[] = { 0.01f, 0.03f, 0.05f, 0.02f, 0.04f, 0.06f };
    made t;
    for (int way = 0; way < 2; way++) {
        const char *error = open_turned(way, &t);
        ck_assert_msg(!*error, "%s", error);
        const dt_fakequant_conf *w = site_of(&t, "c.weight_quant");
        ck_assert_int_eq(w->site.groups, 2);
        ck_assert_float_eq(number_of(&t, "c.weight_quant", 0), 0.01f);
        const float *latent = dt_onnx_net_values(t.net, "c.weight");
        for (int i = 0; i < 6; i++)
            ck_assert_float_eq_tol(latent[i], want[i], 1e-7);
        made_close(&t);
    }
    ck_assert_ptr_nonnull(strstr(open_turned(2, &t), "the axis that its input has scales along"));
    made_close(&t);
}
END_TEST

/* Orders that nothing has moved yet: one site, behind what the engine has. */
START_TEST(grids_are_of_values_in_any_order)
{
    const dt_onnx_attr perm[] = { { .name = "perm", .count = 4, .ints = { 0, 2, 3, 1 } },
                                  { .name = NULL } };
    static const int64_t rows[] = { 0, -1 };
    made t;
    dt_onnx *m = make_open();
    make_real(m, "s", 0.25f);
    make_u8(m, "z0", 0);
    make_reals(m, "w", DT_SHAPE(192, 2));
    make_wholes(m, "rows", 2, rows);
    make_node(m, "Relu", "l", NULL, "x", NULL, NULL, NULL);
    make_node(m, "Transpose", "t", perm, "l", NULL, NULL, NULL);
    make_node(m, "QuantizeLinear", "q", NULL, "t", "s", "z0", NULL);
    make_node(m, "DequantizeLinear", "d", NULL, "q", "s", "z0", NULL);
    make_node(m, "Reshape", "r", NULL, "d", "rows", NULL, NULL);
    make_node(m, "QuantizeLinear", "q2", NULL, "r", "s", "z0", NULL);
    make_node(m, "DequantizeLinear", "d2", NULL, "q2", "s", "z0", NULL);
    make_node(m, "MatMul", "y", NULL, "d2", "w", NULL, NULL);
    const char *error = made_of(m, 2, &t);
    ck_assert_msg(!*error, "%s", error);
    ck_assert_int_eq(count_sites(&t), 1);
    ck_assert_int_eq(made_node(&t, "q_quant")->in[0], made_node(&t, "l")->out[0]);
    made_close(&t);
}
END_TEST

/* Which steps a quantizer gives back as they were. */
START_TEST(grids_of_others_come_back_as_they_were)
{
    static const int ranges[][3] = { { 0, 255, 0 },    { 0, 255, 128 },    { -128, 127, 0 },
                                     { -127, 127, 0 }, { -8, 7, 0 },       { -7, 7, 0 },
                                     { 0, 15, 3 },     { -128, 127, -128 } };
    for (size_t i = 0; i < DT_ARRAY_LEN(ranges); i++) {
        const dt_grid from = { 0.37, ranges[i][2], ranges[i][0], ranges[i][1], .levels = 0 };
        int found = 0;
        for (const dt_row *const *row = dt_quantizers.rows; *row; row++) {
            const dt_quantizer *q = dt_quantizer_of(*row);
            dt_quant_site site = { .groups = 1, .count = 1 };
            real params[DT_QUANT_MAX_PARAMS];
            max_align_t conf[64];
            dt_grid back = { 0 };
            ck_assert_uint_le(q->row.conf_size, sizeof conf);
            if (!q->of_grid) continue;
            dt_opt_defaults(q->row.opts, conf);
            if (!q->of_grid(&from, &site, conf, params)) continue;
            found++;
            ck_assert(q->grid(conf, &site, params, NULL, &back));
            ck_assert_double_eq_tol(back.scale, from.scale, 1e-7);
            ck_assert_int_eq(back.qmin - back.zero_point, from.qmin - from.zero_point);
            ck_assert_int_eq(back.qmax - back.zero_point, from.qmax - from.zero_point);
        }
        ck_assert_int_gt(found, 0);
    }
}
END_TEST

/* One node between the picture and a mean. */
static const struct {
    const char *op, *in[3];
    const dt_onnx_attr attr[2];
    const char *words;
} refusals[] = {
    { "QuantizeLinear", { "x", "none" }, { { .name = NULL } }, "scales are positive numbers" },
    { "QuantizeLinear", { "x", "s", "z2" }, { { .name = NULL } }, "another number of elements" },
    { "QuantizeLinear", { "x", "s", "wide" }, { { .name = NULL } }, "more than 8 bits" },
    { "QuantizeLinear", { "x", "x" }, { { .name = NULL } }, "is computed" },
    { "QuantizeLinear", { "x", "s3" }, { { .name = NULL } }, "cannot leave the integer sum" },
    { "QuantizeLinear",
      { "x", "s" },
      { { .name = "output_dtype", .i = 5 } },
      "codes of the type 5 are not read" },
    { "QuantizeLinear", { "x", "s" }, { { .name = "block_size", .i = 2 } }, "of blocks" },
    { "DequantizeLinear", { "x", "s" }, { { .name = NULL } }, "no codes of QuantizeLinear" },
    { "Relu", { "q" }, { { .name = NULL } }, "is integer codes" },
    { "QLinearConv", { "q" }, { { .name = NULL } }, "(the QDQ form)" },
    { "DequantizeLinear", { "q", "t" }, { { .name = NULL } }, "is not that of the" },
    { "Clip", { "q", "z", "z" }, { { .name = NULL } }, "leave no codes" },
};

START_TEST(what_is_no_site_is_named)
{
    made t;
    size_t size;
    dt_error err = { .text = "" };
    dt_onnx *m = make_open();
    make_real(m, "s", 0.25f);
    make_real(m, "t", 0.5f);
    make_real(m, "none", 0);
    make_reals(m, "s3", DT_SHAPE(3));
    make_u8(m, "z", 0);
    make_s8(m, "z2", 2, 0, 0);
    const dt_shape scalar = { .rank = 0 };
    const int32_t zero = 0;
    dt_onnx_constant(m, "wide", DT_ONNX_S32, &scalar, &zero);
    make_node(m, "QuantizeLinear", "q", NULL, "x", "s", "z", NULL);
    make_node(m, refusals[_i].op, "n", refusals[_i].attr, refusals[_i].in[0], refusals[_i].in[1],
              refusals[_i].in[2], NULL);
    bool quantizes = strcmp(refusals[_i].op, "QuantizeLinear") == 0;
    if (quantizes)
        make_node(m, "DequantizeLinear", "nd", NULL, "n", refusals[_i].in[1], refusals[_i].in[2],
                  NULL);
    make_node(m, "GlobalAveragePool", "g", NULL, quantizes ? "nd" : "n", NULL, NULL, NULL);
    make_node(m, "Flatten", "y", NULL, "g", NULL, NULL, NULL);
    unsigned char *bytes = make_close(m, 3, &size);
    ck_assert_int_ne(made_open(&t, bytes, size, &err), DT_OK);
    ck_assert_msg(strstr(err.text, refusals[_i].words) != NULL, "%s", err.text);
    made_close(&t);
    dt_put(NULL, bytes);
}
END_TEST

int main(int argc, char **argv)
{
    int status = test_start(argc, argv);
    if (status) return status;
    Suite *suite = suite_create("onnx_grid");
    TCase *all = tcase_create("all");
    tcase_add_test(all, pairs_become_sites_with_their_grids);
    tcase_add_test(all, codes_of_weights_follow_reshape_and_transpose);
    tcase_add_test(all, grids_are_of_values_in_any_order);
    tcase_add_test(all, grids_of_others_come_back_as_they_were);
    tcase_add_loop_test(all, what_is_no_site_is_named, 0, DT_ARRAY_LEN(refusals));
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
