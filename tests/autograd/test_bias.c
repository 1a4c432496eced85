/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/bias.h"

#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "tests/support/run.h"

enum { ROWS = 37 };

START_TEST(rows_get_their_channels_bias)
{
    static const int64_t channels[] = { 1, 3, 16, 255, 256, 300 };
    for (size_t i = 0; i < DT_ARRAY_LEN(channels); i++) {
        int64_t O = channels[i], n = ROWS * O;
        dt_kernels k;
        ck_assert_int_eq(dt_kernels_init(&k, test_isa, NULL), DT_OK);
        dt_arena *arena = dt_arena_new(NULL, "test");
        real *y = dt_arena_get(arena, (size_t)n * sizeof *y);
        real *bias = dt_arena_get(arena, (size_t)O * sizeof *bias);
        for (int64_t c = 0; c < O; c++)
            bias[c] = (real)(c * c % 17) - 8;
        for (int64_t j = 0; j < n; j++)
            y[j] = (real)(j % 1000) / 8;
        dt_bias b = dt_bias_lay_out(bias, O, dt_arena_get(arena, dt_bias_work(O)));
        ck_assert_int_eq(b.lanes % O, 0);
        ck_assert_int_eq(b.lanes, dt_bias_lanes(O));
        dt_bias_add(&k.tile, &b, n, y);
        for (int64_t j = 0; j < n; j++)
            ck_assert(y[j] == (real)(j % 1000) / 8 + bias[j % O]);
        dt_arena_free(arena);
    }
}
END_TEST

START_TEST(its_gradient_is_the_sum_of_rows)
{
    enum { O = 5 };
    dt_kernels k;
    real dy[ROWS * O], d_bias[O];
    ck_assert_int_eq(dt_kernels_init(&k, test_isa, NULL), DT_OK);
    for (int i = 0; i < ROWS * O; i++)
        dy[i] = (real)(i % 11) - 4;
    dt_arena *arena = dt_arena_new(NULL, "test");
    for (int threads = 1; threads <= 3; threads++) {
        dt_op_run r = { .threads = threads, .kernels = &k, .d_in = { NULL, NULL, d_bias } };
        void *work = dt_arena_get(arena, dt_bias_grad_work(ROWS, O, threads));
        dt_bias_grad(&r, ROWS, O, dy, work);
        for (int o = 0; o < O; o++) {
            double sum = 0;
            for (int n = 0; n < ROWS; n++)
                sum += (double)dy[n * O + o];
            ck_assert((double)d_bias[o] == sum);
        }
    }
    dt_arena_free(arena);
}
END_TEST

DT_TEST_MAIN("bias", rows_get_their_channels_bias, its_gradient_is_the_sum_of_rows)
