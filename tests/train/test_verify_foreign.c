/* Another program's codes in the float network: its own are found equal, another is found. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/verify_foreign.h"

#include <math.h>
#include <string.h>

#include "tests/support/run.h"
#include "train/net/session.h"

enum { PICTURES = 5 };

typedef struct setup {
    dt_recipe *recipe;
    dt_session s;
    dt_loader *loader;
    dt_batch batch;
    dt_lowered *l;
    dt_foreign v;
    uint8_t *codes; /* of the network with onnxruntime's softmax */
    uint8_t *shares;
    real logits[PICTURES * 10];
} setup;

static const char recipe_text[] =
    "{model: {name: vit, patch: 16, dim: 12, heads: 2, depth: 2}, data: {name: builtin, batch: 16, "
    "train_pictures: 16, test_pictures: 50}, quant: {weights: {method: lsq, bits: 4}, activations: "
    "{method: lsq, bits: 4}}}";

/* The softmax on codes, in the place of the network's. */
static void run_softmax(setup *t, const dt_foreign_site *s, const real *x)
{
    dt_shares shares;
    int64_t C = s->shape.dim[s->shape.rank - 1], count = PICTURES * dt_shape_count(&s->shape);
    dt_shares_init(&shares, &s->x, &s->grid, C);
    for (int64_t i = 0; i < count; i++)
        t->shares[i] = (uint8_t)dt_grid_encode(&s->x, (float)x[i]);
    for (int64_t i = 0; i < count; i += C)
        dt_shares_row(&shares, t->shares + i, C, t->shares + i);
}

/* Keeps the codes in the order of the sites. */
static dt_status keep_codes(void *arg, const dt_node *node, const dt_op_run *run, bool after,
                            dt_error *err)
{
    setup *t = arg;
    int at = t->v.site_of[node - t->s.net.graph.node];
    uint8_t *to = t->codes;
    (void)err;
    for (int i = 0; i < t->v.site_count && !after; i++)
        if (t->v.site[i].softmax == node) run_softmax(t, &t->v.site[i], run->in[0]);
    if (!after || at < 0) return DT_OK;
    for (int i = 0; i < at; i++)
        to += PICTURES * dt_shape_count(&t->v.site[i].shape);
    const dt_foreign_site *s = &t->v.site[at];
    real *y = run->out[0];
    for (int64_t i = 0; i < PICTURES * dt_shape_count(&s->shape); i++) {
        to[i] = s->softmax ? t->shares[i] : (uint8_t)dt_grid_encode(&s->grid, (float)y[i]);
        y[i] = (real)dt_grid_value(&s->grid, to[i]);
    }
    return DT_OK;
}

static void run_alone(setup *t)
{
    dt_evaluator e;
    ck_assert_int_eq(dt_evaluator_init(&e, &t->s.net, &t->s.net.graph, &t->s.kernels,
                                       DT_VERIFY_BATCH, 1, NULL, NULL, NULL),
                     DT_OK);
    e.exec.hook = keep_codes;
    e.exec.hook_arg = t;
    dt_evaluator_feed(&e, &t->batch, t->batch.valid);
    ck_assert_int_eq(dt_exec_forward(&e.exec, NULL), DT_OK);
    memcpy(t->logits, dt_exec_value(&e.exec, t->s.net.logits), sizeof t->logits);
    dt_evaluator_fini(&e);
}

static void set_up(setup *t)
{
    dt_error err = { .status = DT_OK };
    int flipped, small;
    const dt_recipe_params p = { .tables = &dt_tables, .path = "test.yaml", .text = recipe_text };
    ck_assert_msg(dt_recipe_read(&p, &t->recipe, &err) == DT_OK, "%s", err.text);
    const dt_session_params sp = { .recipe = t->recipe, .threads = 1 };
    ck_assert_msg(dt_session_open(&t->s, &sp, &err) == DT_OK, "%s", err.text);
    ck_assert_int_eq(dt_session_calibrate(&t->s, NULL, NULL, &flipped, &small, NULL), DT_OK);
    ck_assert_int_eq(dt_session_loader(&t->s, DT_SPLIT_TEST, DT_VERIFY_BATCH, &t->loader, NULL),
                     DT_OK);
    ck_assert_int_eq(dt_loader_seek(t->loader, 0, 0, NULL), DT_OK);
    ck_assert_int_eq(dt_loader_next(t->loader, &t->batch, NULL), DT_OK);
    const dt_net *n = &t->s.net;
    const dt_lower_source low = { &n->graph, &n->state, n->input, n->logits, NULL };
    ck_assert_int_eq(dt_lower_new(&low, &t->l, NULL), DT_OK);
    ck_assert_int_eq(dt_foreign_init(&t->v, &t->s.net, t->l, &t->s.kernels, 1, NULL, NULL), DT_OK);
    t->codes = dt_get(NULL, (size_t)(PICTURES * dt_foreign_codes(&t->v)), "test");
    t->shares = dt_get(NULL, (size_t)(PICTURES * dt_foreign_codes(&t->v)), "test");
    ck_assert(t->codes && t->shares);
    run_alone(t);
}

