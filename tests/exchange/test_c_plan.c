/* Memory of a C export: nothing that is still read is written over. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/c99/c_plan.h"

#include "tests/integer/models.h"
#include "tests/support/run.h"

typedef struct span {
    size_t from, to;
} span;

static span of_value(const dt_c_plan *p, int value)
{
    size_t from = (size_t)p->offset[value];
    return (span){ from, from + (size_t)dt_int_count(&p->model->value[value]) };
}

static bool meet(span a, span b)
{
    return a.from < b.to && b.from < a.to;
}

static bool is_read_after(const dt_c_plan *p, int value, int step)
{
    for (int i = step + 1; i < p->steps; i++)
        if (p->step[i].in[0] == value || p->step[i].in[1] == value) return true;
    return false;
}

/* Elementwise steps may write where they read. */
static bool in_place(const dt_c_step *s)
{
    return int_is(s->node, "add") || int_is(s->node, "table");
}

static void check(const testnet *t)
{
    dt_c_plan p;
    dt_error err = { .text = "" };
    dt_int_model *m = int_model(t, "fp32");
    dt_arena *arena = dt_arena_new(NULL, "test");
    ck_assert_msg(dt_c_plan_make(m, arena, &p, &err) == DT_OK, "%s", err.text);
    for (int i = 1; i < p.steps; i++) {
        const dt_c_step *s = &p.step[i];
        const span work = { s->work, s->work + s->work_bytes };
        bool stored = s->node->out != m->logits;
        ck_assert_int_eq(p.offset[s->node->out] >= 0, stored);
        const span y = stored ? of_value(&p, s->node->out) : (span){ 0, 0 };
        ck_assert(y.to <= p.arena_bytes && work.to <= p.arena_bytes);
        ck_assert(!meet(work, y));
        for (int k = 1; k < i; k++) { /* earlier values that are read here or later */
            int value = p.step[k].node->out;
            bool here = s->in[0] == value || s->in[1] == value;
            bool later = is_read_after(&p, value, i);
            if (here || later) ck_assert(!meet(work, of_value(&p, value)));
            if (later || (here && !in_place(s))) ck_assert(!meet(y, of_value(&p, value)));
        }
    }
    ck_assert_int_eq(p.offset[p.step[0].node->out], -1);
    dt_arena_free(arena);
    dt_int_model_free(m);
}

START_TEST(lives_that_meet_do_not_share)
{
    testnet t;
    testnet_init(&t, RECIPE_RESNET RECIPE_W4A4);
    check(&t);
    testnet_fini(&t);
    testnet_init_model(&t, RECIPE_SMALL RECIPE_BITS("4"), &odd_model);
    check(&t);
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("c_plan", lives_that_meet_do_not_share)
