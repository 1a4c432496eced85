/* Weights that oscillate (Nagel 2022, section 2): each has the loss (q - w*)^2 / 2 and goes down it
 * through the straight-through estimator, with LSQ at a fixed step. The net is a quantized
 * parameter and nothing else, or one with a batch norm folded into it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_DYNAMICS_TOY_H
#define DT_TESTS_DYNAMICS_TOY_H

#include <stdio.h>
#include <string.h>

#include "autograd/op_fold_norm.h"
#include "dynamics/dynamics.h"
#include "fakequant/quantizers.h"
#include "tests/support/run.h"

enum { TOY_MOST = 4, TOY_WEIGHTS = 64 };

typedef struct toy {
    dt_graph graph;
    dt_state state;
    dt_kernels kernels;
    dt_dynamics dynamics;
    unsigned char options[256], conf[TOY_MOST][64];
    dt_dynamics_choice choice[TOY_MOST];
    int w, scale, gamma, var; /* the last two: only if folded */
    const dt_fold_norm_conf *fold;
    bool moves;   /* the variance */
    int strength; /* of EWGS: a value, -1: none */
    real target[TOY_WEIGHTS], q[TOY_WEIGHTS];
    int64_t step, steps;
} toy;

static inline void toy_fold(toy *t, int *value)
{
    static const dt_fold_norm_conf conf = { 1e-5, false };
    const dt_value gamma = {
        .name = "bn.weight", .kind = DT_VALUE_PARAM, .shape = DT_SHAPE(4), .init = DT_INIT_ONE
    };
    dt_value var = gamma;
    var.name = "bn.running_var", var.kind = DT_VALUE_BUFFER;
    ck_assert_int_eq(dt_graph_value(&t->graph, &gamma, &t->gamma, NULL), DT_OK);
    ck_assert_int_eq(dt_graph_value(&t->graph, &var, &t->var, NULL), DT_OK);
    const int in[] = { t->w, t->gamma, t->var };
    t->fold = &conf;
    ck_assert_int_eq(
        dt_graph_node(&t->graph, "fold_norm", "layer.weight_quant.fold", &conf, in, 3, value, NULL),
        DT_OK);
}

/* What weight i is multiplied by before it is rounded. */
static inline double toy_factor(const toy *t, int i)
{
    int o = i / (TOY_WEIGHTS / 4);
    if (!t->fold) return 1;
    return dt_fold_norm_factor(t->fold, t->state.data[t->gamma][o], t->state.data[t->var][o]);
}

/* method: a quantizer, "lsq with ewgs", "lsq folded" or "lsq with ewgs folded". `rows`:
 * "oscillation momentum=0.01 | freezing end=0.1". Bits of the weights; LSQ unless said. */
