/* The allocator that gives no more than a limit. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/memory.h"

#include "tests/support/run.h"

START_TEST(gives_what_is_below_the_limit_and_no_more)
{
    dt_capped c;
    dt_capped_init(&c, NULL, 10000);
    void *a = dt_get(&c.alloc, 6000, "a");
    ck_assert_ptr_nonnull(a);
    ck_assert_uint_eq(c.refused, 0);
    ck_assert_ptr_null(dt_get(&c.alloc, 6000, "b"));
    ck_assert_uint_ge(c.refused, 12000); /* and the blocks' heads */
    ck_assert_uint_lt(c.refused, 13000);
    dt_put(&c.alloc, a);
    ck_assert_uint_eq(c.now, 0);
    void *b = dt_get(&c.alloc, 9000, "b");
    ck_assert_ptr_nonnull(b); /* what was given back is there again */
    ck_assert_ptr_null(dt_get(&c.alloc, SIZE_MAX - 4096, "c"));
    ck_assert_uint_eq(c.refused, SIZE_MAX);
    dt_put(&c.alloc, b);
}
END_TEST

DT_TEST_MAIN("capped", gives_what_is_below_the_limit_and_no_more)
