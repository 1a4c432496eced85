/* AdamW against its formula in double, and worked by hand. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "optim/optimizer.h"
#include "tests/support/run.h"

static const dt_optimizer *adamw(void)
{
    return (const dt_optimizer *)(const void *)dt_table_find(&dt_optimizers, "adamw");
}

typedef struct conf {
    double room[16];
} conf;

static conf defaults(void)
{
    conf c;
    ck_assert_uint_le(adamw()->row.conf_size, sizeof c);
    dt_opt_defaults(adamw()->row.opts, &c);
    return c;
}

/* The first step goes by lr against the sign of the gradient, whatever its size. */
START_TEST(first_step)
{
    conf c = defaults();
    real w[] = { 1, 1 }, g[] = { 1e-3f, -20 }, m[2] = { 0 }, v[2] = { 0 }, *state[] = { m, v };
    adamw()->step(&c, 2, 0.25f, 0.5f, w, g, state, 0);
    ck_assert(fabsf(w[0] - (1 - 0.125f - 0.25f)) < 1e-5f); /* decayed by lr * 0.5 first */
    ck_assert(fabsf(w[1] - (1 - 0.125f + 0.25f)) < 1e-6f);
}
END_TEST

START_TEST(formula)
{
    conf c = defaults();
    real w = 0.7f, m = 0, v = 0, *state[] = { &m, &v };
    double x = (double)w, mean = 0, square = 0;
    for (int t = 1; t <= 200; t++) {
        const real g = (real)sin(t) + 0.3f;
        const double d = (double)g, lr = 0.01, decay = 0.05;
        adamw()->step(&c, 1, (real)lr, (real)decay, &w, &g, state, t - 1);
        mean = 0.9 * mean + 0.1 * d;
        square = 0.999 * square + 0.001 * d * d;
        x -= lr * decay * x;
        x -= lr * (mean / (1 - pow(0.9, t))) / (sqrt(square / (1 - pow(0.999, t))) + 1e-8);
        ck_assert_msg(fabs((double)w - x) < 1e-5, "step %d: %.8g, not %.8g", t, (double)w, x);
    }
}
END_TEST

START_TEST(published_defaults)
{
    conf c = defaults();
    char text[32];
    const dt_opt *opts = adamw()->row.opts;
    ck_assert(dt_optimizer_lr(adamw(), &c) == 1e-3);
    ck_assert_str_eq(dt_opt_print(dt_opt_find(opts, "beta1"), &c, text, 32), "0.9");
    ck_assert_str_eq(dt_opt_print(dt_opt_find(opts, "beta2"), &c, text, 32), "0.999");
}
END_TEST

DT_TEST_MAIN("optim_adamw", first_step, formula, published_defaults)
