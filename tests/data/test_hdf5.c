/* SPDX-License-Identifier: Apache-2.0 */
#include "data/hdf5.h"

#include "tests/support/run.h"

static int printed;

static herr_t count(hid_t stack, void *arg)
{
    (void)stack;
    (void)arg;
    printed++;
    return 0;
}

START_TEST(it_is_silent_between_begin_and_end)
{
    dt_hdf5 h;
    H5Eset_auto2(H5E_DEFAULT, count, NULL);
    dt_hdf5_begin(&h);
    ck_assert(H5Fopen("/nowhere", H5F_ACC_RDONLY, H5P_DEFAULT) < 0);
    ck_assert_int_eq(printed, 0);
    dt_hdf5_end(&h);
    ck_assert(H5Fopen("/nowhere", H5F_ACC_RDONLY, H5P_DEFAULT) < 0);
    ck_assert_int_gt(printed, 0);
}
END_TEST

START_TEST(its_exit_handler_is_refused_first)
{
    dt_hdf5 h;
    dt_hdf5_begin(&h);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    ck_assert(H5dont_atexit() < 0); /* said already */
    dt_hdf5_end(&h);
}
END_TEST

DT_TEST_MAIN("hdf5", it_is_silent_between_begin_and_end, its_exit_handler_is_refused_first)
