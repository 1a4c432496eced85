/* Which parameters decay, and at which rate each moves. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/optim_state.h"

#include <math.h>
#include <string.h>

#include "tests/support/failalloc.h"
#include "tests/support/run.h"

enum { WEIGHT, BIAS, QUANT, COUNT };

typedef struct fixture {
    dt_graph graph;
    dt_state state;
    dt_recipe_train conf;
    dt_optim_state optim;
    int id[COUNT];
} fixture;

/* One number each, at 2, with gradient `g`. */
static void start(fixture *f, double quant_lr, bool decay_norm, bool quant_decay, real g)
{
    static const dt_role roles[COUNT] = { DT_ROLE_WEIGHT, DT_ROLE_BIAS, DT_ROLE_QUANT };
    static const char *const names[COUNT] = { "weight", "bias", "scale" };
    const dt_row *row = dt_table_find(&dt_optimizers, "sgd");
    void *options = dt_get(NULL, row->conf_size, "test");
    dt_opt_defaults(row->opts, options);
    ck_assert_int_eq(
        dt_opt_set(dt_opt_find(row->opts, "weight_decay"), options, "0.25", NULL, NULL), DT_OK);
    *f = (fixture){ .conf = { .optimizer = { row, options },
                              .quant_lr = quant_lr,
                              .decay_norm = decay_norm,
                              .quant_decay = quant_decay } };
    ck_assert_int_eq(dt_graph_init(&f->graph, NULL, NULL), DT_OK);
    for (int i = 0; i < COUNT; i++) {
        const dt_value v = {
            .name = names[i], .kind = DT_VALUE_PARAM, .shape = DT_SHAPE(1), .role = roles[i]
        };
        ck_assert_int_eq(dt_graph_value(&f->graph, &v, &f->id[i], NULL), DT_OK);
    }
    ck_assert_int_eq(dt_state_init(&f->state, &f->graph, true, 1, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_optim_state_init(&f->optim, &f->conf, &f->graph, NULL, NULL), DT_OK);
    for (int i = 0; i < COUNT; i++) {
        f->state.data[f->id[i]][0] = 2;
        f->state.grad[f->id[i]][0] = g;
    }
}

static real value(const fixture *f, int which)
{
    return f->state.data[f->id[which]][0];
}

static void end(fixture *f)
{
    dt_optim_state_fini(&f->optim);
    dt_state_fini(&f->state);
    dt_graph_fini(&f->graph);
    dt_put(NULL, f->conf.optimizer.conf);
}

START_TEST(only_weights_decay_unless_told)
{
    fixture f;
    start(&f, 1, false, false, 0);
    dt_optim_update(&f.optim, &f.state, 0.5, 0);
    ck_assert(value(&f, WEIGHT) == (real)1.75); /* 2 - 0.5 * 0.25 * 2 */
    ck_assert(value(&f, BIAS) == 2 && value(&f, QUANT) == 2);
    end(&f);
    start(&f, 1, true, true, 0);
    dt_optim_update(&f.optim, &f.state, 0.5, 0);
    ck_assert(value(&f, BIAS) == (real)1.75 && value(&f, QUANT) == (real)1.75);
    end(&f);
}
END_TEST

/* Names by pattern: the last one that matches; decay as the run has it; what stays is told, and a
 * pattern that matches nothing. */
START_TEST(patterns_name_parameters)
{
    fixture f;
    dt_error err = { .text = "" };
    start(&f, 1, false, false, 1);
    dt_recipe_named_group named[] = { { "w*", f.conf.optimizer }, { "b?as", f.conf.optimizer } };
    dt_optim_state_fini(&f.optim);
    f.conf.named = named;
    f.conf.named_count = 2;
    f.conf.freeze = (dt_opt_words){ .count = 1, .value = { "sc*" } };
    ck_assert_int_eq(dt_optim_state_init(&f.optim, &f.conf, &f.graph, NULL, NULL), DT_OK);
    ck_assert(f.optim.of[f.id[WEIGHT]].decay == 0.25 && f.optim.of[f.id[BIAS]].decay == 0);
    ck_assert(f.optim.of[f.id[BIAS]].rate == 1);
    ck_assert(f.optim.frozen[f.id[QUANT]] && !f.optim.frozen[f.id[WEIGHT]]);
    dt_optim_state_fini(&f.optim);
    f.conf.freeze = (dt_opt_words){ .count = 1, .value = { "*" } };
    ck_assert_int_eq(dt_optim_state_init(&f.optim, &f.conf, &f.graph, NULL, &err), DT_ERR_RANGE);
    ck_assert_str_eq(err.text, "train.freeze: leaves no parameter to train");
    f.conf.freeze = (dt_opt_words){ .count = 1, .value = { "fc.*" } };
    ck_assert_int_eq(dt_optim_state_init(&f.optim, &f.conf, &f.graph, NULL, &err),
                     DT_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "train.freeze: 'fc.*' matches no parameter"));
    f.conf.freeze.count = 0;
    named[0].pattern = "scale"; /* groups of patterns are for other parameters than quantizers' */
    ck_assert_int_eq(dt_optim_state_init(&f.optim, &f.conf, &f.graph, NULL, &err),
                     DT_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "train.groups.scale: no parameter is in this group"));
    end(&f);
}
END_TEST

