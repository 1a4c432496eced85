/* Units of nets, and every preset and stage: what holds after each of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/ptq/run_stages.h"

#include "autograd/query.h"
#include "ptq/units.h"

static void cut(const char *model, const char *placement, const char *unit, dt_ptq *q,
                dt_ptq_units *units, test_net *t, dt_ptq_params *p)
{
    char recipe[512];
    snprintf(recipe, sizeof recipe,
             "{model: {name: %s}, data: {name: builtin}, quant: {placement: %s, weights: {method: "
             "lsq, bits: 4}, activations: {method: lsq, bits: 4}}}",
             model, placement);
    test_net_open(t, recipe, false);
    *p = (dt_ptq_params){ .graph = &t->net.graph,
                          .state = &t->net.state,
                          .input = t->net.input,
                          .logits = t->net.logits };
    ck_assert_int_eq(dt_ptq_init(q, p, NULL), DT_OK);
    ck_assert_int_eq(dt_ptq_cut(q, unit, units, NULL), DT_OK);
}

static void check_units(const char *model, const char *placement, const char *unit, int count,
                        const char *names)
{
    test_net t;
    dt_ptq q;
    dt_ptq_units units;
    dt_ptq_params p;
    char text[1024] = "";
    cut(model, placement, unit, &q, &units, &t, &p);
    for (int i = 0; i < units.count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "", units.unit[i].name);
        /* Nothing that a quantizer makes: a unit holds its own. */
        const dt_node *maker = dt_query_maker(q.g, units.unit[i].in);
        ck_assert(!maker || !maker->op->quantizes);
    }
    ck_assert_msg(units.count == count && strcmp(text, names) == 0, "%d: %s", units.count, text);
    dt_ptq_fini(&q);
    test_net_close(&t);
}

#define BLOCKS                                                                                     \
    "conv1 layer1.0 layer1.1 layer1.2 layer2.0 layer2.1 layer2.2 layer3.0 layer3.1 layer3.2 "      \
    "linear"

START_TEST(units_follow_from_the_graph)
{
    check_units("resnet20", "deploy", "block", 11, BLOCKS);
    check_units("resnet20", "paper", "block", 11, BLOCKS);
    check_units("smallcnn", "deploy", "net", 1, "conv1...");
    check_units("vit, patch: 8, dim: 48, depth: 1, heads: 3", "paper", "block", 4,
                "patch_embed.proj blocks.0.attn blocks.0.mlp head");
}
END_TEST

START_TEST(every_product_is_in_one_unit)
{
    static const char *const kinds[] = { "block", "joint", "layer", "net" };
    for (size_t k = 0; k < DT_ARRAY_LEN(kinds); k++) {
        test_net t;
        dt_ptq q;
        dt_ptq_units units;
        dt_ptq_params p;
        cut("resnet20", "deploy", kinds[k], &q, &units, &t, &p);
        for (int i = 0; i < q.g->node_count; i++) {
            int in = 0;
            for (int u = 0; u < units.count; u++)
                in += units.unit[u].inside[i];
            if (q.g->node[i].op->product)
                ck_assert_msg(in == 1, "%s: %s is in %d units", kinds[k], q.g->node[i].name, in);
        }
        dt_ptq_fini(&q);
        test_net_close(&t);
    }
}
END_TEST

static void copy_state(const staged *s, real **out)
{
    const dt_graph *g = &s->t.net.graph;
    for (int v = 0; v < g->value_count; v++) {
        const real *x = s->p.state->data[v];
        size_t bytes = sizeof(real) * (size_t)dt_shape_count(&g->value[v].shape);
        if (!x) continue;
        out[v] = dt_get(NULL, bytes, "test");
        memcpy(out[v], x, bytes);
    }
}

/* A preset on a small net: every unit's loss falls or stays, weights are on their grids, and one
 * thread gives the bits of two. */
static void check_preset(const char *name)
{
    char recipe[1024];
    const char *shorter =
        strstr(dt_ptq_preset_text(dt_table_find(&dt_ptq_presets, name)), "iterations: ");
    real *had[512] = { NULL };
    staged s;
    for (int threads = 1; threads <= 2; threads++) {
        snprintf(recipe, sizeof recipe, STAGED_SMALL "ptq: {images: 24, batch: 10, method: %s}\n",
                 name);
        staged_open(&s, recipe, threads);
        for (int i = 0; shorter && i < s.p.stage_count; i++) {
            const dt_opt *o =
                s.stage[i].row->opts ? dt_opt_find(s.stage[i].row->opts, "iterations") : NULL;
            if (o)
                ck_assert_int_eq(
                    dt_opt_set(o, (void *)(uintptr_t)s.stage[i].conf, "40", NULL, NULL), DT_OK);
        }
        staged_run(&s);
        staged_check_grids(&s);
        for (int i = 0; i < s.results; i++)
            ck_assert_msg(s.result[i].after <= s.result[i].before && isfinite(s.result[i].after),
                          "%s: %s: %g -> %g", name, s.result[i].unit, s.result[i].before,
                          s.result[i].after);
        const dt_graph *g = &s.t.net.graph;
        if (threads == 1) copy_state(&s, had);
        for (int v = 0; threads == 2 && v < g->value_count; v++) {
            const real *x = s.p.state->data[v];
            if (x)
                ck_assert_msg(
                    memcmp(x, had[v], sizeof *x * (size_t)dt_shape_count(&g->value[v].shape)) == 0,
                    "%s: %s depends on threads", name, g->value[v].name);
        }
        staged_close(&s);
    }
    for (size_t v = 0; v < DT_ARRAY_LEN(had); v++)
        dt_put(NULL, had[v]);
}

