/* Residual blocks: shapes, and which shortcut they take. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/resnet_block.h"

#include <string.h>

#include "tests/support/run.h"

typedef int block_fn(dt_builder *b, const char *name, dt_shortcut shortcut, int x, int64_t out,
                     int stride);

typedef struct shape_case {
    block_fn *block;
    dt_shortcut shortcut;
    int64_t in, out;
    int stride;
    int convs, pads; /* nodes */
} shape_case;

static const shape_case cases[] = {
    { dt_block_basic, DT_SHORTCUT_CONV, 8, 8, 1, 2, 0 },
    { dt_block_basic, DT_SHORTCUT_CONV, 8, 8, 2, 3, 0 },
    { dt_block_basic, DT_SHORTCUT_CONV, 8, 16, 1, 3, 0 },
    { dt_block_basic, DT_SHORTCUT_PAD, 8, 16, 2, 2, 1 },
    { dt_block_bottleneck, DT_SHORTCUT_CONV, 16, 16, 1, 3, 0 },
    { dt_block_bottleneck, DT_SHORTCUT_CONV, 8, 32, 2, 4, 0 },
};

static int count(const dt_graph *g, const char *op)
{
    int n = 0;
    for (int i = 0; i < g->node_count; i++)
        n += strcmp(g->node[i].op->name, op) == 0;
    return n;
}

START_TEST(a_shortcut_is_made_where_the_shape_changes)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        const shape_case *c = &cases[i];
        dt_graph g;
        dt_error err = { .text = "" };
        dt_value x = {
            .name = "x", .kind = DT_VALUE_INPUT, .shape = DT_SHAPE(1, 6, 6, c->in), .batched = true
        };
        dt_builder b = { .graph = &g, .err = &err };
        int in = -1;
        ck_assert_int_eq(dt_graph_init(&g, NULL, NULL), DT_OK);
        ck_assert_int_eq(dt_graph_value(&g, &x, &in, NULL), DT_OK);
        int y = c->block(&b, "b", c->shortcut, in, c->out, c->stride);
        ck_assert_msg(y >= 0, "%s", err.text);
        const dt_shape want = DT_SHAPE(1, 6 / c->stride, 6 / c->stride, c->out);
        ck_assert(dt_shape_equal(&g.value[y].shape, &want) && g.value[y].nonneg);
        ck_assert_int_eq(count(&g, "conv2d"), c->convs);
        ck_assert_int_eq(count(&g, "pad_channels"), c->pads);
        ck_assert_int_eq(count(&g, "add"), 1);
        ck_assert(dt_graph_find(&g, "b.conv2.weight") >= 0);
        ck_assert((dt_graph_find(&g, "b.downsample.0.weight") >= 0) ==
                  (c->convs > (c->block == dt_block_basic ? 2 : 3)));
        dt_graph_fini(&g);
    }
}
END_TEST

START_TEST(an_error_before_the_block_passes_through)
{
    dt_graph g;
    ck_assert_int_eq(dt_graph_init(&g, NULL, NULL), DT_OK);
    dt_builder b = { .graph = &g, .status = DT_ERR_ARG };
    ck_assert_int_eq(dt_block_basic(&b, "b", DT_SHORTCUT_CONV, -1, 8, 2), -1);
    ck_assert_int_eq(dt_block_bottleneck(&b, "b", DT_SHORTCUT_CONV, -1, 8, 2), -1);
    ck_assert_int_eq(g.node_count, 0);
    dt_graph_fini(&g);
}
END_TEST

DT_TEST_MAIN("resnet_block", a_shortcut_is_made_where_the_shape_changes,
             an_error_before_the_block_passes_through)
