/* SPDX-License-Identifier: Apache-2.0 */
#include "comm/reduce.h"

#include "core/rng.h"
#include "tests/comm/threads.h"

enum { PARTS = 7, STEPS = 3, MOST = 1100000 };
/* The third fills a bucket; one part of it is empty, and the last is small. */
static const int64_t counts[PARTS] = { 5, 1, MOST, 64, 0, 3000, 9 };

static real number(int step, int part, int rank, int64_t i)
{
    uint64_t x = dt_hash_name("reduce") + (uint64_t)(step * 1000 + part * 100 + rank) * 977 +
                 (uint64_t)i * 2654435761u;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 32;
    return (real)((double)(int32_t)x / 3e8);
}

/* The definition: the first p ranks and the rest, p the largest power of two below their number. */
static real tree(int step, int part, int64_t i, int first, int n)
{
    int p = 1;
    if (n == 1) return number(step, part, first, i);
    while (2 * p < n)
        p *= 2;
    return tree(step, part, i, first, p) + tree(step, part, i, first + p, n - p);
}

static real *fill(int step, int part)
{
    real *x = malloc((size_t)(counts[part] + 1) * sizeof *x);
    for (int64_t i = 0; i < counts[part]; i++)
        x[i] = number(step, part, hub_rank, i);
    return x;
}

static void compare(int step, int part, const real *x)
{
    int wrong = 0;
    for (int64_t i = 0; i < counts[part]; i += part == 2 ? 997 : 1)
        wrong += x[i] != tree(step, part, i, 0, hub.size);
    HUB_CHECK(wrong == 0);
}

static const dt_reduce_way *forced; /* NULL: what is chosen */

static void sum(dt_comm *c)
{
    dt_reduce r;
    HUB_CHECK(dt_reduce_init(&r, c, counts, PARTS, NULL, NULL) == DT_OK);
    HUB_CHECK(r.bucket_count == 2 && r.part[2].bucket == 0 && r.part[3].bucket == 1);
    if (forced) {
        r.way = forced;
        for (int i = 0; i < r.bucket_count; i++) {
            r.bucket[i].inbox = dt_arena_get(
                r.arena,
                (size_t)forced->inbox(r.bucket[i].n, hub_rank, hub.size) * sizeof(real) + 1);
            HUB_CHECK(dt_comm_reserve(c, forced->requests(hub.size), &r.bucket[i].request, NULL) ==
                      DT_OK);
        }
    }
    int64_t before = dt_comm_traffic_of(c).bytes;
    for (int step = 0; step < STEPS; step++) {
        real *x[PARTS];
        dt_reduce_begin(&r);
        for (int k = 0; k < PARTS; k++) {
            int part = step == 1 ? PARTS - 1 - k : k; /* whatever the order */
            x[part] = fill(step, part);
            HUB_CHECK(dt_reduce_ready(&r, part, step == 2 && part == 5 ? NULL : x[part], NULL) ==
                      DT_OK);
            HUB_CHECK(dt_reduce_poll(&r, NULL) == DT_OK);
        }
        HUB_CHECK(dt_reduce_finish(&r, NULL) == DT_OK);
        for (int part = 0; part < PARTS; part++) {
            if (step == 2 && part == 5)
                HUB_CHECK(x[part][7] == number(step, part, hub_rank, 7)); /* stays alone */
            else
                compare(step, part, x[part]);
            free(x[part]);
        }
    }
    /* 2 (n - 1) / n of the bytes, but for ranges that are not equal. */
    double sent = (double)(dt_comm_traffic_of(c).bytes - before) / STEPS;
    double formula = 2.0 * (hub.size - 1) / hub.size * (double)r.elements * sizeof(real);
    HUB_CHECK(sent > formula - 100 && sent < formula + 100);
    dt_reduce_fini(&r);
}

START_TEST(sums_are_a_balanced_tree_over_the_ranks)
{
    forced = NULL;
    for (int size = 2; size <= 9; size++)
        hub_run(size, 60, sum);
}
END_TEST

START_TEST(both_ways_add_in_the_same_order)
{
    forced = &dt_reduce_direct;
    for (int size = 2; size <= 8; size *= 2) {
        ck_assert(dt_reduce_halving.fits(size));
        hub_run(size, 60, sum);
    }
    ck_assert(!dt_reduce_halving.fits(3) && !dt_reduce_halving.fits(12));
}
END_TEST

START_TEST(one_process_adds_nothing)
{
    dt_reduce r;
    real x = 3;
    ck_assert_int_eq(dt_reduce_init(&r, NULL, counts, PARTS, NULL, NULL), DT_OK);
    dt_reduce_begin(&r);
    ck_assert_int_eq(dt_reduce_ready(&r, 0, &x, NULL), DT_OK);
    ck_assert_int_eq(dt_reduce_finish(&r, NULL), DT_OK);
    ck_assert(x == 3);
    dt_reduce_fini(&r);
}
END_TEST

DT_TEST_MAIN("reduce", sums_are_a_balanced_tree_over_the_ranks, both_ways_add_in_the_same_order,
             one_process_adds_nothing)
