/* OpenBLAS is there when it is wanted, and refused in a line where it would not fit. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/blas.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/memory.h"
#include "tests/support/run.h"

enum { MIB = 1 << 20, REFUSED = 3, LOADED = 4 };

/* In a process of its own, with so much room more than it has. */
static int load_within(size_t room, char *text, size_t size)
{
    int ends[2], status = -1;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        dt_error err = { .text = "" };
        struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY }, now = none;
        now.rlim_cur = 1u << 30;
        if (setrlimit(RLIMIT_AS, &now) != 0) _exit(1);
        now.rlim_cur = (1u << 30) - dt_memory_address_room() + room;
        if (setrlimit(RLIMIT_AS, &now) != 0) _exit(1);
        alarm(20); /* it hangs where the check is wrong */
        dt_status st = dt_blas_load(1, &err);
        if (write(ends[1], err.text, strlen(err.text)) < 0) _exit(1);
        _exit(st == DT_OK ? LOADED : st == DT_ERR_NOMEM ? REFUSED : 2);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], text, size - 1);
    text[n > 0 ? n : 0] = '\0';
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Before any other test has loaded it. Address and thread sanitizers map terabytes. */
START_TEST(where_it_does_not_fit_it_is_refused)
{
    ck_assert_uint_lt(dt_blas_room(1), dt_blas_room(64));
    if (DT_ASAN || DT_TSAN) return;
    char text[300];
    size_t enough = dt_blas_room(1);
    ck_assert_int_eq(load_within(100 * (size_t)MIB, text, sizeof text), REFUSED);
    ck_assert_msg(strstr(text, "ulimit -v") && strstr(text, "OpenBLAS"), "%s", text);
    ck_assert_int_eq(load_within(enough - 8 * (size_t)MIB, text, sizeof text), REFUSED);
    ck_assert_msg(load_within(enough + 8 * (size_t)MIB, text, sizeof text) == LOADED, "%s", text);
}
END_TEST

START_TEST(its_functions_are_there)
{
    dt_error err = { .text = "" };
    char name[96];
    ck_assert_msg(dt_blas_load(2, &err) == DT_OK, "%s", err.text);
    ck_assert_int_eq(dt_blas_load(2, NULL), DT_OK);
    const dt_blas *b = dt_blas_get();
    void *const *all = (void *const *)(const void *)b;
    for (size_t i = 0; i < sizeof *b / sizeof *all; i++)
        ck_assert_ptr_nonnull(all[i]);
    const float x[] = { 1, 2, 3, 4 }, y[] = { 5, 6, 7, 8 };
    float z[4] = { 0 };
    b->set_num_threads(1);
    b->sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, 2, 2, 2, 1, x, 2, y, 2, 0, z, 2);
    ck_assert(z[0] == 19 && z[1] == 22 && z[2] == 43 && z[3] == 50);
    dt_blas_name(name, sizeof name);
    ck_assert_msg(strncmp(name, "OpenBLAS ", 9) == 0 && strstr(name, b->get_corename()), "%s",
                  name);
}
END_TEST

DT_TEST_MAIN("blas", where_it_does_not_fit_it_is_refused, its_functions_are_there)
