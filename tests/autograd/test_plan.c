/* Plans of real nets: no two living tensors share memory, and a step played on tokens instead of
 * numbers finds everything where it was put. The player knows nothing of lifetimes: each write
 * destroys what overlaps it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "tests/support/nets.h"

enum { DEAD = -1, GRAD = 1 << 20, SAVED = 2 << 20, WORK = 3 << 20 };

typedef struct player {
    const dt_plan *p;
    int *holds; /* by slot: value, GRAD + value, SAVED + node, WORK + node, DEAD */
} player;

static bool meet(const dt_slot *a, const dt_slot *b)
{
    return a->bytes && b->bytes && a->offset < b->offset + b->bytes &&
           b->offset < a->offset + a->bytes;
}

static void put(player *y, int slot, int token)
{
    if (slot < 0) return;
    for (int i = 0; i < y->p->slot_count; i++)
        if (i != slot && meet(&y->p->slot[i], &y->p->slot[slot])) y->holds[i] = DEAD;
    y->holds[slot] = token;
}

static void want(const player *y, int slot, int token, int node, const char *what)
{
    ck_assert_msg(slot < 0 || y->holds[slot] == token, "node %d '%s': its %s is gone", node,
                  y->p->graph->node[node].name, what);
}

static void play_forward(player *y, int i)
{
    const dt_plan *p = y->p;
    const dt_node *node = &p->graph->node[i];
    for (int j = 0; j < node->in_count; j++)
        want(y, p->value_slot[node->in[j]], node->in[j], i, "input");
    put(y, p->node[i].forward_work, WORK + i);
    put(y, p->node[i].saved, SAVED + i);
    for (int j = 0; j < node->out_count; j++)
        put(y, p->value_slot[node->out[j]], node->out[j]);
    /* All of them live at the same time. */
    want(y, p->node[i].forward_work, WORK + i, i, "scratch");
    want(y, p->node[i].saved, SAVED + i, i, "saved memory");
    for (int j = 0; j < node->in_count; j++) {
        int slot = p->value_slot[node->in[j]];
        bool replaced = node->op->inplace && j == 0 && slot == p->value_slot[node->out[0]];
        if (!replaced) want(y, slot, node->in[j], i, "input, while it runs,");
    }
    for (int j = 0; j < node->out_count; j++) {
        ck_assert_int_ge(p->value_slot[node->out[j]], 0);
        want(y, p->value_slot[node->out[j]], node->out[j], i, "output");
    }
}

/* Where a backward pass finds a value. */
static int slot_back(const dt_plan *p, int v)
{
    return p->remade_slot[v] >= 0 ? p->remade_slot[v] : p->value_slot[v];
}

/* The forward pass of a node that is repeated for backward. */
static void play_remake(player *y, int i)
{
    const dt_plan *p = y->p;
    const dt_node *node = &p->graph->node[i];
    put(y, p->node[i].remake_work, WORK + i);
    put(y, slot_back(p, node->out[0]), node->out[0]);
    want(y, p->node[i].remake_work, WORK + i, i, "scratch, once more,");
    for (int j = 0; j < node->in_count; j++)
        want(y, slot_back(p, node->in[j]), node->in[j], i, "input, once more,");
}

/* What the backward pass of a node reads. */
static void want_operands(const player *y, int i)
{
    const dt_plan *p = y->p;
    const dt_node *node = &p->graph->node[i];
    for (int j = 0; j < node->in_count; j++)
        if (node->op->reads_in >> j & 1)
            want(y, slot_back(p, node->in[j]), node->in[j], i, "input, backward,");
    for (int j = 0; j < node->out_count; j++)
        if (node->op->reads_out >> j & 1)
            want(y, slot_back(p, node->out[j]), node->out[j], i, "output, backward,");
    want(y, p->node[i].saved, SAVED + i, i, "saved memory, backward,");
}

static void play_backward(player *y, int i)
{
    const dt_plan *p = y->p;
    const dt_node *node = &p->graph->node[i];
    const dt_plan_node *pn = &p->node[i];
    int dy = p->grad_slot[node->out[0]];
    bool replaced = false;
    ck_assert_int_ge(dy, 0);
    want(y, dy, GRAD + node->out[0], i, "output's gradient");
    if (pn->remakes >= 0) play_remake(y, pn->remakes);
    want_operands(y, i);
    put(y, pn->backward_work, WORK + i);
    for (int j = 0; j < node->in_count; j++) {
        int v = node->in[j], slot = p->grad_slot[v];
        if (!pn->wants[j] || p->graph->value[v].kind == DT_VALUE_PARAM) continue;
        ck_assert_int_ge(slot, 0);
        put(y, pn->sum[j], WORK + i);
        if (pn->add[j]) want(y, slot, GRAD + v, i, "gradient to add to");
        if (slot == dy) {
            int k = j == 0 && node->op->grad_inplace ? 0 : -1;
            if (node->op->grad_shares) k = node->op->grad_shares(node->conf, j);
            ck_assert(k == 0 && !pn->add[j]);
            replaced = true;
        }
        put(y, slot, GRAD + v);
    }
    want(y, pn->backward_work, WORK + i, i, "scratch, backward,");
    want_operands(y, i);
    if (pn->unfinished_by >= 0) { /* its gradient is finished in this pass */
        int v = p->graph->node[pn->unfinished_by].in[0];
        want(y, slot_back(p, v), v, i, "reader's input");
        want(y, p->node[pn->unfinished_by].saved, SAVED + pn->unfinished_by, i,
             "reader's saved memory");
    }
    if (!replaced) want(y, dy, GRAD + node->out[0], i, "output's gradient, while it runs,");
}

