/* The integer model that a lowering gives, and what it refuses. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "autograd/op_batchnorm.h"
#include "autograd/query.h"
#include "integer/model.h"

#include "tests/integer/models.h"
#include "tests/support/failalloc.h"
#include "tests/support/run.h"

static int count_of(const dt_int_model *m, const char *form)
{
    int count = 0;
    for (int i = 0; i < m->node_count; i++)
        count += int_is(&m->node[i], form);
    return count;
}

START_TEST(a_resnet_in_integers)
{
    testnet t;
    testnet_init(&t, RECIPE_RESNET RECIPE_W4A4);
    dt_int_model *m = int_model(&t, "fp32");
    testnet_fini(&t); /* the model stands alone */
    ck_assert_int_eq(count_of(m, "input"), 1);
    ck_assert_int_eq(count_of(m, "product"), 20);
    ck_assert_int_eq(count_of(m, "mean"), 1);
    ck_assert_int_eq(count_of(m, "add"), 9);
    ck_assert_int_eq(count_of(m, "pad"), 2);
    ck_assert_int_ge(count_of(m, "requant"), 21);
    const dt_int_node *last = &m->node[m->node_count - 1];
    ck_assert_int_eq(last->out, m->logits);
    ck_assert_int_eq(dt_int_count(&m->value[m->logits]), 10);
    const dt_int_node *conv = &m->node[int_node(m, "product", "layer2.0.conv1")];
    ck_assert(conv->bits == 4 && conv->gain == 8 && conv->shape.SH == 2 && conv->shape.O == 32);
    const dt_int_value *y = &m->value[conv->out];
    ck_assert(y->is_sum && y->H == TESTNET_SIDE / 2 && y->C == 32 && y->low[0] < y->high[0]);
    dt_int_model_free(m);
}
END_TEST

START_TEST(a_relu_is_the_lowest_code)
{
    testnet t;
    testnet_init_model(&t, RECIPE_SMALL RECIPE_BITS("4"), &odd_model);
    make_signed(&t, "block.output_quant");
    dt_int_model *m = int_model(&t, "fp32");
    const dt_int_value *v = &m->value[m->node[int_node(m, "requant", "conv3.input_quant")].out];
    ck_assert(v->grid.zero_point == 128 && v->grid.low == 120 && v->grid.high == 135);
    v = &m->value[m->node[int_node(m, "add", "block.output_quant")].out];
    ck_assert(v->grid.zero_point == 128 && v->grid.low == 128 && v->grid.high == 255);
    dt_int_model_free(m);
    testnet_fini(&t);
}
END_TEST

/* 6 / 0.4 is the code 15, 6 / 0.48 lies between two: ties go to the even one. No code is above the
 * grid's own last. */
START_TEST(a_relu6_ends_the_grid_at_6)
{
    static const char site[] = "features.2.conv.1.0.input_quant";
    static const struct {
        double scale;
        int high;
    } cases[] = { { 0.5, 12 }, { 0.48, 12 }, { 0.47, 13 }, { 0.4, 15 }, { 0.1, 15 } };
    testnet t;
    testnet_init(&t, RECIPE_MOBILE RECIPE_W4A4);
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        int scale = dt_graph_find(&t.net.graph, "features.2.conv.1.0.input_quant.scale");
        t.net.state.data[scale][0] = (real)cases[i].scale;
        dt_int_model *m = int_model(&t, "fp32");
        const dt_int_node *n = &m->node[int_node(m, "requant", site)];
        const dt_lower_grid *g = &m->value[n->out].grid;
        ck_assert(g->low == 0 && g->zero_point == 0);
        ck_assert_int_eq(g->high, cases[i].high);
        dt_int_model_free(m);
    }
    testnet_fini(&t);
}
END_TEST

static int capped_build(dt_builder *b, const void *conf, int classes, int x)
{
    (void)conf;
    x = dt_layer_conv2d(b, "conv1", DT_LAYER_FIRST, x, 6, 3, 1, 1, 1);
    x = dt_layer_relu(b, "relu", dt_layer_relu6(b, "relu6", dt_layer_batchnorm(b, "bn1", x)));
    x = dt_layer_conv2d(b, "conv2", DT_LAYER_BODY, x, 8, 3, 2, 1, 1);
    x = dt_layer_gap(b, "avgpool", dt_layer_relu(b, "relu2", dt_layer_batchnorm(b, "bn2", x)));
    return dt_layer_linear(b, "fc", DT_LAYER_LAST, x, classes);
}

/* A ReLU behind a ReLU6 takes nothing away from its cap. */
START_TEST(a_relu_behind_a_relu6_leaves_the_cap)
{
    static const dt_model capped = { .row = { "capped", "for tests", NULL, 0 },
                                     .build = capped_build };
    testnet t;
    testnet_init_model(&t, RECIPE_SMALL RECIPE_BITS("4"), &capped);
    t.net.state.data[dt_graph_find(&t.net.graph, "conv2.input_quant.scale")][0] = (real)0.5;
    dt_int_model *m = int_model(&t, "fp32");
    const dt_int_node *n = &m->node[int_node(m, "requant", "conv2.input_quant")];
    ck_assert_int_eq(m->value[n->out].grid.high, 12);
    dt_int_model_free(m);
    testnet_fini(&t);
}
END_TEST

