/* SPDX-License-Identifier: Apache-2.0 */
#include "core/memory.h"
#include "tests/support/run.h"

START_TEST(counting_costs_nothing)
{
    dt_measure m;
    size_t before = dt_memory_resident(), huge = (size_t)1 << 36;
    ck_assert_int_eq(dt_measure_init(&m, NULL), DT_OK);
    char *a = dt_get(&m.alloc, huge, "large"), *b = dt_get(&m.alloc, 100, "small");
    ck_assert(a && b && !m.refused);
    ck_assert_int_eq(a[huge - 1] | b[99], 0);
    ck_assert_uint_lt(dt_memory_resident() - before, (size_t)10 << 20);
    m.owner = "other";
    void *c = dt_get(&m.alloc, 1000, "small");
    m.owner = NULL;
    ck_assert_uint_ge(dt_measure_of(&m, "large"), huge);
    ck_assert_uint_lt(dt_measure_of(&m, "small"), 300);
    ck_assert_uint_ge(dt_measure_of(&m, "other"), 1000);
    ck_assert_uint_eq(dt_measure_of(&m, "none"), 0);
    dt_put(&m.alloc, a);
    dt_put(&m.alloc, b);
    dt_put(&m.alloc, c);
    ck_assert_uint_eq(m.now, 0);
    ck_assert_uint_ge(m.most, huge + 1100);
    dt_measure_fini(&m);
}
END_TEST

DT_TEST_MAIN("measure", counting_costs_nothing)