static void play(const dt_plan *p, const int *outputs, int output_count)
{
    int n = p->graph->node_count;
    player y = { p, dt_get_array(NULL, (size_t)p->slot_count + 1, sizeof(int), "test") };
    ck_assert_ptr_nonnull(y.holds);
    for (int i = 0; i < p->slot_count; i++)
        y.holds[i] = DEAD;
    for (int i = 0; i < n; i++)
        if (p->node[i].runs) play_forward(&y, i);
    if (p->mode == DT_MODE_TRAIN) {
        put(&y, p->grad_slot[outputs[0]], GRAD + outputs[0]);
        int backward = 0;
        for (int i = n - 1; i >= 0; i--) {
            if (!p->node[i].runs_back) continue;
            play_backward(&y, i);
            backward++;
        }
        ck_assert_int_gt(backward, n / 2);
    }
    for (int i = 0; i < output_count; i++)
        ck_assert_msg(y.holds[p->value_slot[outputs[i]]] == outputs[i], "output %d is gone", i);
    dt_put(NULL, y.holds);
}

/* The same from the plan's own lifetimes. */
static void check_slots(const dt_plan *p)
{
    for (int i = 0; i < p->slot_count; i++) {
        const dt_slot *a = &p->slot[i];
        ck_assert_uint_le(a->offset + a->bytes, p->arena_bytes);
        ck_assert_uint_eq(a->offset % DT_ALIGN, 0);
        ck_assert_int_le(a->first, a->last);
        for (int j = 0; j < i; j++) {
            const dt_slot *b = &p->slot[j];
            bool together = a->first <= b->last && b->first <= a->last;
            ck_assert_msg(!together || !meet(a, b), "slots %d and %d overlap", j, i);
        }
    }
}

static void check_plan(const test_net *t, const dt_graph *g, const dt_kernels *k, dt_mode mode,
                       int64_t batch, int threads)
{
    dt_plan p;
    dt_error err = { .status = DT_OK };
    const int outputs[] = { t->net.loss, t->net.logits };
    ck_assert_msg(dt_plan_init(&p,
                               &(dt_plan_request){ .graph = g,
                                                   .kernels = k,
                                                   .mode = mode,
                                                   .batch = batch,
                                                   .threads = threads,
                                                   .outputs = outputs,
                                                   .output_count = 2 },
                               NULL, &err) == DT_OK,
                  "%s", err.text);
    ck_assert_uint_lt(p.arena_bytes, p.sum_bytes);
    check_slots(&p);
    play(&p, outputs, 2);
    dt_plan_fini(&p);
}

START_TEST(memory_is_never_shared_by_the_living)
{
    static const char *const recipes[] = {
        TEST_FLOAT("smallcnn"),
        TEST_FLOAT("resnet20"),
        TEST_LSQ("resnet20", "paper"),
        TEST_LSQ("resnet20", "deploy"),
        TEST_LSQ("smallcnn", "deploy"),
        "{model: {name: resnet20, shortcut: conv}, data: {name: builtin}}",
    };
    static const dt_mode modes[] = { DT_MODE_TRAIN, DT_MODE_EVAL, DT_MODE_CALIBRATE };
    dt_kernels k;
    ck_assert_int_eq(dt_kernels_init(&k, test_isa, NULL), DT_OK);
    for (size_t r = 0; r < DT_ARRAY_LEN(recipes); r++) {
        test_net t;
        test_net_open(&t, recipes[r], false);
        for (size_t m = 0; m < DT_ARRAY_LEN(modes); m++) {
            const dt_graph *graphs[] = { &t.net.graph, dt_net_steps(&t.net) };
            for (size_t g = 0; g < DT_ARRAY_LEN(graphs); g++) {
                check_plan(&t, graphs[g], &k, modes[m], 1, 1);
                check_plan(&t, graphs[g], &k, modes[m], 7, 3);
                check_plan(&t, graphs[g], &k, modes[m], 128, 2);
            }
        }
        test_net_close(&t);
    }
}
END_TEST