static void refused(const testnet *t, const char *name, const char *rule)
{
    dt_error err = { .text = "" };
    dt_lowered *l;
    dt_int_model *m;
    ck_assert_int_eq(dt_lower_new(&t->low, &l, NULL), DT_OK);
    ck_assert_int_eq(dt_int_model_new(l, dt_contracts, NULL, &m, &err), DT_ERR_UNSUPPORTED);
    ck_assert_msg(strstr(err.text, name) && strstr(err.text, rule), "%s", err.text);
    dt_lower_free(l);
}

static int build_bare_norm(dt_builder *b, const void *conf, int classes, int x)
{
    (void)conf;
    x = dt_layer_conv2d(b, "conv1", DT_LAYER_FIRST, x, 4, 3, 1, 1, 1);
    x = dt_layer_batchnorm(b, "lonely", dt_layer_relu(b, "relu", x));
    return dt_layer_linear(b, "fc", DT_LAYER_LAST, dt_layer_gap(b, "pool", x), classes);
}

/* A norm that is part of no product: what it computes of every code, a channel at a time. */
START_TEST(a_norm_by_itself_is_tables)
{
    static const dt_model bare = { .row = { "bare", "", NULL, 0 }, .build = build_bare_norm };
    testnet t;
    testnet_init_model(&t, RECIPE_SMALL RECIPE_BITS("4"), &bare);
    const dt_node *norm = testnet_node(&t, "batchnorm", "lonely");
    for (int k = DT_BN_GAMMA; k <= DT_BN_VAR; k++)
        for (int c = 0; c < 4; c++)
            t.net.state.data[norm->in[k]][c] = (real)(0.5 + 0.25 * k + 0.125 * c);
    dt_int_model *m = int_model(&t, "fp32");
    const dt_int_node *n = &m->node[int_node(m, "channels", "pool.input_quant")];
    const dt_lower_grid *x = &m->value[n->in[0]].grid, *y = &m->value[n->out].grid;
    const dt_batchnorm_conf *conf = norm->conf;
    ck_assert_uint_eq(n->own_bytes, (size_t)4 * DT_CODES);
    for (int c = 0; c < 4; c++)
        for (int code = x->low; code <= x->high; code++) {
            double k[DT_BN_VAR + 1];
            for (int i = DT_BN_GAMMA; i <= DT_BN_VAR; i++)
                k[i] = (double)t.net.state.data[norm->in[i]][c];
            double v = ((double)dt_grid_value(x, code) - k[DT_BN_MEAN]) /
                           sqrt(k[DT_BN_VAR] + conf->eps) * k[DT_BN_GAMMA] +
                       k[DT_BN_BETA];
            int want = dt_grid_encode(y, (float)v);
            ck_assert_int_le(abs(((const uint8_t *)n->own)[c * DT_CODES + code] - want), 1);
        }
    dt_int_model_free(m);
    testnet_fini(&t);
}
END_TEST

static int build_wide(dt_builder *b, const void *conf, int classes, int x)
{
    (void)conf;
    x = dt_layer_conv2d(b, "conv1", DT_LAYER_FIRST, x, 800, 3, 1, 1, 1);
    x = dt_layer_relu(b, "relu", x);
    x = dt_layer_conv2d(b, "wide", DT_LAYER_BODY, x, 2, 11, 1, 5, 1);
    return dt_layer_linear(b, "fc", DT_LAYER_LAST, dt_layer_gap(b, "pool", x), classes);
}

START_TEST(what_has_no_integer_form_is_refused_by_name)
{
    static const dt_model wide = { .row = { "wide", "", NULL, 0 }, .build = build_wide };
    testnet t;
    testnet_init(&t, RECIPE_RESNET RECIPE_QUANT("placement: paper"));
    refused(&t, "conv1", "no quantizer");
    testnet_fini(&t);
    /* 11 * 11 * 800 terms of up to 255 * 127 */
    testnet_init_model(&t, RECIPE_SMALL RECIPE_W8("yes"), &wide);
    const dt_node *conv = testnet_node(&t, "conv2d", "wide");
    const dt_node *site = dt_query_site(&t.net.graph, conv->in[1]);
    for (int64_t i = 0; i < dt_shape_count(&t.net.graph.value[site->in[0]].shape); i++)
        t.net.state.data[site->in[0]][i] = 1e6;
    refused(&t, "wide", "32 bits");
    testnet_fini(&t);
}
END_TEST

START_TEST(running_out_of_memory_is_an_error)
{
    testnet t;
    dt_lowered *l;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    ck_assert_int_eq(dt_lower_new(&t.low, &l, NULL), DT_OK);
    dt_status st = DT_ERR_NOMEM;
    size_t at = 1;
    for (; st != DT_OK && at < 1000; at++) {
        failalloc f;
        dt_int_model *m = NULL;
        failalloc_init(&f, at);
        st = dt_int_model_new(l, dt_contracts, &f.alloc, &m, NULL);
        ck_assert(st == DT_OK || st == DT_ERR_NOMEM);
        if (st == DT_OK) dt_int_model_free(m);
        ck_assert_uint_eq(f.live, 0);
    }
    ck_assert(at > 2 && st == DT_OK);
    dt_lower_free(l);
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("model", a_resnet_in_integers, a_relu_is_the_lowest_code, a_relu6_ends_the_grid_at_6,
             a_relu_behind_a_relu6_leaves_the_cap, a_norm_by_itself_is_tables,
             what_has_no_integer_form_is_refused_by_name, running_out_of_memory_is_an_error)
