/* Names to pointers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "exchange/onnx/reader/onnx_map.h"
#include "tests/support/run.h"

START_TEST(thousands_of_names_are_found)
{
    enum { NAMES = 3000 };
    static char name[NAMES][16];
    dt_ox_map m = { .arena = dt_arena_new(NULL, "test") };
    ck_assert_ptr_null(dt_ox_map_find(&m, "n0"));
    for (int i = 0; i < NAMES; i++) {
        snprintf(name[i], sizeof name[i], "n%d", i);
        ck_assert_int_eq(dt_ox_map_set(&m, name[i], name[i], NULL), DT_OK);
    }
    for (int i = 0; i < NAMES; i++)
        ck_assert_ptr_eq(dt_ox_map_find(&m, name[i]), name[i]);
    ck_assert_uint_eq(m.count, NAMES);
    ck_assert_int_eq(dt_ox_map_set(&m, "n7", &m, NULL), DT_OK);
    ck_assert_ptr_eq(dt_ox_map_find(&m, "n7"), &m);
    ck_assert_uint_eq(m.count, NAMES);
    ck_assert_ptr_null(dt_ox_map_find(&m, "other"));
    dt_arena_free(m.arena);
}
END_TEST

DT_TEST_MAIN("onnx_map", thousands_of_names_are_found)
