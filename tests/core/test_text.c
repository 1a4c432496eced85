/* SPDX-License-Identifier: Apache-2.0 */
#include "core/text.h"

#include <string.h>

#include "tests/support/failalloc.h"
#include "tests/support/run.h"

START_TEST(a_text_grows)
{
    dt_text t = { 0 };
    for (int i = 0; i < 1000; i++)
        dt_text_say(&t, "%d,", i % 10);
    dt_text_say(&t, "%s", "");
    ck_assert(!t.failed);
    ck_assert_uint_eq(t.size, 2000);
    ck_assert_uint_eq(strlen(t.bytes), 2000);
    ck_assert_mem_eq(t.bytes + 1990, "5,6,7,8,9,", 10);
    dt_text_fini(&t);
    ck_assert_ptr_null(t.bytes);
}
END_TEST

START_TEST(the_first_failure_sticks)
{
    failalloc f;
    failalloc_init(&f, 2);
    dt_text t = { .alloc = &f.alloc };
    for (int i = 0; i < 1000; i++)
        dt_text_say(&t, "%d,", i % 10);
    ck_assert(t.failed);
    dt_text_fini(&t);
    ck_assert_uint_eq(f.live, 0);
}
END_TEST

DT_TEST_MAIN("text", a_text_grows, the_first_failure_sticks)