static inline dt_status toy_open(toy *t, const char *rows, int bits, const char *method,
                                 int64_t steps, dt_error *err)
{
    char text[512], *row, *next = text;
    memset(t, 0, sizeof *t);
    t->steps = steps;
    ck_assert_int_eq(dt_kernels_init(&t->kernels, test_isa, NULL), DT_OK);
    ck_assert_int_eq(dt_graph_init(&t->graph, NULL, NULL), DT_OK);
    const dt_value w = { .name = "layer.weight",
                         .kind = DT_VALUE_PARAM,
                         .shape = DT_SHAPE(4, 1, 1, TOY_WEIGHTS / 4) };
    ck_assert_int_eq(dt_graph_value(&t->graph, &w, &t->w, NULL), DT_OK);
    char name_of[32] = "";
    sscanf(method, "%31s", name_of);
    bool ewgs = strstr(method, " with ewgs") != NULL;
    const dt_quantizer *q = dt_quantizer_of(dt_table_find(&dt_quantizers, name_of));
    int in[2 + DT_QUANT_MAX_PARAMS] = { t->w }, inputs = 1 + q->param_count, out;
    if (strstr(method, " folded")) toy_fold(t, &in[0]);
    for (int i = 0; i < q->param_count; i++) {
        char name[80];
        snprintf(name, sizeof name, "layer.weight_quant.%s", q->params[i].name);
        const dt_value p = { .name = name,
                             .kind = q->params[i].learned ? DT_VALUE_PARAM : DT_VALUE_BUFFER,
                             .shape = DT_SHAPE(1),
                             .init = DT_INIT_ONE };
        ck_assert_int_eq(dt_graph_value(&t->graph, &p, &in[1 + i], NULL), DT_OK);
    }
    t->scale = in[1];
    dt_opt_defaults(q->row.opts, t->options);
    t->strength = -1;
    if (ewgs) {
        const dt_value strength = { .name = "layer.weight_quant.strength",
                                    .kind = DT_VALUE_AUX,
                                    .shape = DT_SHAPE(1),
                                    .init = DT_INIT_NUMBER,
                                    .number = (real)0.001 };
        ck_assert_int_eq(dt_graph_value(&t->graph, &strength, &t->strength, NULL), DT_OK);
        in[inputs++] = t->strength;
    }
    const dt_fakequant_conf c = {
        .quantizer = q,
        .ste = { ewgs ? DT_STE_EWGS : DT_STE_OWN, 0 },
        .strength_in = ewgs,
        .options = t->options,
        .site = { .bits = bits, .is_signed = true, .weight = true, .groups = 1 }
    };
    ck_assert_int_eq(
        dt_graph_node(&t->graph, "fakequant", "layer.weight_quant", &c, in, inputs, &out, NULL),
        DT_OK);
    ck_assert_int_eq(dt_state_init(&t->state, &t->graph, true, 1, NULL, NULL), DT_OK);
    for (int i = 0; i < 4 && t->fold; i++) {
        t->state.data[t->gamma][i] = (real)(i % 2 ? -1.3 - 0.1 * i : 0.9 + 0.1 * i);
        t->state.data[t->var][i] = (real)(0.8 + 0.3 * i);
    }
    for (int i = 0; i < TOY_WEIGHTS; i++)
        t->state.data[t->w][i] = (real)0.13;
    int count = 0;
    snprintf(text, sizeof text, "%s", rows);
    while ((row = strtok_r(next, "|", &next))) {
        char *word, *rest = row;
        const dt_row *r = dt_table_find(&dt_dynamics_rows, strtok_r(rest, " ", &rest));
        ck_assert_ptr_nonnull(r);
        dt_opt_defaults(r->opts, t->conf[count]);
        while ((word = strtok_r(rest, " ", &rest))) {
            char *equals = strchr(word, '=');
            *equals = '\0';
            ck_assert_int_eq(
                dt_opt_set(dt_opt_find(r->opts, word), t->conf[count], equals + 1, NULL, NULL),
                DT_OK);
        }
        t->choice[count] = (dt_dynamics_choice){ r, t->conf[count] };
        count++;
    }
    const dt_dynamics_params p = { .graph = &t->graph,
                                   .state = &t->state,
                                   .kernels = &t->kernels,
                                   .threads = 2,
                                   .choice = t->choice,
                                   .count = count };
    DT_TRY(dt_dynamics_open(&t->dynamics, &p, err));
    dt_dynamics_start(&t->dynamics, &t->dynamics.at);
    return DT_OK;
}

static inline void toy_close(toy *t)
{
    dt_dynamics_close(&t->dynamics);
    dt_state_fini(&t->state);
    dt_graph_fini(&t->graph);
}

/* Forward and backward pass, and the hooks around them: gradients are q - w*, times the factor of a
 * folded batch norm, whose running variance the forward pass then moves. */
static inline void toy_backward(toy *t)
{
    const dt_dynamics_at at = { t->step++, 100, t->steps };
    real *w = t->state.data[t->w], *g = t->state.grad[t->w], s = t->state.data[t->scale][0];
    const dt_encode e = { .scale = s, .qmin = -8, .qmax = 7 };
    real x[TOY_WEIGHTS];
    dt_dynamics_forward(&t->dynamics);
    for (int i = 0; i < TOY_WEIGHTS; i++)
        x[i] = (real)((double)w[i] * toy_factor(t, i));
    t->kernels.point.encode(1, TOY_WEIGHTS, x, &e, t->q);
    for (int i = 0; i < TOY_WEIGHTS; i++)
        g[i] = (real)((double)(t->q[i] - t->target[i]) * toy_factor(t, i));
    for (int i = 0; i < 4 && t->moves; i++)
        t->state.data[t->var][i] = (real)(1 + 0.3 * (double)((t->step + i) % 5));
    t->state.grad[t->scale][0] = 0;
    dt_dynamics_gradient(&t->dynamics, &at);
}

/* One step down: w -= lr (q - w*), with decay, and all hooks. */
static inline void toy_step(toy *t, real lr, real decay)
{
    real *w = t->state.data[t->w];
    const real *g = t->state.grad[t->w];
    toy_backward(t);
    for (int i = 0; i < TOY_WEIGHTS; i++)
        w[i] -= lr * (g[i] + decay * w[i]);
    dt_dynamics_step(&t->dynamics);
}

#endif
