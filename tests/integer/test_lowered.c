/* The lowering of a whole network says what its parts say, and runs out of memory cleanly. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/query.h"
#include "tests/exchange/net.h"
#include "tests/support/failalloc.h"
#include "tests/support/run.h"

START_TEST(every_site_and_product_is_there)
{
    testnet t;
    dt_lowered *l;
    testnet_init(&t, RECIPE_RESNET RECIPE_W4A4);
    ck_assert_int_eq(dt_lower_new(&t.low, &l, NULL), DT_OK);
    ck_assert_int_eq(l->missing, 0);
    const dt_graph *g = &t.net.graph;
    int products = 0, grids = 0;
    for (int i = 0; i < g->node_count; i++) {
        ck_assert(!l->product[i] == !(l->needed[i] && g->node[i].op->product));
        products += l->product[i] != NULL;
        grids += l->grid[i] != NULL;
        if (l->product[i]) ck_assert(l->product[i]->bias_code && l->product[i]->bits >= 4);
        if (l->grid[i]) ck_assert(g->node[i].op->quantizes);
    }
    ck_assert_int_eq(products, 20);
    ck_assert_int_gt(grids, products);
    const dt_node *conv = testnet_node(&t, "conv2d", "layer1.0.conv1");
    const dt_node *site = dt_query_site(g, conv->in[0]);
    dt_lower_grid x;
    ck_assert_int_eq(dt_lower_activation(&t.low, site, &x, NULL), DT_OK);
    ck_assert_mem_eq(&x, l->grid[dt_query_index(g, site)], sizeof x);
    const dt_lower_product *p = l->product[dt_query_index(g, conv)];
    ck_assert(p->bias_scale[3] == x.scale * p->scale[3]);
    dt_lower_free(l);
    testnet_fini(&t);
}
END_TEST

START_TEST(a_float_net_has_no_codes)
{
    testnet t;
    dt_lowered *l;
    testnet_init(&t, RECIPE_SMALL);
    ck_assert_int_eq(dt_lower_new(&t.low, &l, NULL), DT_OK);
    ck_assert_int_gt(l->missing, 0);
    ck_assert_ptr_nonnull(strstr(l->missing_text, "conv1"));
    for (int i = 0; i < t.net.graph.node_count; i++)
        ck_assert(!l->grid[i] && (!l->product[i] || !l->product[i]->quantized));
    dt_lower_free(l);
    testnet_fini(&t);
}
END_TEST

START_TEST(running_out_of_memory_is_an_error)
{
    testnet t;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    dt_status st = DT_ERR_NOMEM;
    size_t at = 1;
    for (; st != DT_OK && at < 1000; at++) {
        failalloc f;
        dt_lowered *l = NULL;
        dt_lower_source src = t.low;
        failalloc_init(&f, at);
        src.alloc = &f.alloc;
        st = dt_lower_new(&src, &l, NULL);
        ck_assert(st == DT_OK || st == DT_ERR_NOMEM);
        if (st == DT_OK) dt_lower_free(l);
        ck_assert_uint_eq(f.live, 0);
    }
    ck_assert(at > 2 && st == DT_OK);
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("lowered", every_site_and_product_is_there, a_float_net_has_no_codes,
             running_out_of_memory_is_an_error)
