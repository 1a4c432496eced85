/* SGD with momentum and L2 decay, in PyTorch's form (no dampening):
 *     d = g + lambda w;  v = mu v + d;  w -= lr v           (Nesterov: w -= lr (d + mu v))
 * The first step is v = d, because v starts at 0. The learning rate is outside v, so a change of it
 * does not rescale the velocity. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "optim/optimizer.h"

typedef struct {
    double lr, momentum, weight_decay;
    bool nesterov;
} conf;

static const dt_opt opts[] = {
    DT_OPT_FLOAT(conf, lr, 0.1, 0, 1000, "learning rate at the start of the schedule"),
    DT_OPT_FLOAT(conf, momentum, 0.9, 0, 1, "share of the velocity that is kept each step"),
    DT_OPT_BOOL(conf, nesterov, 0, "Nesterov's look-ahead"),
    DT_OPT_FLOAT(conf, weight_decay, 1e-4, 0, 10, "factor of the L2 penalty's gradient"),
    DT_OPT_END,
};

static void plain(size_t n, real lr, real decay, real mu, real *restrict w, const real *restrict g,
                  real *restrict v)
{
    for (size_t i = 0; i < n; i++) {
        real d = g[i] + decay * w[i];
        v[i] = mu * v[i] + d;
        w[i] -= lr * v[i];
    }
}

static void nesterov(size_t n, real lr, real decay, real mu, real *restrict w,
                     const real *restrict g, real *restrict v)
{
    for (size_t i = 0; i < n; i++) {
        real d = g[i] + decay * w[i];
        v[i] = mu * v[i] + d;
        w[i] -= lr * (d + mu * v[i]);
    }
}

static void step(const void *options, size_t n, real lr, real decay, real *w, const real *g,
                 real *const *state, int64_t t)
{
    (void)t;
    const conf *c = options;
    real mu = (real)c->momentum;
    if (c->nesterov)
        nesterov(n, lr, decay, mu, w, g, state[0]);
    else
        plain(n, lr, decay, mu, w, g, state[0]);
}

static const char *const state_names[] = { "momentum" };

const dt_optimizer dt_optimizer_sgd = {
    .row = { "sgd", "stochastic gradient descent with momentum (PyTorch's form)", opts,
             sizeof(conf) },
    .lr_offset = offsetof(conf, lr),
    .weight_decay_offset = offsetof(conf, weight_decay),
    .state_count = 1,
    .state_names = state_names,
    .pushes = 1u << 0,
    .step = step,
};
