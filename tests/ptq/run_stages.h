/* Stages of a recipe on a net with random weights and pictures. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_PTQ_RUN_STAGES_H
#define DT_TESTS_PTQ_RUN_STAGES_H

#include <math.h>

#include "core/rng.h"
#include "ptq/engine.h"
#include "tests/support/nets.h"

enum { STAGE_MAX = 16, UNIT_MAX = 64 };

typedef struct staged {
    test_net t;
    dt_kernels k;
    real *pictures;
    dt_ptq_choice stage[STAGE_MAX];
    dt_ptq_params p;
    dt_ptq_result result[UNIT_MAX];
    int results;
} staged;

static inline dt_status staged_unit(void *arg, const dt_ptq_result *r, dt_error *err)
{
    staged *s = arg;
    (void)err;
    ck_assert_int_lt(s->results, UNIT_MAX);
    s->result[s->results++] = *r;
    return DT_OK;
}

/* `recipe` has a section ptq; `model`: instead of its own, NULL: its own. */
static inline void staged_open_model(staged *s, const char *recipe, const dt_model *model,
                                     int threads)
{
    dt_rng rng;
    *s = (staged){ .results = 0 };
    test_net_open_model(&s->t, recipe, model, true);
    const dt_recipe_ptq *q = &s->t.recipe->ptq;
    ck_assert(q->enabled && q->stage_count <= STAGE_MAX);
    ck_assert_int_eq(dt_kernels_init(&s->k, *test_isa ? test_isa : NULL, NULL), DT_OK);
    size_t n = (size_t)q->images * 32 * 32 * 3;
    s->pictures = dt_get_array(NULL, n, sizeof *s->pictures, "test");
    dt_rng_open(&rng, 5, DT_RNG_TEST, 1, 0);
    for (size_t i = 0; i < n; i++)
        s->pictures[i] = (real)dt_rng_normal(&rng);
    for (size_t i = 0; i < q->stage_count; i++)
        s->stage[i] = (dt_ptq_choice){ q->stage[i].row, q->stage[i].conf };
    s->p = (dt_ptq_params){ .graph = &s->t.net.graph,
                            .state = &s->t.net.state,
                            .input = s->t.net.input,
                            .logits = s->t.net.logits,
                            .kernels = &s->k,
                            .threads = threads,
                            .seed = 3,
                            .pictures = s->pictures,
                            .count = q->images,
                            .batch = q->batch,
                            .stage = s->stage,
                            .stage_count = (int)q->stage_count,
                            .events = { .unit = staged_unit, .arg = s } };
}

static inline void staged_open(staged *s, const char *recipe, int threads)
{
    staged_open_model(s, recipe, NULL, threads);
}

/* One stage of the list by itself: behind the last one weights would go onto their grids. */
static inline void staged_run_one(staged *s, int stage)
{
    dt_error err = { .status = DT_OK };
    const dt_ptq_stage *row = (const dt_ptq_stage *)(const void *)s->p.stage[stage].row;
    dt_ptq q;
    ck_assert_int_eq(dt_ptq_init(&q, &s->p, NULL), DT_OK);
    if (!row->transforms) ck_assert_int_eq(dt_ptq_keep_origin(&q, NULL), DT_OK);
    ck_assert_msg(row->run(&q, s->p.stage[stage].conf, &err) == DT_OK, "%s", err.text);
    dt_ptq_fini(&q);
}

static inline void staged_close(staged *s)
{
    dt_put(NULL, s->pictures);
    test_net_close(&s->t);
}

static inline void staged_run(staged *s)
{
    dt_error err = { .status = DT_OK };
    ck_assert_msg(dt_ptq_run(&s->p, &err) == DT_OK, "%s", err.text);
}

/* Every quantized weight is where its quantizer puts it, to the bit. */
static inline void staged_check_grids(staged *s)
{
    dt_ptq q;
    int weights = 0;
    ck_assert_int_eq(dt_ptq_init(&q, &s->p, NULL), DT_OK);
    for (int i = 0; i < q.g->node_count; i++) {
        dt_ptq_weight w;
        if (!dt_ptq_weight_of(&q, &q.g->node[i], &w)) continue;
        const real *x = s->p.state->data[w.value];
        real *again = dt_get_array(NULL, (size_t)w.count, sizeof *again, "test");
        memcpy(again, x, sizeof *x * (size_t)w.count);
        dt_ptq_round_nearest(&q, &w, again);
        ck_assert_msg(memcmp(again, x, sizeof *x * (size_t)w.count) == 0, "%s: off its grid",
                      w.site->name);
        dt_put(NULL, again);
        weights++;
    }
    ck_assert_int_gt(weights, 0);
    dt_ptq_fini(&q);
}

#define STAGED_SMALL                                                                               \
    "model: {name: smallcnn, width: 6}\ndata: {name: builtin}\nquant: {placement: deploy, "        \
    "weights: {method: lsq, bits: 3, init: mse}, activations: {method: lsq, bits: 3, init: "       \
    "mse}}\n"

#endif
