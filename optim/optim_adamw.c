/* AdamW (Loshchilov, Hutter 2019, arXiv:1711.05101, algorithm 2) in PyTorch's form: the decay is
 * apart from the gradient and scaled by the learning rate. w -= lr lambda w;  m = b1 m + (1 - b1)
 * g;  v = b2 v + (1 - b2) g^2 w -= lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps),  t from 1
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <tgmath.h>

#include "optim/optimizer.h"

typedef struct {
    double lr, beta1, beta2, eps, weight_decay;
} conf;

static const dt_opt opts[] = {
    DT_OPT_FLOAT(conf, lr, 1e-3, 0, 1000, "learning rate at the start of the schedule"),
    DT_OPT_FLOAT(conf, beta1, 0.9, 0, 0.9999, "share of the mean gradient that is kept each step"),
    DT_OPT_FLOAT(conf, beta2, 0.999, 0, 0.99999, "the same of the mean squared gradient"),
    DT_OPT_FLOAT(conf, eps, 1e-8, 1e-16, 1, "added to the root of the mean square"),
    DT_OPT_FLOAT(conf, weight_decay, 0.05, 0, 10, "times the learning rate, of the weight itself"),
    DT_OPT_END,
};

/* x^n by squaring: the same bits everywhere. */
static double power(double x, int64_t n)
{
    double y = 1;
    for (; n > 0; n >>= 1, x *= x)
        if (n & 1) y *= x;
    return y;
}

static void step(const void *options, size_t n, real lr, real decay, real *restrict w,
                 const real *restrict g, real *const *state, int64_t t)
{
    const conf *c = options;
    real *restrict m = state[0], *restrict v = state[1];
    const real b1 = (real)c->beta1, b2 = (real)c->beta2, eps = (real)c->eps;
    const real a1 = (real)(1 - c->beta1), a2 = (real)(1 - c->beta2), keep = 1 - lr * decay;
    const real size = (real)((double)lr / (1 - power(c->beta1, t + 1)));
    const real root = (real)(1 / sqrt(1 - power(c->beta2, t + 1)));
    for (size_t i = 0; i < n; i++) {
        m[i] = b1 * m[i] + a1 * g[i];
        v[i] = b2 * v[i] + a2 * (g[i] * g[i]);
        w[i] = keep * w[i] - size * (m[i] / (sqrt(v[i]) * root + eps));
    }
}

static const char *const state_names[] = { "mean", "mean_square" };

const dt_optimizer dt_optimizer_adamw = {
    .row = { "adamw", "Loshchilov, Hutter 2019, arXiv:1711.05101 (PyTorch's form)", opts,
             sizeof(conf) },
    .lr_offset = offsetof(conf, lr),
    .weight_decay_offset = offsetof(conf, weight_decay),
    .state_count = 2,
    .state_names = state_names,
    .pushes = 1u << 0,
    .step = step,
};
