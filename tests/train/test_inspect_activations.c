/* Clipping and noise of a quantizer by hand, and of a net's activations over pictures. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/inspect/inspect_activations.h"

#include <math.h>

#include "exchange/exporter.h"
#include "tests/support/run.h"
#include "train/run/evaluate.h"

#define RECIPE                                                                                     \
    "model: {name: smallcnn, width: 4}\n"                                                          \
    "data: {name: builtin, batch: 16, train_pictures: 32, test_pictures: 40}\n"                    \
    "quant: {weights: {method: lsq, bits: 4}, activations: {method: lsq, bits: 4}}\n"              \
    "train: {epochs: 1}\n"

typedef struct fixture {
    dt_recipe *recipe;
    dt_session s;
    dt_inspect_fit *fit;
} fixture;

static void fixture_init(fixture *f)
{
    dt_error err = { .text = "" };
    int flipped, small;
    const dt_recipe_params p = { .tables = &dt_tables, .path = "r.yaml", .text = RECIPE };
    ck_assert_msg(dt_recipe_read(&p, &f->recipe, &err) == DT_OK, "%s", err.text);
    const dt_session_params sp = { .recipe = f->recipe, .threads = 1 };
    ck_assert_msg(dt_session_open(&f->s, &sp, &err) == DT_OK, "%s", err.text);
    ck_assert_int_eq(dt_session_calibrate(&f->s, NULL, NULL, &flipped, &small, NULL), DT_OK);
    f->fit = dt_get_array(NULL, (size_t)f->s.net.graph.node_count, sizeof *f->fit, "test");
}

static void fixture_fini(fixture *f)
{
    dt_put(NULL, f->fit);
    dt_session_close(&f->s);
    dt_recipe_free(f->recipe);
}

static int node_of(const fixture *f, const char *name)
{
    for (int i = 0; i < f->s.net.graph.node_count; i++)
        if (strcmp(f->s.net.graph.node[i].name, name) == 0) return i;
    ck_abort_msg("no '%s'", name);
}

START_TEST(one_scale_by_hand)
{
    fixture f;
    dt_inspect_fit fit = { 0 };
    fixture_init(&f);
    const dt_node *n = &f.s.net.graph.node[node_of(&f, "conv2.input_quant")]; /* codes 0..15 */
    const dt_fakequant_conf *c = n->conf;
    const real params[DT_QUANT_MAX_PARAMS] = { 0.5f };
    const real x[] = { 0, 0.6f, 7.5f, 9, -1 }; /* 0, 0.5, 7.5, 7.5, 0 */
    real room[5];
    dt_quant_site site = c->site;
    site.count = 5;
    dt_inspect_fit_add(&fit, c, &site, params, NULL, x, room);
    ck_assert(fit.has_grid);
    ck_assert_int_eq(fit.count, 5);
    ck_assert_int_eq(fit.clipped, 2);
    /* 0..7.5 are bins 6..53, a bin 0.15625 wide; the two outside lie beyond an eighth. */
    ck_assert_int_eq(fit.bin[6], 1);
    ck_assert_int_eq(fit.bin[6 + 3], 1);
    ck_assert_int_eq(fit.bin[54], 1);
    ck_assert_int_eq(fit.bin[DT_INSPECT_BINS - 1], 1);
    ck_assert_int_eq(fit.bin[0], 1);
    ck_assert(fabs(fit.noise - (0.01 + 2.25 + 1)) < 1e-6);
    ck_assert(fabs(fit.signal - (0.36 + 56.25 + 81 + 1)) < 1e-5);
    ck_assert(fabs(dt_inspect_sqnr(&fit) - 10 * log10(138.61 / 3.26)) < 1e-5);
    fixture_fini(&f);
}
END_TEST

/* Every activation is seen, once for each picture; weights are not. */
START_TEST(all_pictures_are_counted)
{
    fixture f;
    dt_error err = { .text = "" };
    fixture_init(&f);
    ck_assert_msg(dt_inspect_activations(&f.s, &f.s.net.graph, 35, f.fit, &err) == DT_OK, "%s",
                  err.text);
    const dt_graph *g = &f.s.net.graph;
    int sites = 0;
    for (int i = 0; i < g->node_count; i++) {
        if (!g->node[i].op->quantizes) continue;
        const dt_fakequant_conf *c = g->node[i].conf;
        int64_t count = dt_shape_count(&g->value[g->node[i].in[0]].shape);
        ck_assert_int_eq(f.fit[i].count, c->site.weight ? 0 : 35 * count);
        ck_assert(c->site.weight || (f.fit[i].has_grid && f.fit[i].signal > f.fit[i].noise));
        sites += !c->site.weight;
    }
    ck_assert_int_eq(sites, 8);
    memset(f.fit, 0, (size_t)g->node_count * sizeof *f.fit);
    ck_assert_int_eq(dt_inspect_activations(&f.s, &f.s.net.graph, 1000, f.fit, &err),
                     DT_OK); /* there are 40 */
    int first = node_of(&f, "conv1.input_quant");
    ck_assert_int_eq(f.fit[first].count, 40 * 32 * 32 * 3);
    fixture_fini(&f);
}
END_TEST

DT_TEST_MAIN("inspect_activations", one_scale_by_hand, all_pictures_are_counted)
