/* SPDX-License-Identifier: Apache-2.0 */
#include "data/folder_list.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/run.h"

enum { MOST = 64 };

static char names[MOST][32];

/* `count` pictures of class `label`, behind those that are there. */
static size_t add(dt_folder_sample *at, size_t n, size_t count, int label)
{
    for (size_t i = 0; i < count; i++, n++) {
        snprintf(names[n], sizeof names[n], "%d/%02zu.png", label, i);
        at[n] = (dt_folder_sample){ names[n], label };
    }
    return n;
}

static size_t keep(const dt_folder_sample *all, size_t n, double share, bool is_test,
                   dt_folder_sample *out)
{
    memcpy(out, all, n * sizeof *all);
    ck_assert_int_eq(dt_folder_share(out, &n, share, is_test, NULL), DT_OK);
    return n;
}

static bool has(const dt_folder_sample *at, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(at[i].path, path) == 0) return true;
    return false;
}

START_TEST(every_picture_is_in_one_split)
{
    dt_folder_sample all[MOST], train[MOST], test[MOST];
    size_t n = add(all, add(all, 0, 20, 0), 10, 1);
    size_t a = keep(all, n, 0.2, false, train), b = keep(all, n, 0.2, true, test);
    ck_assert(a == 24 && b == 6); /* 4 of 20, 2 of 10 */
    for (size_t i = 0; i < n; i++)
        ck_assert_int_ne(has(train, a, all[i].path), has(test, b, all[i].path));
    for (size_t i = 1; i < a; i++)
        ck_assert_int_lt(strcmp(train[i - 1].path, train[i].path), 0);
    for (size_t i = 1; i < b; i++)
        ck_assert_int_lt(strcmp(test[i - 1].path, test[i].path), 0);
    ck_assert(test[3].label == 0 && test[4].label == 1);
}
END_TEST

START_TEST(new_pictures_move_few)
{
    dt_folder_sample before[MOST], after[MOST], all[MOST];
    size_t n = add(all, 0, 40, 0), a = keep(all, n, 0.25, true, before);
    n = add(all, 0, 44, 0);
    size_t b = keep(all, n, 0.25, true, after), kept = 0;
    ck_assert(a == 10 && b == 11);
    for (size_t i = 0; i < a; i++)
        kept += has(after, b, before[i].path);
    ck_assert_uint_ge(kept, 7);
}
END_TEST

START_TEST(neither_split_loses_a_class)
{
    dt_folder_sample all[MOST], some[MOST];
    size_t n = add(all, add(all, 0, 2, 0), 3, 1);
    ck_assert_uint_eq(keep(all, n, 0.001, true, some), 2);
    ck_assert_uint_eq(keep(all, n, 0.9, false, some), 2);
    dt_error err;
    n = add(all, add(all, 0, 2, 0), 1, 1);
    ck_assert_int_eq(dt_folder_share(all, &n, 0.5, true, &err), DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "data.test_share: needs two pictures of each class; "
                                           "1/00.png is alone"));
}
END_TEST

DT_TEST_MAIN("folder_share", every_picture_is_in_one_split, new_pictures_move_few,
             neither_split_loses_a_class)
