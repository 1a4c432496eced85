/* Running mean of the weights (Polyak averaging): after every step, for each parameter and each
 * buffer that training moves, mean = d mean + (1 - d) value; evaluations of the run use the means.
 * d is min(decay, (1 + t) / (10 + t)) with `warmup`, so that early means follow; when quantizers
 * start anew, with other bits, so do the means and t. Checkpoints hold
 * the trained values, and the means as "dynamics/weight_ema/mean/<name>": model.init reads those
 * with model.ema. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/thread.h"
#include "dynamics/dynamics.h"

typedef struct conf {
    double decay;
    bool warmup;
} conf;

static const dt_opt opts[] = {
    /* A float holds no share nearer to 1, and one of 1 would never move the mean. */
    DT_OPT_FLOAT(conf, decay, 0.9999, 0, 0.9999999, "share of the mean that is kept each step"),
    DT_OPT_BOOL(conf, warmup, 1, "a smaller share at first: (1 + t) / (10 + t) at step t"),
    DT_OPT_END,
};

enum { CHUNK = 16384 };

typedef struct state {
    real **mean; /* by value, NULL: not kept */
    real *since; /* [1]: the step in which the means began */
} state;

static dt_status open(dt_dynamics_part *p, dt_error *err)
{
    dt_dynamics *d = p->all;
    state *s = p->state;
    s->mean = dt_dynamics_memory(d, sizeof *s->mean * (size_t)(d->graph->value_count + 1));
    for (int i = 0; s->mean && i < d->graph->value_count; i++) {
        const dt_value *v = &d->graph->value[i];
        if (v->kind != DT_VALUE_PARAM && v->kind != DT_VALUE_BUFFER) continue;
        s->mean[i] = dt_dynamics_tensor_new(d, &v->shape, "weight_ema", "mean", v->name);
        if (!s->mean[i]) s->mean = NULL;
    }
    s->since = dt_dynamics_tensor_new(d, &DT_SHAPE(1), "weight_ema", "step", "since");
    return s->mean && s->since ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
}

static void start(dt_dynamics_part *p)
{
    const dt_dynamics *d = p->all;
    const state *s = p->state;
    s->since[0] = (real)d->at.step;
    for (int i = 0; i < d->graph->value_count; i++)
        if (s->mean[i])
            memcpy(s->mean[i], d->state->data[i],
                   (size_t)dt_shape_count(&d->graph->value[i].shape) * sizeof(real));
}

typedef struct blend {
    const dt_dynamics *d;
    const real *x;
    real *y, keep;
    int64_t n;
} blend;

static void blend_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const blend *b = arg;
    int64_t left = b->n - i * CHUNK;
    b->d->kernels->weight.blend(left < CHUNK ? left : CHUNK, b->keep, b->x + i * CHUNK,
                                b->y + i * CHUNK);
}

static void step(dt_dynamics_part *p)
{
    const conf *c = p->conf;
    const dt_dynamics *d = p->all;
    const state *s = p->state;
    double t = (double)d->at.step - (double)s->since[0], early = (1 + t) / (10 + t);
    blend b = { .d = d, .keep = (real)(c->warmup && early < c->decay ? early : c->decay) };
    for (int i = 0; i < d->graph->value_count; i++) {
        if (!s->mean[i]) continue;
        b.n = dt_shape_count(&d->graph->value[i].shape);
        b.x = d->state->data[i];
        b.y = s->mean[i];
        dt_parallel(b.n > CHUNK ? d->threads : 1, (b.n + CHUNK - 1) / CHUNK, blend_task, &b);
    }
}

/* The net reads its values through one table, so this costs nothing. */
static void swap(dt_dynamics_part *p)
{
    const dt_dynamics *d = p->all;
    const state *s = p->state;
    for (int i = 0; i < d->graph->value_count; i++) {
        if (!s->mean[i]) continue;
        real *mean = s->mean[i];
        s->mean[i] = d->state->data[i];
        d->state->data[i] = mean;
    }
}

static dt_status before_eval(dt_dynamics_part *p, dt_error *err)
{
    (void)err;
    swap(p);
    return DT_OK;
}

const dt_dynamics_row dt_dynamics_weight_ema = {
    .row = { "weight_ema", "evaluates running means of the weights (Polyak averaging)", opts,
             sizeof(conf) },
    .state_size = sizeof(state),
    .open = open,
    .start = start,
    .step = step,
    .before_eval = before_eval,
    .after_eval = swap,
};
