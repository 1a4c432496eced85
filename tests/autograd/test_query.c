/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/query.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/nets.h"

static const dt_node *named(const dt_graph *g, const char *name)
{
    for (int i = 0; i < g->node_count; i++)
        if (strcmp(g->node[i].name, name) == 0) return &g->node[i];
    ck_abort_msg("no node '%s'", name);
    return NULL;
}

/* Uses, counted by going over all nodes. */
START_TEST(uses_are_those_of_the_nodes)
{
    test_net t;
    test_net_open(&t, TEST_LSQ("resnet20", "deploy"), false);
    const dt_graph *g = &t.net.graph;
    for (int v = 0; v < g->value_count; v++) {
        int count = 0, last = -1, seen = 0;
        for (int i = 0; i < g->node_count; i++)
            for (int k = 0; k < g->node[i].in_count; k++)
                if (g->node[i].in[k] == v) {
                    count++;
                    last = i;
                }
        const dt_node *reader = NULL;
        ck_assert_int_eq(dt_query_readers(g, NULL, v, &reader), count);
        if (count) ck_assert_int_eq(dt_query_index(g, reader), last);
        ck_assert_ptr_eq(dt_query_reader(g, v), count == 1 ? reader : NULL);
        DT_QUERY_EACH_USE(u, g, v)
        {
            ck_assert_int_eq(g->node[u->node].in[u->input], v);
            seen++;
        }
        ck_assert_int_eq(seen, count);
    }
    test_net_close(&t);
}
END_TEST

START_TEST(cone_and_norm_leave_the_loss_out)
{
    test_net t;
    bool needed[512];
    test_net_open(&t, TEST_LSQ("resnet20", "deploy"), false);
    const dt_graph *g = &t.net.graph;
    ck_assert_int_le(g->node_count, 512);
    dt_query_cone(g, &t.net.logits, 1, needed);
    for (int i = 0; i < g->node_count; i++)
        ck_assert_int_eq(needed[i], g->node[i].out[0] != t.net.loss);
    ck_assert_int_eq(dt_query_readers(g, needed, t.net.logits, NULL), 0);
    ck_assert_int_eq(dt_query_readers(g, NULL, t.net.logits, NULL), 1);
    ck_assert_ptr_eq(dt_query_norm(g, needed, named(g, "layer1.0.conv1")),
                     named(g, "layer1.0.bn1"));
    ck_assert_ptr_null(dt_query_norm(g, needed, named(g, "linear")));
    ck_assert_ptr_null(dt_query_norm(g, needed, named(g, "layer1.0.bn1")));
    ck_assert_ptr_null(dt_query_norm(g, needed, NULL));
    ck_assert_int_eq(dt_query_bias(named(g, "linear")), dt_graph_find(g, "linear.bias"));
    ck_assert_int_eq(dt_query_bias(named(g, "layer1.0.conv1")), -1);
    test_net_close(&t);
}
END_TEST

START_TEST(sites_are_found_through_moves)
{
    test_net t;
    test_net_open(&t, TEST_LSQ("resnet20", "deploy"), false);
    const dt_graph *g = &t.net.graph;
    const dt_node *pad = named(g, "layer2.0.shortcut"), *conv = named(g, "layer2.0.conv1");
    const dt_node *site = dt_query_site(g, pad->out[0]);
    ck_assert_ptr_nonnull(dt_query_quantizer(site));
    ck_assert_int_eq(site->out[0], pad->in[0]);
    ck_assert_ptr_null(dt_query_site(g, conv->out[0]));
    ck_assert_ptr_null(dt_query_site(g, t.net.input));
    ck_assert_ptr_null(dt_query_quantizer(NULL));
    ck_assert_ptr_null(dt_query_quantizer(conv));
    ck_assert_int_eq(dt_query_latent(g, conv->in[1]), dt_graph_find(g, "layer2.0.conv1.weight"));
    test_net_close(&t);
}
END_TEST

/* 5,000 names are found without comparing each with all before. */
START_TEST(names_of_large_graphs_are_found)
{
    dt_graph g;
    char name[32];
    ck_assert_int_eq(dt_graph_init(&g, NULL, NULL), DT_OK);
    for (int i = 0; i < 5000; i++) {
        int id;
        snprintf(name, sizeof name, "layer.%d.weight", i);
        const dt_value v = { .name = name, .kind = DT_VALUE_PARAM, .shape = DT_SHAPE(1) };
        ck_assert_int_eq(dt_graph_value(&g, &v, &id, NULL), DT_OK);
        ck_assert_int_eq(id, i);
    }
    for (int i = 0; i < 5000; i += 7) {
        snprintf(name, sizeof name, "layer.%d.weight", i);
        ck_assert_int_eq(dt_graph_find(&g, name), i);
    }
    ck_assert_int_eq(dt_graph_find(&g, "layer.5000.weight"), -1);
    dt_graph_fini(&g);
}
END_TEST

DT_TEST_MAIN("query", uses_are_those_of_the_nodes, cone_and_norm_leave_the_loss_out,
             sites_are_found_through_moves, names_of_large_graphs_are_found)
