/* Worked by hand: powers of two, so that every number is exact. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "optim/optimizer.h"

#include "core/alloc.h"
#include "tests/support/run.h"

static const dt_optimizer *sgd(void)
{
    return (const dt_optimizer *)(const void *)dt_table_find(&dt_optimizers, "sgd");
}

/* Two steps from w = 4, lr 1/2, lambda 1/4, momentum 1/2, gradients 1 and -2. */
static void two_steps(const char *nesterov, real w[2], real v[2])
{
    void *conf = dt_get(NULL, sgd()->row.conf_size, "test");
    const dt_opt *opts = sgd()->row.opts;
    dt_opt_defaults(opts, conf);
    ck_assert_int_eq(dt_opt_set(dt_opt_find(opts, "momentum"), conf, "0.5", NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_opt_set(dt_opt_find(opts, "nesterov"), conf, nesterov, NULL, NULL), DT_OK);
    real g = 1, x = 4, velocity = 0, *state[1] = { &velocity };
    for (int64_t t = 0; t < 2; t++) {
        sgd()->step(conf, 1, (real)0.5, (real)0.25, &x, &g, state, t);
        w[t] = x;
        v[t] = velocity;
        g = -2;
    }
    dt_put(NULL, conf);
}

START_TEST(momentum)
{
    real w[2], v[2];
    two_steps("false", w, v);
    ck_assert(v[0] == 2 && w[0] == 3);                     /* d = 1 + 4/4; w = 4 - 2/2 */
    ck_assert(v[1] == (real)-0.25 && w[1] == (real)3.125); /* d = -2 + 3/4; v = 2/2 - 1.25 */
}
END_TEST

START_TEST(nesterov)
{
    real w[2], v[2];
    two_steps("true", w, v);
    ck_assert(v[0] == 2 && w[0] == (real)2.5); /* w = 4 - (2 + 2/2)/2 */
    /* d = -2 + 2.5/4 = -1.375; v = 1 - 1.375 = -0.375; w = 2.5 - (-1.375 - 0.1875)/2 */
    ck_assert(v[1] == (real)-0.375 && w[1] == (real)3.28125);
}
END_TEST

START_TEST(published_defaults)
{
    struct {
        double room[16];
    } conf;
    ck_assert_uint_le(sgd()->row.conf_size, sizeof conf);
    dt_opt_defaults(sgd()->row.opts, &conf);
    ck_assert(dt_optimizer_lr(sgd(), &conf) == 0.1);
    ck_assert(dt_optimizer_weight_decay(sgd(), &conf) == 1e-4);
    char text[32];
    ck_assert_str_eq(dt_opt_print(dt_opt_find(sgd()->row.opts, "momentum"), &conf, text, 32),
                     "0.9");
}
END_TEST

DT_TEST_MAIN("optim_sgd", momentum, nesterov, published_defaults)
