/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/place.h"

#include <string.h>

#include "autograd/op_conv2d.h"
#include "autograd/query.h"
#include "tests/support/nets.h"

static int count_sites(const dt_graph *g, const char *part)
{
    int count = 0;
    size_t n = strlen(part);
    for (int i = 0; i < g->node_count; i++) {
        const char *name = g->node[i].name;
        size_t length = strlen(name);
        count += g->node[i].op->quantizes && length > n && strcmp(name + length - n, part) == 0;
    }
    return count;
}

static int count_sums(const dt_graph *g)
{
    int count = 0;
    for (int i = 0; i < g->node_count; i++)
        count += g->node[i].op->sum;
    return count;
}

/* Are both operands of every sum on a grid? */
static bool sums_are_on_grids(const dt_graph *g)
{
    for (int i = 0; i < g->node_count; i++)
        for (int k = 0; k < 2 && g->node[i].op->sum; k++)
            if (!dt_query_site(g, g->node[i].in[k])) return false;
    return true;
}

START_TEST(policies_differ_beside_products)
{
    test_net paper, deploy, trt;
    test_net_open(&paper, TEST_LSQ("resnet20", "paper"), false);
    test_net_open(&deploy, TEST_LSQ("resnet20", "deploy"), false);
    test_net_open(&trt, TEST_LSQ("resnet20", "trt"), false);
    const dt_graph *p = &paper.net.graph, *d = &deploy.net.graph, *t = &trt.net.graph;
    int weights = count_sites(p, ".weight_quant");
    ck_assert_int_eq(weights, 20); /* 19 convolutions and the head */
    ck_assert_int_eq(count_sites(d, ".weight_quant"), weights);
    ck_assert_int_eq(count_sites(t, ".weight_quant"), weights);
    ck_assert_int_eq(count_sites(p, ".skip_quant") + count_sites(p, ".branch_quant"), 0);
    ck_assert_int_eq(count_sites(p, ".output_quant"), 0);
    ck_assert_int_eq(count_sums(t), 9);
    ck_assert_int_eq(count_sites(t, ".skip_quant"), 9);
    ck_assert_int_eq(count_sites(t, ".branch_quant") + count_sites(t, ".output_quant"), 0);
    ck_assert_int_eq(count_sites(d, ".branch_quant"), 9);
    ck_assert(sums_are_on_grids(d) && !sums_are_on_grids(p) && !sums_are_on_grids(t));
    ck_assert_int_eq(strcmp(dt_policies[DT_PLACEMENT_TRT].name, "trt"), 0);
    test_net_close(&paper);
    test_net_close(&deploy);
    test_net_close(&trt);
}
END_TEST

static dt_status choose(void *arg, const char *layer, dt_layer_role role, dt_side side,
                        dt_quant_choice *out, dt_error *err)
{
    return dt_recipe_site(arg, layer, role, side, out, err);
}

/* A graph of nobody's layers: roles are what its nodes say, names are its own. */
START_TEST(any_graph_gets_sites)
{
    static const char *const want[] = {
        "a.input_quant", "a.weight_quant", "a", "r", "s.branch_quant", "s.skip_quant", "s",
        "cap",           "s.output_quant", NULL
    };
    test_net t; /* for its choices */
    dt_graph plain, out;
    int x, w, y, r, sum, cap, value[16];
    const dt_conv2d_conf conf = { .stride_h = 1, .stride_w = 1, .groups = 1 };
    test_net_open(&t, TEST_LSQ("smallcnn", "deploy"), false);
    dt_quant_choice lsq;
    ck_assert_int_eq(dt_recipe_site(t.recipe, "conv2", DT_LAYER_BODY, DT_SIDE_WEIGHTS, &lsq, NULL),
                     DT_OK);
    ck_assert_int_eq(dt_graph_init(&plain, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_graph_value(&plain,
                                    &(dt_value){ .name = "picture",
                                                 .kind = DT_VALUE_INPUT,
                                                 .batched = true,
                                                 .shape = DT_SHAPE(1, 4, 4, 2) },
                                    &x, NULL),
                     DT_OK);
    ck_assert_int_eq(dt_graph_value(&plain,
                                    &(dt_value){ .name = "a.weight",
                                                 .kind = DT_VALUE_PARAM,
                                                 .shape = DT_SHAPE(2, 1, 1, 2) },
                                    &w, NULL),
                     DT_OK);
    ck_assert_int_eq(dt_graph_node(&plain, "conv2d", "a", &conf, (int[]){ x, w }, 2, &y, NULL),
                     DT_OK);
    ck_assert_int_eq(dt_graph_node(&plain, "relu", "r", NULL, &y, 1, &r, NULL), DT_OK);
    ck_assert_int_eq(dt_graph_node(&plain, "add", "s", NULL, (int[]){ r, x }, 2, &sum, NULL),
                     DT_OK);
    ck_assert_int_eq(dt_graph_node(&plain, "relu6", "cap", NULL, &sum, 1, &cap, NULL), DT_OK);
    const dt_place_params p = { .policy = &dt_policies[DT_PLACEMENT_DEPLOY],
                                .choose = choose,
                                .choose_arg = t.recipe,
                                .residual = lsq,
                                .input_low = -1,
                                .input_high = 1 };
    ck_assert_int_eq(dt_place(&plain, &p, NULL, &out, value, NULL), DT_OK);
    for (int i = 0; want[i]; i++)
        ck_assert_str_eq(out.node[i].name, want[i]);
    ck_assert_int_eq(out.node_count, 9);
    ck_assert_str_eq(out.value[value[cap]].name, "s.output_quant");
    ck_assert_int_eq(value[x], 0);
    dt_graph_fini(&out);
    dt_graph_fini(&plain);
    test_net_close(&t);
}
END_TEST

DT_TEST_MAIN("place", policies_differ_beside_products, any_graph_gets_sites)
