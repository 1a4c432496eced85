/* Gradient centralization (Yong, Huang, Hua, Zhang 2020, arXiv:2004.01461, eq. 1): before the
 * update the gradient of every weight matrix and convolution loses its mean over all that goes into
 * an output, so the sum of an output's weights stays where decay alone does not move it.
 *
 * Deviation: with momentum and decay in the optimizer, as in the authors' code, it is the gradient
 * of the loss that is centred; rows of this table after this one add to it as they are. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/thread.h"
#include "dynamics/dynamics.h"

typedef struct work {
    real *grad; /* [O,each] */
    int64_t each;
} work;

/* Sums in index order, in double: one output is one task. */
static void output(void *arg, int64_t o, int thread)
{
    (void)thread;
    const work *w = arg;
    real *g = w->grad + o * w->each;
    double sum = 0;
    for (int64_t i = 0; i < w->each; i++)
        sum += (double)g[i];
    for (int64_t i = 0; i < w->each; i++)
        g[i] = (real)((double)g[i] - sum / (double)w->each);
}

static void gradient(dt_dynamics_part *p)
{
    const dt_dynamics *d = p->all;
    for (int i = 0; i < d->graph->value_count; i++) {
        const dt_value *v = &d->graph->value[i];
        if (v->kind != DT_VALUE_PARAM || v->role != DT_ROLE_WEIGHT || v->shape.rank < 2) continue;
        work w = { d->state->grad[i], dt_shape_count(&v->shape) / v->shape.dim[0] };
        if (w.grad) dt_parallel(d->threads, v->shape.dim[0], output, &w);
    }
}

extern const dt_dynamics_row dt_dynamics_centralize;
const dt_dynamics_row dt_dynamics_centralize = {
    .row = { "centralize",
             "gradients of weights without their mean over an output (Yong 2020, arXiv:2004.01461)",
             NULL, 0 },
    .gradient = gradient,
};
