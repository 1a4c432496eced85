/* Plans of real nets, played (support/plan_player.h); those of every recipe are played by
 * train/graphs.py. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "tests/support/nets.h"
#include "tests/support/plan_player.h"

static void check_plan(const test_net *t, const dt_graph *g, const dt_kernels *k, dt_mode mode,
                       dt_norms norms, int64_t batch, int threads)
{
    dt_plan p;
    dt_error err = { .status = DT_OK };
    const int outputs[] = { t->net.loss, t->net.logits };
    ck_assert_msg(dt_plan_init(&p,
                               &(dt_plan_request){ .graph = g,
                                                   .kernels = k,
                                                   .mode = mode,
                                                   .norms = norms,
                                                   .batch = batch,
                                                   .threads = threads,
                                                   .outputs = outputs,
                                                   .output_count = 2 },
                               NULL, &err) == DT_OK,
                  "%s", err.text);
    ck_assert_uint_lt(p.arena_bytes, p.sum_bytes);
    player y;
    int *holds = dt_get_array(NULL, (size_t)p.slot_count + 1, sizeof *holds, "test");
    ck_assert_ptr_nonnull(holds);
    player_play(&y, &p, holds, outputs, 2);
    ck_assert_msg(!y.wrong[0], "%s", y.wrong);
    dt_put(NULL, holds);
    dt_plan_fini(&p);
}

static const char *const quants[] = { "none", "paper", "deploy", "trt" };

/* Graphs that are read from files, tests/exchange has. */
static bool makes_graph(const dt_row *row)
{
    return !((const dt_model *)(const void *)row)->file;
}

/* A net without its starting values, which take most of the time. */
static void open_blank(test_net *t, const dt_row *model, const char *quant, dt_measure *m)
{
    dt_error err = { .status = DT_OK };
    char recipe[300];
    bool none = quant == quants[0];
    int n = snprintf(recipe, sizeof recipe, none ? TEST_FLOAT("%s") : TEST_LSQ("%s", "%s"),
                     model->name, quant);
    ck_assert_int_lt(n, (int)sizeof recipe);
    const dt_recipe_params p = { .tables = &dt_tables, .path = "test.yaml", .text = recipe };
    const dt_net_input input = test_net_input(model);
    ck_assert_int_eq(dt_measure_init(m, NULL), DT_OK);
    ck_assert_msg(dt_recipe_read(&p, &t->recipe, &err) == DT_OK, "%s", err.text);
    ck_assert_msg(dt_net_init(&t->net, t->recipe, &input, false, &m->alloc, &err) == DT_OK,
                  "%s: %s", model->name, err.text);
}

static void close_blank(test_net *t, dt_measure *m)
{
    test_net_close(t);
    dt_measure_fini(m);
}

/* Every row of the models, float and in every placement, plain and fused. */
START_TEST(memory_is_never_shared_by_the_living)
{
    static const struct {
        dt_mode mode;
        int64_t batch;
        int threads;
        dt_norms norms;
    } plans[] = { { DT_MODE_TRAIN, 1, 1 },
                  { DT_MODE_TRAIN, 16, 3 },
                  { DT_MODE_EVAL, 7, 2 },
                  { DT_MODE_EVAL, 2, 1, DT_NORMS_BATCH } };
    dt_kernels k;
    ck_assert_int_eq(dt_kernels_init(&k, test_isa, NULL), DT_OK);
    for (size_t r = 0; dt_models.rows[r]; r++)
        for (size_t q = 0; makes_graph(dt_models.rows[r]) && q < DT_ARRAY_LEN(quants); q++) {
            test_net t;
            dt_measure m;
            open_blank(&t, dt_models.rows[r], quants[q], &m);
            const dt_graph *graphs[] = { &t.net.graph, dt_net_steps(&t.net) };
            for (size_t g = 0; g < DT_ARRAY_LEN(graphs); g++)
                for (size_t i = 0; i < DT_ARRAY_LEN(plans); i++)
                    check_plan(&t, graphs[g], &k, plans[i].mode, plans[i].norms, plans[i].batch,
                               plans[i].threads);
            close_blank(&t, &m);
        }
}
END_TEST

