/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/rewrite.h"

#include <string.h>

#include "tests/support/nets.h"

static dt_status put_all(dt_rewrite *r, int i)
{
    return dt_rewrite_put(r, &r->source->node[i]);
}

/* The same nodes, values, readers and names. */
static void check_same(const dt_graph *a, const dt_graph *b)
{
    ck_assert_int_eq(a->node_count, b->node_count);
    ck_assert_int_eq(a->value_count, b->value_count);
    for (int i = 0; i < a->node_count; i++) {
        ck_assert_ptr_eq(a->node[i].op, b->node[i].op);
        ck_assert_mem_eq(a->node[i].in, b->node[i].in, sizeof a->node[i].in);
    }
    for (int v = 0; v < a->value_count; v++) {
        ck_assert_int_eq(a->value[v].producer, b->value[v].producer);
        ck_assert_int_eq(a->value[v].uses, b->value[v].uses);
        if (a->value[v].kind == DT_VALUE_PARAM)
            ck_assert_int_eq(dt_graph_find(b, a->value[v].name), v);
    }
}

START_TEST(a_copy_is_the_same_graph)
{
    test_net t;
    dt_graph copy;
    test_net_open(&t, TEST_LSQ("resnet20", "deploy"), false);
    ck_assert_int_eq(dt_graph_rewrite(&t.net.graph, put_all, NULL, NULL, &copy, NULL), DT_OK);
    check_same(&t.net.graph, &copy);
    ck_assert_int_eq(dt_graph_remake(&copy, put_all, NULL, NULL), DT_OK);
    check_same(&t.net.graph, &copy);
    dt_graph_fini(&copy);
    test_net_close(&t);
}
END_TEST

/* x -> relu "first" -> relu "second" -> relu "third" */
static dt_graph line_of_three(int out[3])
{
    dt_graph g;
    const dt_value x = {
        .name = "x", .kind = DT_VALUE_INPUT, .shape = DT_SHAPE(1, 4), .batched = true
    };
    int at;
    static const char *const name[] = { "first", "second", "third" };
    ck_assert_int_eq(dt_graph_init(&g, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_graph_value(&g, &x, &at, NULL), DT_OK);
    for (int i = 0; i < 3; i++, at = out[i - 1])
        ck_assert_int_eq(dt_graph_node(&g, "relu", name[i], NULL, &at, 1, &out[i], NULL), DT_OK);
    return g;
}

static dt_status skip_second(dt_rewrite *r, int i)
{
    const dt_node *n = &r->source->node[i];
    if (i != 1) return dt_rewrite_put(r, n);
    dt_rewrite_stand_for(r, n->out[0], n->in[0]);
    return DT_OK;
}

START_TEST(what_is_left_out_is_passed_by)
{
    int v[3];
    dt_graph g = line_of_three(v), out;
    ck_assert_int_eq(dt_graph_rewrite(&g, skip_second, NULL, NULL, &out, NULL), DT_OK);
    ck_assert_int_eq(out.node_count, 2);
    ck_assert_int_eq(out.node[1].in[0], v[0]);
    ck_assert_int_eq(out.value[v[1]].producer, -1);
    ck_assert_int_eq(out.value[v[1]].uses, 0);
    ck_assert_int_eq(out.value[v[0]].uses, 1);
    ck_assert_int_eq(g.value[v[1]].uses, 1); /* the source is as it was */
    dt_graph_fini(&out);
    dt_graph_fini(&g);
}
END_TEST

/* The third node is left out, and its output has to stay; the second one's has another reader. */
static dt_status rename_third(dt_rewrite *r, int i)
{
    const dt_node *n = &r->source->node[i];
    if (strcmp(n->name, "third") != 0) return dt_rewrite_put(r, n);
    dt_rewrite_rename(r, n->in[0], n->out[0]);
    return DT_OK;
}

START_TEST(a_renamed_value_keeps_its_other_readers)
{
    int v[3], side, late;
    dt_graph g, out;
    g = line_of_three(v);
    dt_node third = g.node[2];
    g.node_count = 2; /* the reader on the side comes before it */
    g.value[v[1]].uses = 0;
    g.value[v[1]].first_use = g.value[v[1]].last_use = -1;
    ck_assert_int_eq(dt_graph_node(&g, "relu", "side", NULL, &v[1], 1, &side, NULL), DT_OK);
    ck_assert_int_eq(dt_graph_append(&g, &third, NULL), DT_OK);
    ck_assert_int_eq(dt_graph_node(&g, "relu", "late", NULL, &v[1], 1, &late, NULL), DT_OK);
    ck_assert_int_eq(dt_graph_rewrite(&g, rename_third, NULL, NULL, &out, NULL), DT_OK);
    ck_assert_int_eq(out.node_count, 4); /* first, second, side, late */
    ck_assert_int_eq(out.node[1].out[0], v[2]);
    ck_assert_int_eq(out.value[v[2]].producer, 1);
    ck_assert_int_eq(out.value[v[1]].producer, -1);
    ck_assert_int_eq(out.node[2].in[0], v[2]);
    ck_assert_int_eq(out.node[3].in[0], v[2]);
    ck_assert_int_eq(out.value[v[2]].uses, 2);
    ck_assert_int_eq(out.value[v[1]].uses, 0);
    dt_graph_fini(&out);
    dt_graph_fini(&g);
}
END_TEST

static dt_status refuse(dt_rewrite *r, int i)
{
    return dt_fail(r->err, DT_ERR_UNSUPPORTED, NULL, "node %d", i);
}

START_TEST(errors_leave_nothing_behind)
{
    int v[3];
    dt_graph g = line_of_three(v), out;
    dt_error err;
    ck_assert_int_eq(dt_graph_rewrite(&g, refuse, NULL, NULL, &out, &err), DT_ERR_UNSUPPORTED);
    ck_assert_str_eq(err.text, "node 0");
    ck_assert_int_eq(dt_graph_remake(&g, refuse, NULL, NULL), DT_ERR_UNSUPPORTED);
    dt_graph_fini(&g);
}
END_TEST

DT_TEST_MAIN("rewrite", a_copy_is_the_same_graph, what_is_left_out_is_passed_by,
             a_renamed_value_keeps_its_other_readers, errors_leave_nothing_behind)
