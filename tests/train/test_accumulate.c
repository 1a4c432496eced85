/* SPDX-License-Identifier: Apache-2.0 */
#include "train/accumulate.h"

#include <math.h>

#include "fakequant/uniform.h"
#include "tests/support/run.h"

static void add_param(dt_graph *g, const char *name, int64_t n, int *out_id)
{
    const dt_value v = {
        .name = name, .kind = DT_VALUE_PARAM, .shape = DT_SHAPE(n), .role = DT_ROLE_WEIGHT
    };
    ck_assert_int_eq(dt_graph_value(g, &v, out_id, NULL), DT_OK);
}

START_TEST(the_last_batch_leaves_the_mean)
{
    dt_graph g;
    dt_state s;
    int a, b;
    ck_assert_int_eq(dt_graph_init(&g, NULL, NULL), DT_OK);
    add_param(&g, "a", 3, &a);
    add_param(&g, "b", 1, &b);
    ck_assert_int_eq(dt_state_init(&s, &g, true, 1, NULL, NULL), DT_OK);
    for (int batches = 1; batches <= 4; batches++) {
        dt_accumulate sums;
        ck_assert_int_eq(dt_accumulate_init(&sums, batches, &g, NULL, NULL), DT_OK);
        ck_assert_uint_eq(sums.bytes, batches > 1 ? 4 * sizeof(real) : 0);
        for (int step = 0; step < 2; step++) { /* nothing of a step is left in the next */
            for (int i = 0; i < batches; i++) {
                for (int k = 0; k < 3; k++)
                    s.grad[a][k] = (real)((i + 1) * (k + 1) + step);
                s.grad[b][0] = (real)(i == 0 ? 8 : 0);
                dt_accumulate_add(&sums, &s, i);
            }
            double mean = (batches + 1) / 2.0;
            for (int k = 0; k < 3; k++)
                ck_assert(fabs((double)s.grad[a][k] - mean * (k + 1) - step) < 1e-5);
            ck_assert(fabs((double)s.grad[b][0] - 8.0 / batches) < 1e-6);
        }
        dt_accumulate_fini(&sums);
    }
    dt_state_fini(&s);
    dt_graph_fini(&g);
}
END_TEST

/* LSQ: 1 / sqrt(N qmax), N counting the nominal batch. */
START_TEST(gradient_scales_count_the_nominal_batch)
{
    dt_quant_site site = { .bits = 4, .groups = 1, .count = 1000, .features = 10 };
    double one = dt_uniform_grad_factor(DT_GRAD_SQRT_NQ, DT_COUNT_NUMEL, &site, 15);
    site.batches = 4;
    ck_assert(fabs(one - 1 / sqrt(1000 * 15.0)) < 1e-12);
    double four = dt_uniform_grad_factor(DT_GRAD_SQRT_NQ, DT_COUNT_NUMEL, &site, 15);
    ck_assert(fabs(four - one / 2) < 1e-12);
    double features = dt_uniform_grad_factor(DT_GRAD_SQRT_NQ, DT_COUNT_FEATURES, &site, 15);
    ck_assert(fabs(features - 1 / sqrt(10 * 15.0)) < 1e-12);
    site.weight = true; /* a weight has no batch */
    ck_assert(fabs(dt_uniform_grad_factor(DT_GRAD_SQRT_NQ, DT_COUNT_NUMEL, &site, 15) - one) <
              1e-12);
}
END_TEST

DT_TEST_MAIN("accumulate", the_last_batch_leaves_the_mean, gradient_scales_count_the_nominal_batch)
