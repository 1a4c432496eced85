/* Main function of a Check program: one suite, exit status 1 on any failure. Every such program
 * takes
 * `--isa TIER`: the tier of kernels that it tests or runs on, by default all, or the best. Without
 * that tier the exit status is 77, which Meson counts as skipped; if DETENT_TIERS, a list of names,
 * demands it, the program fails. ./check sets the list from the processor's flags. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_SUPPORT_RUN_H
#define DT_TESTS_SUPPORT_RUN_H

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"

static const char *test_isa __attribute__((unused)) = "";

/* Whether the space-separated list DETENT_TIERS has the name. */
static inline bool test_demands(const char *isa)
{
    const char *list = getenv("DETENT_TIERS");
    size_t n = strlen(isa);
    for (const char *at = list; at && (at = strstr(at, isa)); at += n)
        if ((at == list || at[-1] == ' ') && (at[n] == '\0' || at[n] == ' ')) return true;
    return false;
}

/* For loops over tiers: false when another one was asked for, or when this machine lacks it. */
static inline bool test_tier(const char *isa, dt_kernels *k)
{
    if (*test_isa && strcmp(test_isa, isa) != 0) return false;
    if (dt_kernels_init(k, isa, NULL) == DT_OK) return true;
    if (test_demands(isa)) ck_abort_msg("DETENT_TIERS demands %s, which is refused", isa);
    printf("SKIP: this machine has no %s\n", isa);
    return false;
}

/* Reads the arguments; 0, or the status to exit with. */
static inline int test_start(int argc, char **argv)
{
    dt_kernels k;
    if (argc == 1) return 0;
    if (argc != 3 || strcmp(argv[1], "--isa") != 0) {
        printf("usage: %s [--isa TIER]\n", argv[0]);
        return 2;
    }
    test_isa = argv[2];
    if (dt_kernels_init(&k, test_isa, NULL) == DT_OK) return 0;
    printf("%s: this machine has no %s\n", test_demands(test_isa) ? "FAILED" : "SKIP", test_isa);
    return test_demands(test_isa) ? 1 : 77;
}

#define DT_TEST_MAIN(name, ...) DT_TEST_MAIN_UNLESS(0, name, __VA_ARGS__)

/* The same for tests of data that may be absent: `skip` is evaluated first, and if it is not 0 the
 * exit status is 77. */
#define DT_TEST_MAIN_UNLESS(skip, name, ...)                                                       \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        int status = test_start(argc, argv);                                                       \
        if (status) return status;                                                                 \
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
