/* Learned ranges of a net: around an update, and from a file. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/hold.h"

#include <math.h>
#include <string.h>

#include "tests/support/failalloc.h"
#include "tests/support/nets.h"

#define SITE "conv3.weight_quant"

typedef struct fixture {
    test_net t;
    dt_optim_state optim;
    dt_hold hold;
    dt_hold_event event;
    int events;
} fixture;

/* Scales of 1, gradients and momentum of 0. */
static void start(fixture *f)
{
    *f = (fixture){ .events = 0 };
    test_net_open(&f->t, TEST_LSQ("smallcnn", "paper"), true);
    const dt_graph *g = &f->t.net.graph;
    for (int i = 0; i < g->value_count; i++)
        if (g->value[i].role == DT_ROLE_QUANT) f->t.net.state.data[i][0] = 1;
    ck_assert_int_eq(dt_optim_state_init(&f->optim, &f->t.recipe->train, g, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_hold_init(&f->hold, g, NULL, NULL), DT_OK);
}

static void end(fixture *f)
{
    dt_hold_fini(&f->hold);
    dt_optim_state_fini(&f->optim);
    test_net_close(&f->t);
}

static dt_status count(void *arg, const dt_hold_event *e, dt_error *err)
{
    (void)err;
    fixture *f = arg;
    f->event = *e;
    f->events++;
    return DT_OK;
}

/* An update with this gradient of the site's scale. */
static void update(fixture *f, double grad, int64_t step)
{
    int scale = dt_graph_find(&f->t.net.graph, SITE ".scale");
    for (int i = 0; i < f->t.net.graph.value_count; i++)
        if (f->t.net.graph.value[i].kind == DT_VALUE_PARAM)
            memset(f->t.net.state.grad[i], 0,
                   (size_t)dt_shape_count(&f->t.net.graph.value[i].shape) * sizeof(real));
    f->t.net.state.grad[scale][0] = (real)grad;
    dt_hold_begin(&f->hold, &f->t.net.state);
    dt_optim_update(&f->optim, &f->t.net.state, 0.1, step);
    ck_assert_int_eq(
        dt_hold_end(&f->hold, &f->t.net.graph, &f->optim, &f->t.net.state, count, f, NULL), DT_OK);
}

START_TEST(an_update_past_zero_is_held_and_momentum_lets_go)
{
    fixture f;
    char names[200];
    start(&f);
    int scale = dt_graph_find(&f.t.net.graph, SITE ".scale");
    const real *s = f.t.net.state.data[scale];
    update(&f, 1, 0); /* 0.9: nothing of it */
    ck_assert(f.events == 0 && (double)*s > 0.89 && f.optim.buffer[0][scale][0] == 1);
    update(&f, 100, 1);
    ck_assert_int_eq(f.events, 1);
    ck_assert_int_eq(dt_hold_often(&f.hold, &f.t.net.graph, names, sizeof names), 1);
    ck_assert_str_eq(names, SITE " (1 of 2 steps)");
    ck_assert_str_eq(f.event.site, SITE);
    ck_assert_str_eq(f.event.parameter, "scale");
    ck_assert(f.event.first && !f.event.at_floor && f.event.updated < -9);
    ck_assert_double_eq_tol(f.event.held, 0.45, 1e-6);
    ck_assert(f.optim.buffer[0][scale][0] == 0);
    for (int i = 2; i < 20; i++)
        update(&f, 100, i);
    ck_assert_double_eq_tol((double)*s, 1.0 / 1024, 1e-8);
    ck_assert(f.event.first && f.event.at_floor); /* told once, however long it stays */
    ck_assert_int_lt(f.events, 12);
    ck_assert_int_eq(dt_hold_at_floor(&f.t.net.graph, &f.t.net.state, names, sizeof names), 1);
    ck_assert_str_eq(names, SITE);
    update(&f, -1, 20); /* and nothing keeps it there */
    ck_assert_double_eq_tol((double)*s, 0.1 + 1.0 / 1024, 1e-6);
    ck_assert_int_eq(dt_hold_at_floor(&f.t.net.graph, &f.t.net.state, names, sizeof names), 0);
    int64_t halved = f.hold.halved[scale];
    ck_assert_int_gt(halved, 5); /* down to the floor, which is no half */
    for (int i = 21; i < 21 * (int)halved; i++)
        update(&f, 0, i); /* many steps later they are few */
    ck_assert_int_eq(dt_hold_often(&f.hold, &f.t.net.graph, names, sizeof names), 0);
    end(&f);
}
END_TEST

START_TEST(memory_that_is_not_there)
{
    fixture f;
    start(&f);
    dt_hold h;
    failalloc a;
    for (size_t n = 1;; n++) {
        failalloc_init(&a, n);
        if (dt_hold_init(&h, &f.t.net.graph, &a.alloc, NULL) == DT_OK) break;
        ck_assert_uint_eq(a.live, 0);
    }
    dt_hold_fini(&h);
    ck_assert_uint_eq(a.live, 0);
    end(&f);
}
END_TEST

START_TEST(a_file_s_range_must_be_one)
{
    static const float bad[] = { -0.09F, 0, NAN, INFINITY, 1e-30F }, good[] = { 1e-9F, 1, 1e9F };
    fixture f;
    dt_error err;
    start(&f);
    const dt_graph *g = &f.t.net.graph;
    real *s = f.t.net.state.data[dt_graph_find(g, SITE ".scale")];
    for (size_t i = 0; i < DT_ARRAY_LEN(bad); i++) {
        *s = bad[i];
        ck_assert_int_eq(dt_net_check_ranges(g, &f.t.net.state, NULL, "a.pth", &err),
                         DT_ERR_NUMERIC);
        ck_assert_msg(strncmp(err.text, "a.pth: " SITE ".scale: is ", 34) == 0, "%s", err.text);
    }
    for (size_t i = 0; i < DT_ARRAY_LEN(good); i++) {
        *s = good[i];
        ck_assert_int_eq(dt_net_check_ranges(g, &f.t.net.state, NULL, "a.pth", &err), DT_OK);
        ck_assert(*s == good[i]);
    }
    end(&f);
}
END_TEST

DT_TEST_MAIN("hold", an_update_past_zero_is_held_and_momentum_lets_go, memory_that_is_not_there,
             a_file_s_range_must_be_one)
