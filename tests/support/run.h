/* Main function of a Check program: one suite, exit status 1 on any failure. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_SUPPORT_RUN_H
#define DT_TESTS_SUPPORT_RUN_H

#include <check.h>

#define DT_TEST_MAIN(name, ...) DT_TEST_MAIN_UNLESS(0, name, __VA_ARGS__)

/* The same for tests of data that may be absent: `skip` is evaluated first, and if it is not 0 the
 * exit status is 77, which Meson counts as skipped. */
#define DT_TEST_MAIN_UNLESS(skip, name, ...)                                                       \
    int main(void)                                                                                 \
    {                                                                                              \
        if (skip) return 77;                                                                       \
        const TTest *const tests[] = { __VA_ARGS__ };                                              \
        Suite *suite = suite_create(name);                                                         \
        TCase *all = tcase_create("all");                                                          \
        tcase_set_timeout(all, 600);                                                               \
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)                                  \
            tcase_add_test(all, tests[i]);                                                         \
        suite_add_tcase(suite, all);                                                               \
        SRunner *runner = srunner_create(suite);                                                   \
        srunner_run_all(runner, CK_NORMAL);                                                        \
        int failed = srunner_ntests_failed(runner);                                                \
        srunner_free(runner);                                                                      \
        return failed ? 1 : 0;                                                                     \
    }

#endif