START_TEST(quantizers_have_their_rate)
{
    fixture f;
    start(&f, 0.125, false, false, 1);
    dt_optim_update(&f.optim, &f.state, 0.5, 0);
    ck_assert(value(&f, BIAS) == (real)1.5 && value(&f, QUANT) == (real)1.9375);
    end(&f);
}
END_TEST

START_TEST(clipping_keeps_the_direction)
{
    fixture f;
    start(&f, 1, false, false, 0);
    const real g[COUNT] = { 2, -3, 6 }; /* norm 7 */
    for (int i = 0; i < COUNT; i++)
        f.state.grad[f.id[i]][0] = g[i];
    ck_assert(fabs(dt_optim_clip(&f.state, 8) - 7) < 1e-12);
    ck_assert(f.state.grad[f.id[2]][0] == 6);
    ck_assert(fabs(dt_optim_clip(&f.state, 3.5) - 7) < 1e-12);
    for (int i = 0; i < COUNT; i++)
        ck_assert(fabs((double)f.state.grad[f.id[i]][0] - (double)g[i] / 2) < 1e-6);
    f.conf.clip_norm = 0.7;
    dt_optim_update(&f.optim, &f.state, 1, 0);
    ck_assert(fabs((double)value(&f, BIAS) - 2.3) < 1e-6);
    end(&f);
}
END_TEST

/* What no backward pass wrote is neither stepped nor decayed, its buffers rest, and a norm of
 * gradients does not count what lay there before. */
