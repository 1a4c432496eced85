/* SPDX-License-Identifier: Apache-2.0 */
#include "core/status.h"

#include <string.h>

#include "tests/support/run.h"

START_TEST(place_key_and_rule)
{
    dt_error err;
    const dt_where where = { "r.yaml", 12, "quant.weights.bits" };
    ck_assert_int_eq(dt_fail(&err, DT_ERR_RANGE, &where, "%d is outside 1..8", 17), DT_ERR_RANGE);
    ck_assert_str_eq(err.text, "r.yaml:12: quant.weights.bits: 17 is outside 1..8");
    ck_assert_int_eq(err.status, DT_ERR_RANGE);
}
END_TEST

START_TEST(long_and_dirty_text_stays_one_line)
{
    dt_error err;
    char name[2000];
    memset(name, '\n', sizeof name);
    name[sizeof name - 1] = '\0';
    dt_fail(&err, DT_ERR_IO, &(dt_where){ .file = name }, "x");
    ck_assert(strlen(err.text) < sizeof err.text);
    ck_assert_ptr_null(strchr(err.text, '\n'));
    ck_assert_int_eq(dt_fail(NULL, DT_ERR_IO, NULL, "no place to write"), DT_ERR_IO);
}
END_TEST

START_TEST(a_long_place_leaves_room_for_the_reason)
{
    dt_error err;
    char name[5000];
    memset(name, 'n', sizeof name);
    name[0] = 'a';
    memcpy(name + sizeof name - 3, "yz", 3);
    dt_fail(&err, DT_ERR_IO, &(dt_where){ name, 7, name }, "the reason is %d", 5);
    ck_assert_int_eq(strncmp(err.text, "annn", 4), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "nyz:7: annn"));
    ck_assert_ptr_nonnull(strstr(err.text, "n...n"));
    ck_assert_ptr_nonnull(strstr(err.text, "nyz: the reason is 5"));
    dt_fail(&err, DT_ERR_IO, NULL, "%s", name);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
    ck_assert_str_eq(err.text + sizeof err.text - 5, "n..."); /* a cut that is seen */
}
END_TEST

START_TEST(every_status_has_a_name)
{
    for (int s = DT_OK; s <= DT_ERR_UNSUPPORTED; s++)
        ck_assert_str_ne(dt_status_name((dt_status)s), "unknown");
    ck_assert_str_eq(dt_status_name((dt_status)99), "unknown");
}
END_TEST

DT_TEST_MAIN("status", place_key_and_rule, long_and_dirty_text_stays_one_line,
             a_long_place_leaves_room_for_the_reason, every_status_has_a_name)