/* What a fused step may take more than a plain one: what one node works in (tiles of the stages of
 * a chain, codes of a weight, which batches of one do not outweigh), what is saved (factors of
 * chains, by channel), and, as gradients are finished in the pass of the node before, the one value
 * that is kept for that. */
static size_t allowance(const dt_plan *p)
{
    size_t work = 0, saved = 0, kept = 0;
    for (int i = 0; i < p->slot_count; i++)
        if (p->slot[i].kind == DT_SLOT_WORK && p->slot[i].bytes > work) work = p->slot[i].bytes;
    for (int i = 0; i < p->slot_count; i++)
        if (p->slot[i].kind == DT_SLOT_SAVED) saved += p->slot[i].bytes;
    for (int i = 0; i < p->graph->node_count; i++) {
        if (!p->node[i].runs_back || p->node[i].unfinished_by < 0) continue;
        const dt_node *reader = &p->graph->node[p->node[i].unfinished_by];
        size_t bytes = p->slot[p->value_slot[reader->in[0]]].bytes;
        if (bytes > kept) kept = bytes;
    }
    return work + saved + kept;
}

static void compare_arenas(const test_net *t, const char *name, bool quantized, const dt_kernels *k,
                           dt_mode mode, int64_t batch)
{
    dt_plan plain, fused;
    const int outputs[] = { t->net.loss, t->net.logits };
    dt_plan_request request = { .graph = &t->net.graph,
                                .kernels = k,
                                .mode = mode,
                                .batch = batch,
                                .threads = 2,
                                .outputs = outputs,
                                .output_count = 2 };
    ck_assert_int_eq(dt_plan_init(&plain, &request, NULL, NULL), DT_OK);
    request.graph = dt_net_steps(&t->net);
    ck_assert_int_eq(dt_plan_init(&fused, &request, NULL, NULL), DT_OK);
    ck_assert_msg(fused.arena_bytes <= plain.arena_bytes + allowance(&fused),
                  "%s, mode %d, batch %d: fused %zu, plain %zu and %zu", name, (int)mode,
                  (int)batch, fused.arena_bytes, plain.arena_bytes, allowance(&fused));
    /* Codes instead of values: 0.45 to 0.84, the most where weights outweigh pictures (ResNet-34 on
     * 32x32, trt). Linear layers of rows without tokens have no fused form: nothing is saved. */
    bool rows = t->net.graph.value[t->net.input].shape.rank == 2;
    if (rows && mode == DT_MODE_TRAIN) ck_assert(fused.arena_bytes <= plain.arena_bytes);
    if (quantized && !rows && mode == DT_MODE_TRAIN && batch > 100)
        ck_assert_msg((double)fused.arena_bytes <= 0.86 * (double)plain.arena_bytes,
                      "%s: fused %zu, plain %zu", name, fused.arena_bytes, plain.arena_bytes);
    dt_plan_fini(&plain);
    dt_plan_fini(&fused);
}

START_TEST(fusing_saves_memory_or_takes_what_it_works_in)
{
    dt_kernels k;
    ck_assert_int_eq(dt_kernels_init(&k, test_isa, NULL), DT_OK);
    for (size_t r = 0; dt_models.rows[r]; r++)
        for (size_t q = 0; makes_graph(dt_models.rows[r]) && q < DT_ARRAY_LEN(quants); q++) {
            test_net t;
            dt_measure m;
            open_blank(&t, dt_models.rows[r], quants[q], &m);
            for (int mode = DT_MODE_TRAIN; mode <= DT_MODE_EVAL; mode++)
                for (int64_t batch = 1; batch < 200; batch *= 11)
                    compare_arenas(&t, dt_models.rows[r]->name, q > 0, &k, (dt_mode)mode, batch);
            close_blank(&t, &m);
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

DT_TEST_MAIN("plan", memory_is_never_shared_by_the_living,
             fusing_saves_memory_or_takes_what_it_works_in, a_training_arena_is_far_below_the_sum,
             sums_of_few_products_are_made_twice, bad_requests_are_refused)
