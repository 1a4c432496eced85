/* SPDX-License-Identifier: Apache-2.0 */
#include "data/order.h"

#include <string.h>

#include "tests/support/run.h"

enum { N = 1000 };

static void fill(uint32_t *index)
{
    for (uint32_t i = 0; i < N; i++)
        index[i] = i;
}

START_TEST(shuffle_is_a_permutation_named_by_seed_and_epoch)
{
    uint32_t a[N], b[N];
    uint8_t seen[N] = { 0 };
    fill(a);
    dt_order_shuffle(5, 2, N, a);
    int fixed = 0;
    for (uint32_t i = 0; i < N; i++) {
        ck_assert_int_eq(seen[a[i]]++, 0);
        fixed += a[i] == i;
    }
    ck_assert_int_lt(fixed, 10); /* 1 expected */
    fill(b);
    dt_order_shuffle(5, 2, N, b);
    ck_assert_mem_eq(a, b, sizeof a);
    fill(b);
    dt_order_shuffle(5, 3, N, b);
    ck_assert_mem_ne(a, b, sizeof a);
    fill(b);
    dt_order_shuffle(6, 2, N, b);
    ck_assert_mem_ne(a, b, sizeof a);
    dt_order_shuffle(1, 1, 0, a);
    ck_assert_uint_lt(a[0], N);
}
END_TEST

START_TEST(split_is_disjoint_complete_and_ascending)
{
    uint32_t a[N], b[N];
    uint8_t seen[N] = { 0 };
    dt_order_split(9, N, 200, a);
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(seen[a[i]]++, 0);
        if (i != 0 && i != 800) ck_assert_uint_gt(a[i], a[i - 1]);
    }
    ck_assert_uint_lt(a[800], 100); /* spread over all samples, not the last 200 */
    dt_order_split(9, N, 200, b);
    ck_assert_mem_eq(a, b, sizeof a);
    dt_order_split(10, N, 200, b);
    ck_assert_mem_ne(a, b, sizeof a);
    dt_order_split(9, N, 0, a);
    fill(b);
    ck_assert_mem_eq(a, b, sizeof a);
}
END_TEST

DT_TEST_MAIN("order", shuffle_is_a_permutation_named_by_seed_and_epoch,
             split_is_disjoint_complete_and_ascending)
