/* What holds for every row of the table. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "optim/optimizer.h"

#include <string.h>

#include "core/alloc.h"
#include "tests/support/run.h"

enum { N = 37 };

/* Ten steps on f(w) = |w|^2 / 2, in `pieces` parts; returns |w|^2. */
static double descend(const dt_optimizer *o, real lr, int pieces, real w[N])
{
    real g[N], state[DT_OPTIMIZER_STATES][N] = { { 0 } };
    void *conf = dt_get(NULL, o->row.conf_size, "test");
    ck_assert_ptr_nonnull(conf);
    dt_opt_defaults(o->row.opts, conf);
    for (int i = 0; i < N; i++)
        w[i] = (real)(i - 18) / 8;
    for (int64_t t = 0; t < 10; t++) {
        memcpy(g, w, sizeof g);
        for (int k = 0; k < pieces; k++) {
            size_t from = (size_t)(N * k / pieces), n = (size_t)(N * (k + 1) / pieces) - from;
            real *s[DT_OPTIMIZER_STATES];
            for (int i = 0; i < o->state_count; i++)
                s[i] = state[i] + from;
            o->step(conf, n, lr, 0, w + from, g + from, s, t);
        }
    }
    dt_put(NULL, conf);
    double sum = 0;
    for (int i = 0; i < N; i++)
        sum += (double)w[i] * w[i];
    return sum;
}

START_TEST(every_row_descends_and_does_not_depend_on_pieces)
{
    for (const dt_row *const *r = dt_optimizers.rows; *r; r++) {
        const dt_optimizer *o = (const dt_optimizer *)(const void *)*r;
        real start[N], whole[N], parts[N];
        double before = descend(o, 0, 1, start), after = descend(o, (real)0.01, 1, whole);
        ck_assert_msg(after < 0.9 * before, "%s: %g -> %g", o->row.name, before, after);
        descend(o, (real)0.01, 5, parts);
        ck_assert_mem_eq(whole, parts, sizeof whole);
    }
}
END_TEST

START_TEST(every_row_declares_rate_decay_and_state)
{
    ck_assert_ptr_nonnull(dt_table_find(&dt_optimizers, "sgd"));
    for (const dt_row *const *r = dt_optimizers.rows; *r; r++) {
        const dt_optimizer *o = (const dt_optimizer *)(const void *)*r;
        const dt_opt *lr = dt_opt_find((*r)->opts, "lr");
        const dt_opt *decay = dt_opt_find((*r)->opts, "weight_decay");
        ck_assert(lr && decay);
        void *conf = dt_get(NULL, (*r)->conf_size, "test");
        dt_opt_defaults((*r)->opts, conf);
        ck_assert_int_eq(dt_opt_set(lr, conf, "0.25", NULL, NULL), DT_OK);
        ck_assert_int_eq(dt_opt_set(decay, conf, "0.125", NULL, NULL), DT_OK);
        ck_assert(dt_optimizer_lr(o, conf) == 0.25);
        ck_assert(dt_optimizer_weight_decay(o, conf) == 0.125);
        dt_put(NULL, conf);
        ck_assert(o->state_count >= 0 && o->state_count <= DT_OPTIMIZER_STATES);
        for (int i = 0; i < o->state_count; i++)
            ck_assert_str_ne(o->state_names[i], "");
    }
}
END_TEST

DT_TEST_MAIN("optimizer", every_row_descends_and_does_not_depend_on_pieces,
             every_row_declares_rate_decay_and_state)