static void tear_down(setup *t)
{
    dt_put(NULL, t->codes);
    dt_put(NULL, t->shares);
    dt_foreign_fini(&t->v);
    dt_lower_free(t->l);
    dt_loader_close(t->loader);
    dt_session_close(&t->s);
    dt_recipe_free(t->recipe);
}

static void compare(setup *t)
{
    ck_assert_int_eq(dt_foreign_batch(&t->v, &t->batch, PICTURES, t->codes, t->logits, NULL),
                     DT_OK);
}

static int site_named(const setup *t, const char *name)
{
    for (int i = 0; i < t->v.site_count; i++)
        if (strcmp(t->v.site[i].node->name, name) == 0) return i;
    return -1;
}

START_TEST(its_own_codes_are_equal)
{
    setup t;
    set_up(&t);
    compare(&t);
    ck_assert_int_eq(dt_foreign_first(&t.v), -1);
    ck_assert(t.v.pictures == PICTURES && t.v.same[0] == PICTURES);
    ck_assert(t.v.score.sum[0][0] == t.v.score_foreign.sum[0][0]);
    for (int i = 0; i < t.v.site_count; i++) {
        const dt_foreign_site *s = &t.v.site[i];
        ck_assert(s->checked == PICTURES * dt_shape_count(&s->shape) && s->differ == 0);
    }
    /* the sum of class token and positions is the same for every picture */
    ck_assert_int_eq(site_named(&t, "embed.skip_quant"), -1);
    ck_assert(t.v.site[site_named(&t, "patch_embed.proj.input_quant")].is_map);
    ck_assert(!t.v.site[site_named(&t, "blocks.0.attn.probs_quant")].is_map);
    tear_down(&t);
}
END_TEST

/* Where a float value lies at the middle of two codes either is right, elsewhere none but its own. */
START_TEST(ties_are_told_apart)
{
    setup t;
    int64_t before = 0;
    set_up(&t);
    int at = site_named(&t, "patch_embed.proj.input_quant");
    const dt_foreign_site *s = &t.v.site[at];
    for (int i = 0; i < at; i++)
        before += PICTURES * dt_shape_count(&t.v.site[i].shape);
    int64_t count = PICTURES * dt_shape_count(&s->shape);
    for (int64_t i = 0; i < count; i++) /* a neighbour of each */
        t.codes[before + i] = (uint8_t)(t.codes[before + i] ^ 1);
    compare(&t);
    ck_assert(s->differ + s->ties == count && s->largest == 1);
    ck_assert_msg(s->ties > 0 && s->differ > 60 * s->ties, "%d ties of %d", (int)s->ties, (int)count);
    ck_assert_int_eq(dt_foreign_first(&t.v), -1);
    tear_down(&t);
}
END_TEST

/* A code that is known exactly may not be another, not by one. */
START_TEST(a_softmax_is_exact)
{
    setup t;
    int64_t before = 0;
    set_up(&t);
    int at = site_named(&t, "blocks.0.attn.probs_quant");
    ck_assert(at >= 0 && t.v.site[at].softmax);
    for (int i = 0; i < at; i++)
        before += PICTURES * dt_shape_count(&t.v.site[i].shape);
    t.codes[before]++;
    compare(&t);
    ck_assert_int_eq(dt_foreign_first(&t.v), at);
    ck_assert(t.v.site[at].differ == 1 && t.v.site[at].largest == 1);
    tear_down(&t);
}
END_TEST

START_TEST(another_code_is_found_where_it_came)
{
    setup t;
    int64_t before = 0;
    set_up(&t);
    int at = site_named(&t, "blocks.1.attn.scores_quant");
    ck_assert_int_ge(at, 0);
    for (int i = 0; i < at; i++)
        before += PICTURES * dt_shape_count(&t.v.site[i].shape);
    t.codes[before + 3] = (uint8_t)(t.codes[before + 3] ^ 64);
    for (int i = 0; i < 10; i++)
        t.logits[i] = -t.logits[i];
    compare(&t);
    ck_assert_int_eq(dt_foreign_first(&t.v), at);
    ck_assert(t.v.site[at].differ == 1 && t.v.site[at].largest == 64);
    ck_assert(t.v.site[at - 1].differ == 0);
    ck_assert(t.v.same[0] == PICTURES - 1);
    tear_down(&t);
}
END_TEST

DT_TEST_MAIN("verify_foreign", its_own_codes_are_equal, a_softmax_is_exact, ties_are_told_apart,
             another_code_is_found_where_it_came)
