/* Layers of the result against the float net's; pictures against the first norm. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/ptq/run_stages.h"

enum { LAYERS = 16 };
typedef struct seen {
    dt_ptq_layer_result at[LAYERS];
    int count;
} seen;

static dt_status on_layer(void *arg, const dt_ptq_layer_result *r, dt_error *err)
{
    seen *s = arg;
    (void)err;
    ck_assert_int_lt(s->count, LAYERS);
    s->at[s->count++] = *r;
    return DT_OK;
}

#define NET(bits)                                                                                  \
    "model: {name: smallcnn, width: 6}\ndata: {name: builtin}\nquant: {placement: deploy, "        \
    "weights: {method: lsq, bits: " bits "}, activations: {method: lsq, bits: " bits               \
    "}}\nptq: {images: 16, batch: 8, stages: [{ranges: {weights: mse, activations: mse}}, "        \
    "norms]}\n"

/* Norms that are those of the pictures, behind quantizers that are ready. */
static void find_norms(staged *s)
{
    staged_run_one(s, 0);
    staged_run_one(s, 1);
}

static void run(const char *recipe, seen *out)
{
    staged s;
    staged_open(&s, recipe, 1);
    find_norms(&s);
    *out = (seen){ .count = 0 };
    s.p.events.unit = NULL;
    s.p.events.layer = on_layer;
    s.p.events.arg = out;
    s.p.stage_count = 1;
    staged_run(&s);
    staged_close(&s);
}

/* Fewer bits, more noise; at 8 bits the picture's own clipping is most of it. */
START_TEST(layers_are_told)
{
    static const char *const names[] = { "conv1", "conv2", "conv3", "conv4", "conv5", "fc" };
    seen eight, four;
    run(NET("8"), &eight);
    run(NET("4"), &four);
    ck_assert_int_eq(eight.count, 6);
    ck_assert_int_eq(four.count, 6);
    for (int i = 0; i < 6; i++) {
        ck_assert(eight.at[i].bits == 8 && eight.at[i].x_bits == 8 && eight.at[i].weights > 0);
        bool ends = i == 0 || i == 5;
        ck_assert_int_eq(four.at[i].bits, ends ? 8 : 4);
        ck_assert(eight.at[i].sqnr_db > 20 && eight.at[i].sqnr_db < 70);
        if (!ends) {
            double less = eight.at[i].sqnr_db - four.at[i].sqnr_db;
            ck_assert_msg(less > 6 && less < 36, "%s: %g dB less", names[i], less);
        }
    }
    ck_assert_double_eq_tol(eight.at[0].sqnr_db, four.at[0].sqnr_db, 1e-9);
}
END_TEST

START_TEST(norms_know_their_pictures)
{
    staged s;
    dt_ptq_gap gap;
    staged_open(&s, NET("8"), 1);
    find_norms(&s);
    ck_assert_int_eq(dt_ptq_first_norm(&s.p, &gap, NULL), DT_OK);
    ck_assert(gap.has && strcmp(gap.name, "bn1") == 0);
    ck_assert_double_eq_tol(gap.ratio, 1, 0.05);
    ck_assert_double_lt(gap.shift, 0.05);
    for (int64_t i = 0; i < s.p.count * 32 * 32 * 3; i++)
        s.pictures[i] = 0.2F * s.pictures[i];
    ck_assert_int_eq(dt_ptq_first_norm(&s.p, &gap, NULL), DT_OK);
    ck_assert_double_eq_tol(gap.ratio, 0.04, 0.004);
    staged_close(&s);
}
END_TEST

/* Nets with folded norms are told by the range that their file brought for the pictures. */
START_TEST(ranges_know_their_pictures)
{
    staged s;
    dt_ptq_gap gap;
    staged_open(&s, NET("8"), 1);
    find_norms(&s);
    ck_assert_int_eq(dt_ptq_first_norm(&s.p, &gap, NULL), DT_OK);
    ck_assert(!gap.has_range && dt_ptq_gap_fits(&gap)); /* whose ranges they are is not said */
    s.p.started = true;
    ck_assert_int_eq(dt_ptq_first_norm(&s.p, &gap, NULL), DT_OK);
    ck_assert_msg(gap.has_range && gap.site_low < -2 && gap.site_high > 2 && dt_ptq_gap_fits(&gap),
                  "%d %g %g, %g %g", gap.has_range, gap.site_low, gap.site_high, gap.read_low,
                  gap.read_high);
    gap.has = false;
    for (int64_t i = 0; i < s.p.count * 32 * 32 * 3; i++)
        s.pictures[i] = 127 + 40 * s.pictures[i];
    ck_assert_int_eq(dt_ptq_first_norm(&s.p, &gap, NULL), DT_OK);
    gap.has = false;
    ck_assert(gap.read_high > 200 && !dt_ptq_gap_fits(&gap));
    staged_close(&s);
}
END_TEST

/* A net without batch norms says nothing. */
START_TEST(no_norm_no_word)
{
    staged s;
    dt_ptq_gap gap = { .has = true };
    staged_open(&s,
                "model: {name: vit, patch: 8, dim: 48, depth: 1, heads: 3}\ndata: {name: builtin}\n"
                "quant: {weights: {method: lsq, bits: 8}, activations: {method: lsq, bits: 8}}\n"
                "ptq: {images: 4, batch: 4}\n",
                1);
    ck_assert_int_eq(dt_ptq_first_norm(&s.p, &gap, NULL), DT_OK);
    ck_assert(!gap.has);
    staged_close(&s);
}
END_TEST

DT_TEST_MAIN("layers", layers_are_told, norms_know_their_pictures, ranges_know_their_pictures,
             no_norm_no_word)
