/* What becomes of nets in TFLite. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/query.h"
#include "exchange/tflite/tflite_file.h"

#include "tests/exchange/net.h"
#include "tests/support/run.h"

static int count(const dt_export_report *r, const char *op)
{
    for (int i = 0; i < r->part_count; i++)
        if (strcmp(r->part[i].name, op) == 0) return r->part[i].count;
    return 0;
}

START_TEST(a_residual_net_is_integer_operators)
{
    testnet t;
    dt_export_report r, packed;
    dt_error err;
    testnet_init(&t, RECIPE_RESNET RECIPE_QUANT("last: {weights: 8, activations: 8}"));
    ck_assert_msg(dt_tflite_write(&t.src, false, NULL, &r, &err) == DT_OK, "%s", err.text);
    ck_assert_int_eq(count(&r, "CONV_2D"), 20);
    ck_assert_int_eq(count(&r, "MEAN"), 1);
    ck_assert_int_eq(count(&r, "STRIDED_SLICE"), 2); /* the shortcuts */
    ck_assert_int_eq(count(&r, "GATHER"), 9);        /* from 8 bits of a stream to 4 */
    ck_assert_int_eq(count(&r, "ADD"), 9 + 9);
    ck_assert_int_eq(dt_tflite_write(&t.src, true, NULL, &packed, NULL), DT_OK);
    ck_assert_uint_lt(packed.weight_bytes, r.weight_bytes);
    ck_assert_uint_ge(packed.weight_bytes, packed.trained_bytes);
    ck_assert_uint_lt(packed.bytes, r.bytes);
    testnet_fini(&t);
}
END_TEST

START_TEST(a_code_of_minus_128_is_refused)
{
    testnet t;
    dt_error err;
    testnet_init(&t, RECIPE_SMALL RECIPE_W8("no"));
    const dt_node *conv = testnet_node(&t, "conv2d", "conv1");
    ck_assert_ptr_nonnull(conv);
    const dt_node *site = dt_query_site(&t.net.graph, conv->in[1]);
    real *w = t.net.state.data[site->in[0]];
    for (int i = 0; i < t.net.graph.node_count; i++) { /* a negative scale has its own refusal */
        const dt_node *norm = &t.net.graph.node[i];
        if (!norm->op->batch_stat) continue;
        for (int64_t c = 0; c < t.net.graph.value[norm->in[DT_BN_GAMMA]].shape.dim[0]; c++)
            t.net.state.data[norm->in[DT_BN_GAMMA]][c] = 1;
    }
    w[0] = -1000; /* far below the range */
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(dt_tflite_write(&t.src, i == 1, NULL, NULL, &err), DT_ERR_UNSUPPORTED);
        ck_assert_msg(strstr(err.text, "conv1") != NULL, "%s", err.text);
        ck_assert_ptr_nonnull(strstr(err.text, "narrow"));
    }
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("tflite_walk", a_residual_net_is_integer_operators, a_code_of_minus_128_is_refused)