START_TEST(a_training_arena_is_far_below_the_sum)
{
    test_net t;
    dt_plan p;
    dt_kernels k;
    char text[300];
    ck_assert_int_eq(dt_kernels_init(&k, test_isa, NULL), DT_OK);
    test_net_open(&t, TEST_FLOAT("resnet20"), false);
    const int outputs[] = { t.net.loss, t.net.logits };
    ck_assert_int_eq(dt_plan_init(&p,
                                  &(dt_plan_request){ .graph = &t.net.graph,
                                                      .kernels = &k,
                                                      .mode = DT_MODE_TRAIN,
                                                      .batch = 128,
                                                      .threads = 2,
                                                      .outputs = outputs,
                                                      .output_count = 2 },
                                  NULL, NULL),
                     DT_OK);
    ck_assert_uint_lt(p.arena_bytes, p.sum_bytes * 8 / 10);
    dt_plan_print(&p, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "train batch 128: arena "));
    /* Convs: 432 1024 + 6 2304 1024 + (4608 + 5 9216) 256 + (18432 + 5 36864) 64; linear 640. */
    ck_assert_int_eq(dt_plan_macs(&p), 128 * 40551040LL);
    dt_plan_fini(&p);
    ck_assert_int_eq(dt_plan_init(&p,
                                  &(dt_plan_request){ .graph = &t.net.graph,
                                                      .kernels = &k,
                                                      .mode = DT_MODE_EVAL,
                                                      .batch = 128,
                                                      .threads = 2,
                                                      .outputs = outputs,
                                                      .output_count = 2 },
                                  NULL, NULL),
                     DT_OK);
    ck_assert_uint_lt(p.arena_bytes, p.sum_bytes / 4);
    dt_plan_fini(&p);
    test_net_close(&t);
}
END_TEST

/* The seven convolutions that read 16 channels; nothing in a plan without backward passes. */
START_TEST(sums_of_few_products_are_made_twice)
{
    static const struct {
        dt_mode mode;
        int twice;
    } cases[] = { { DT_MODE_TRAIN, 7 }, { DT_MODE_EVAL, 0 } };
    test_net t;
    dt_kernels k;
    ck_assert_int_eq(dt_kernels_init(&k, test_isa, NULL), DT_OK);
    test_net_open(&t, TEST_LSQ("resnet20", "paper"), false);
    for (size_t c = 0; c < DT_ARRAY_LEN(cases); c++) {
        dt_plan p;
        const int outputs[] = { t.net.loss, t.net.logits };
        int twice = 0;
        ck_assert_int_eq(dt_plan_init(&p,
                                      &(dt_plan_request){ .graph = dt_net_steps(&t.net),
                                                          .kernels = &k,
                                                          .mode = cases[c].mode,
                                                          .batch = 8,
                                                          .threads = 2,
                                                          .outputs = outputs,
                                                          .output_count = 2 },
                                      NULL, NULL),
                         DT_OK);
        for (int v = 0; v < p.graph->value_count; v++) {
            if (p.remade_slot[v] < 0) continue;
            const dt_slot *first = &p.slot[p.value_slot[v]], *again = &p.slot[p.remade_slot[v]];
            ck_assert_int_lt(first->last, again->first);
            ck_assert_uint_eq(first->bytes, again->bytes);
            twice++;
        }
        ck_assert_int_eq(twice, cases[c].twice);
        dt_plan_fini(&p);
    }
    test_net_close(&t);
}
END_TEST

START_TEST(bad_requests_are_refused)
{
    test_net t;
    dt_plan p;
    dt_error err;
    dt_kernels k;
    ck_assert_int_eq(dt_kernels_init(&k, "scalar", NULL), DT_OK);
    test_net_open(&t, TEST_FLOAT("smallcnn"), false);
    const int logits = t.net.logits;
    ck_assert_int_eq(dt_plan_init(&p,
                                  &(dt_plan_request){ .graph = &t.net.graph,
                                                      .kernels = &k,
                                                      .mode = DT_MODE_TRAIN,
                                                      .batch = 4,
                                                      .threads = 1,
                                                      .outputs = &logits,
                                                      .output_count = 1 },
                                  NULL, &err),
                     DT_ERR_ARG);
    ck_assert_str_eq(err.text, "the loss must be a single number");
    ck_assert_int_eq(dt_plan_init(&p,
                                  &(dt_plan_request){ .graph = &t.net.graph,
                                                      .kernels = &k,
                                                      .mode = DT_MODE_EVAL,
                                                      .batch = 0,
                                                      .threads = 1,
                                                      .outputs = &logits,
                                                      .output_count = 1 },
                                  NULL, &err),
                     DT_ERR_ARG);
    ck_assert_int_eq(dt_plan_init(&p,
                                  &(dt_plan_request){ .graph = &t.net.graph,
                                                      .kernels = &k,
                                                      .mode = DT_MODE_EVAL,
                                                      .batch = INT64_MAX / 8,
                                                      .threads = 1,
                                                      .outputs = &logits,
                                                      .output_count = 1 },
                                  NULL, &err),
                     DT_ERR_SHAPE);
    test_net_close(&t);
}
END_TEST

DT_TEST_MAIN("plan", memory_is_never_shared_by_the_living, a_training_arena_is_far_below_the_sum,
             sums_of_few_products_are_made_twice, bad_requests_are_refused)
