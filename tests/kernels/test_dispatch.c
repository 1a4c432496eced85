/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "kernels/kernels.h"
#include "tests/support/run.h"

START_TEST(cap_selects_the_tier)
{
    static const char *const names[] = { "scalar", "avx2", "avx512" };
    dt_kernels k;
    for (size_t i = 0; i < DT_ARRAY_LEN(names); i++) {
        if (!test_tier(names[i], &k)) continue;
        ck_assert_str_eq(k.isa, names[i]);
        ck_assert(k.conv.forward && k.conv.dgrad && k.conv.wgrad && k.conv.workspace);
    }
    ck_assert_int_eq(dt_kernels_init(&k, "scalar", NULL), DT_OK);
}
END_TEST

START_TEST(no_cap_gives_the_best)
{
    dt_kernels best, empty, capped;
    ck_assert_int_eq(dt_kernels_init(&best, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_kernels_init(&empty, "", NULL), DT_OK);
    ck_assert_str_eq(best.isa, empty.isa);
    if (dt_kernels_init(&capped, "avx512", NULL) == DT_OK) ck_assert_str_eq(best.isa, "avx512");
}
END_TEST

START_TEST(unknown_cap_is_refused)
{
    dt_kernels k = { .isa = "untouched" };
    dt_error err;
    ck_assert_int_eq(dt_kernels_init(&k, "avx9", &err), DT_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "isa: 'avx9'"));
    ck_assert_str_eq(k.isa, "untouched");
}
END_TEST

DT_TEST_MAIN("dispatch", cap_selects_the_tier, no_cap_gives_the_best, unknown_cap_is_refused)