START_TEST(presets_hold_their_promises)
{
    for (const dt_row *const *row = dt_ptq_presets.rows; *row; row++)
        check_preset((*row)->name);
}
END_TEST

/* Means of channels of the quantized net become those of the float one. */
START_TEST(biases_make_means_equal)
{
    staged s;
    dt_ptq q;
    staged_open(&s, STAGED_SMALL "ptq: {images: 16, batch: 16, stages: [ranges, bias]}\n", 1);
    ck_assert_int_eq(dt_ptq_init(&q, &s.p, NULL), DT_OK);
    ck_assert_int_eq(dt_ptq_keep_origin(&q, NULL), DT_OK);
    staged_run(&s);
    int v = dt_ptq_last(&q, 0);
    int64_t n = dt_ptq_features(&q, v);
    real *a, *b;
    ck_assert_int_eq(dt_ptq_get(&q, v, &a, NULL), DT_OK);
    ck_assert_int_eq(dt_ptq_get(&q, v, &b, NULL), DT_OK);
    ck_assert_int_eq(dt_ptq_read(&q, v, a, b, NULL), DT_OK);
    double error = 0, apart = 0;
    for (int64_t k = 0; k < n; k++) {
        double sum = 0;
        for (int64_t i = 0; i < 16; i++) {
            sum += (double)a[i * n + k] - (double)b[i * n + k];
            apart += fabs((double)a[i * n + k] - (double)b[i * n + k]);
        }
        error = fmax(error, fabs(sum / 16));
    }
    ck_assert_double_lt(error, 1e-4);
    ck_assert_double_gt(apart, 1e-2); /* though the values differ */
    dt_ptq_put(&q, a);
    dt_ptq_put(&q, b);
    dt_ptq_fini(&q);
    staged_close(&s);
}
END_TEST

/* What was given back is given out again, where it is large enough. */
START_TEST(arrays_are_used_again)
{
    staged s;
    dt_ptq q;
    real *large, *small, *again, *other;
    staged_open(&s, STAGED_SMALL "ptq: {images: 16, batch: 16, stages: [ranges]}\n", 1);
    ck_assert_int_eq(dt_ptq_init(&q, &s.p, NULL), DT_OK);
    ck_assert_int_eq(dt_ptq_get(&q, s.p.input, &large, NULL), DT_OK);
    ck_assert_int_eq(dt_ptq_get(&q, s.p.logits, &small, NULL), DT_OK);
    ck_assert_ptr_ne(large, small);
    dt_ptq_put(&q, large);
    dt_ptq_put(&q, small);
    dt_ptq_put(&q, NULL);
    ck_assert_int_eq(dt_ptq_get(&q, s.p.logits, &again, NULL), DT_OK);
    ck_assert_ptr_eq(again, small); /* the smallest that is large enough */
    ck_assert_int_eq(dt_ptq_get(&q, s.p.logits, &other, NULL), DT_OK);
    ck_assert_ptr_eq(other, large);
    ck_assert_int_eq(dt_ptq_get(&q, s.p.logits, &small, NULL), DT_OK);
    ck_assert(small != again && small != other);
    dt_ptq_put(&q, again);
    dt_ptq_put(&q, other);
    dt_ptq_put(&q, small);
    dt_ptq_fini(&q);
    staged_close(&s);
}
END_TEST

/* Bad lists are refused before any work, in one line. */
START_TEST(bad_stages_are_refused)
{
    static const struct {
        const char *stages, *text;
    } bad[] = {
        { "[{reconstruct: {unit: blok, variables: [round]}}]", "did you mean 'block'" },
        { "[{reconstruct: {variables: [rount]}}]", "did you mean 'round'" },
        { "[{reconstruct: {variables: [round, weight]}}]", "two of them move weights" },
        { "[{reconstruct: {unit: block}}]", "name 1 to" },
        { "[norms, ranges]", "'norms' (ptq.stages.0) reads the net through its quantizers" },
        { "[{equalize: {rows: true}}, bias, ranges]", "put 'ranges' before it" },
        { "[{solve: {solvers: [gptq]}}]", "'solve' (ptq.stages.0)" },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(bad); i++) {
        char recipe[1024];
        staged s;
        dt_error err = { .status = DT_OK };
        snprintf(recipe, sizeof recipe, STAGED_SMALL "ptq: {images: 4, batch: 4, stages: %s}\n",
                 bad[i].stages);
        staged_open(&s, recipe, 1);
        ck_assert_int_ne(dt_ptq_run(&s.p, &err), DT_OK);
        ck_assert_msg(strstr(err.text, bad[i].text) && !strchr(err.text, '\n'), "%s", err.text);
        staged_close(&s);
    }
}
END_TEST

DT_TEST_MAIN("ptq", arrays_are_used_again, units_follow_from_the_graph,
             every_product_is_in_one_unit, presets_hold_their_promises, biases_make_means_equal,
             bad_stages_are_refused)
