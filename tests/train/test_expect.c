/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/expect.h"

#include <string.h>

#include "tests/support/run.h"

START_TEST(a_tag_is_one_word)
{
    char tag[DT_EXPECT_TAG];
    dt_expect_tag("avx2", "OpenBLAS 0.3.21 Haswell", tag);
    ck_assert_str_eq(tag, "avx2/OpenBLAS-0.3.21-Haswell");
    dt_expect_tag("scalar", "a=b, [c]", tag);
    ck_assert_str_eq(tag, "scalar/a-b---c-");
    char blas[300];
    memset(blas, 'x', sizeof blas - 1);
    blas[sizeof blas - 1] = '\0';
    dt_expect_tag("scalar", blas, tag);
    ck_assert_uint_eq(strlen(tag), DT_EXPECT_TAG - 1);
}

START_TEST(only_the_own_tag_counts)
{
    const dt_opt_words words = { 3, { "avx2/B-1=aa", "avx2/B-12=bb", "avx512/B-1=cc" } };
    const char *wanted;
    ck_assert_int_eq(dt_expect_compare(&words, "avx2/B-1", "aa", &wanted), DT_WEIGHTS_EQUAL);
    ck_assert_int_eq(dt_expect_compare(&words, "avx2/B-1", "ab", &wanted), DT_WEIGHTS_DIFFER);
    ck_assert_str_eq(wanted, "aa");
    ck_assert_int_eq(dt_expect_compare(&words, "avx2/B-12", "bb", &wanted), DT_WEIGHTS_EQUAL);
    ck_assert_int_eq(dt_expect_compare(&words, "scalar/B-1", "aa", &wanted), DT_WEIGHTS_UNKNOWN);
    ck_assert_ptr_null(wanted);
}

START_TEST(better_is_no_fault)
{
    const dt_recipe_expect e = { .has_top1 = true, .top1 = 91.2, .tolerance = 0.3 };
    ck_assert(dt_expect_reached(&e, 95) && dt_expect_reached(&e, 90.9));
    ck_assert(!dt_expect_reached(&e, 90.89) && !dt_expect_reached(&e, 0));
}

DT_TEST_MAIN("expect", a_tag_is_one_word, only_the_own_tag_counts, better_is_no_fault)