/* Ten updates of a parameter of several tasks. The caller frees what comes back, [LARGE]. */
enum { LARGE = 200001 };
static real *update_large(int threads)
{
    const dt_value large = {
        .name = "w", .kind = DT_VALUE_PARAM, .shape = DT_SHAPE(LARGE), .role = DT_ROLE_WEIGHT
    };
    const dt_row *row = dt_table_find(&dt_optimizers, "adamw");
    void *options = dt_get(NULL, row->conf_size, "test");
    dt_opt_defaults(row->opts, options);
    fixture f = { .conf = { .optimizer = { row, options }, .quant_lr = 1 } };
    ck_assert_int_eq(dt_graph_init(&f.graph, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_graph_value(&f.graph, &large, &f.id[0], NULL), DT_OK);
    ck_assert_int_eq(dt_state_init(&f.state, &f.graph, true, 1, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_optim_state_init(&f.optim, &f.conf, &f.graph, NULL, NULL), DT_OK);
    f.optim.threads = threads;
    real *w = f.state.data[f.id[0]], *out = dt_get_array(NULL, LARGE, sizeof *out, "test");
    for (int64_t step = 0; step < 10; step++) {
        for (int i = 0; i < LARGE; i++)
            f.state.grad[f.id[0]][i] = (real)(i % 97 - 40) + w[i];
        dt_optim_update(&f.optim, &f.state, 0.01, step);
    }
    memcpy(out, w, LARGE * sizeof *out);
    end(&f);
    return out;
}

START_TEST(threads_change_no_bit)
{
    real *one = update_large(1), *none = update_large(0), *three = update_large(3);
    ck_assert(one[0] > 0.05F && one[60] < -0.05F && one[LARGE - 1] < -0.05F);
    ck_assert_mem_eq(one, three, LARGE * sizeof *one);
    ck_assert_mem_eq(one, none, LARGE * sizeof *one);
    dt_put(NULL, one);
    dt_put(NULL, none);
    dt_put(NULL, three);
}
END_TEST

START_TEST(without_a_gradient_nothing_moves)
{
    fixture f;
    start(&f, 1, true, true, 3);
    dt_optim_update(&f.optim, &f.state, 0.5, 0);
    const real scale = value(&f, QUANT), velocity = f.optim.buffer[0][f.id[QUANT]][0];
    f.state.grad[f.id[QUANT]] = NULL;
    f.state.grad_memory[f.id[QUANT]][0] = 1000;
    for (int i = 0; i < QUANT; i++)
        f.state.grad[f.id[i]][0] = (real)(i == WEIGHT ? 3 : 4);
    ck_assert(fabs(dt_optim_clip(&f.state, 5) - 5) < 1e-12);
    dt_optim_update(&f.optim, &f.state, 0.5, 1);
    ck_assert(value(&f, QUANT) == scale && f.optim.buffer[0][f.id[QUANT]][0] == velocity);
    ck_assert(value(&f, BIAS) != 2);
    end(&f);
}
END_TEST

START_TEST(no_memory)
{
    fixture f;
    start(&f, 1, false, false, 0);
    dt_status st = DT_ERR_NOMEM;
    for (size_t at = 1; st == DT_ERR_NOMEM; at++) {
        failalloc a;
        dt_optim_state o;
        failalloc_init(&a, at);
        st = dt_optim_state_init(&o, &f.conf, &f.graph, &a.alloc, NULL);
        ck_assert(a.calls < at ? st == DT_OK : st == DT_ERR_NOMEM);
        if (st == DT_OK) dt_optim_state_fini(&o);
        ck_assert_uint_eq(a.live, 0);
    }
    end(&f);
}
END_TEST

/* lr 0.1 of the run, 0.02 and decay 0.5 of the group, at a rate of the run of 0.05: half way down
 * the schedule. v = g + 0.5 w; w -= 0.01 v. */
START_TEST(a_group_has_its_own_optimizer)
{
    fixture f;
    const dt_row *row = dt_table_find(&dt_optimizers, "sgd");
    void *options = dt_get(NULL, row->conf_size, "test");
    dt_opt_defaults(row->opts, options);
    ck_assert_int_eq(dt_opt_set(dt_opt_find(row->opts, "lr"), options, "0.02", NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_opt_set(dt_opt_find(row->opts, "weight_decay"), options, "0.5", NULL, NULL),
                     DT_OK);
    start(&f, 7, false, false, 1);
    dt_optim_state_fini(&f.optim);
    f.conf.group[DT_GROUP_QUANT] = (dt_recipe_choice){ row, options };
    ck_assert_int_eq(dt_optim_state_init(&f.optim, &f.conf, &f.graph, NULL, NULL), DT_OK);
    dt_optim_update(&f.optim, &f.state, 0.05, 0);
    ck_assert_double_eq_tol((double)value(&f, QUANT), 2 - .01 * (1 + .5 * 2), 1e-6);
    ck_assert_double_eq_tol((double)value(&f, WEIGHT), 2 - .05 * (1 + .25 * 2), 1e-6);
    dt_optim_state_fini(&f.optim);
    /* No node reads the scale, so it belongs to no side. */
    dt_error err = { .status = DT_OK };
    f.conf.group[DT_GROUP_QUANT_WEIGHTS] = (dt_recipe_choice){ row, options };
    ck_assert_int_eq(dt_optim_state_init(&f.optim, &f.conf, &f.graph, NULL, &err),
                     DT_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "train.groups.quant_weights: no learned parameter"));
    end(&f);
    dt_put(NULL, options);
}
END_TEST

/* The scale in a group of AdamW without decay; its buffers are not made yet. */
static void start_group(fixture *f)
{
    const dt_row *row = dt_table_find(&dt_optimizers, "adamw");
    void *options = dt_get(NULL, row->conf_size, "test");
    dt_opt_defaults(row->opts, options);
    ck_assert_int_eq(dt_opt_set(dt_opt_find(row->opts, "weight_decay"), options, "0", NULL, NULL),
                     DT_OK);
    start(f, 1, false, false, 1);
    dt_optim_state_fini(&f->optim);
    f->conf.group[DT_GROUP_QUANT] = (dt_recipe_choice){ row, options };
}

/* AdamW's first step is lr sign(g), whenever it comes. */
START_TEST(updates_count_from_where_a_parameter_joins)
{
    fixture f;
    start_group(&f);
    ck_assert_int_eq(dt_optim_state_init(&f.optim, &f.conf, &f.graph, NULL, NULL), DT_OK);
    for (int64_t step = 0; step < 3; step++) /* of another size, before */
        dt_optim_update(&f.optim, &f.state, 0, step);
    f.state.grad[f.id[QUANT]][0] = (real)-0.01;
    dt_optim_join(&f.optim, f.id[QUANT], 500);
    dt_optim_restart(&f.optim, &f.graph, 500);
    dt_optim_update(&f.optim, &f.state, dt_optimizer_lr(f.optim.optimizer, f.conf.optimizer.conf),
                    500);
    ck_assert_double_eq_tol((double)value(&f, QUANT), 2 + 1e-3, 1e-6);
    dt_put(NULL, f.conf.group[DT_GROUP_QUANT].conf);
    end(&f);
}
END_TEST

START_TEST(a_group_without_a_schedule_is_refused)
{
    fixture f;
    dt_error err = { .status = DT_OK };
    start_group(&f);
    const dt_opt *lr = dt_opt_find(f.conf.optimizer.row->opts, "lr");
    ck_assert_int_eq(dt_opt_set(lr, f.conf.optimizer.conf, "0", NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_optim_state_init(&f.optim, &f.conf, &f.graph, NULL, &err), DT_ERR_RANGE);
    ck_assert_msg(strstr(err.text, "train.groups.quant: lr 0.001 follows") != NULL, "%s", err.text);
    dt_put(NULL, f.conf.group[DT_GROUP_QUANT].conf);
    end(&f);
}
END_TEST

DT_TEST_MAIN("optim_state", a_group_without_a_schedule_is_refused,
             updates_count_from_where_a_parameter_joins, a_group_has_its_own_optimizer,
             only_weights_decay_unless_told, patterns_name_parameters,
             without_a_gradient_nothing_moves, quantizers_have_their_rate,
             clipping_keeps_the_direction, threads_change_no_bit, no_memory)
