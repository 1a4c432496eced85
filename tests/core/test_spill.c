/* Memory that is a file's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/spill.h"
#include "tests/support/run.h"

static int count_files(const char *dir)
{
    DIR *d = opendir(dir);
    int count = 0;
    ck_assert_ptr_nonnull(d);
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return count;
}

START_TEST(it_is_memory_and_leaves_nothing)
{
    enum { N = 3 };
    char dir[] = "/tmp/detent-test-XXXXXX";
    const size_t bytes[N] = { 1, 5000, 3 << 20 };
    unsigned char *at[N];
    dt_dir folder;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(dt_dir_hold(&folder, dir, NULL), DT_OK);
    for (int i = 0; i < N; i++) {
        void *memory;
        ck_assert_int_eq(dt_spill_get(&folder, bytes[i], &memory, NULL), DT_OK);
        at[i] = memory;
        ck_assert_int_eq((uintptr_t)memory % 64, 0);
        for (size_t k = 0; k < bytes[i]; k += 997)
            ck_assert_int_eq(at[i][k], 0);
        memset(at[i], i + 1, bytes[i]);
    }
    ck_assert_int_eq(count_files(dir), 0);
    for (int i = 0; i < N; i++) {
        ck_assert(at[i][0] == i + 1 && at[i][bytes[i] - 1] == i + 1);
        dt_spill_put(at[i]);
    }
    dt_spill_put(NULL);
    dt_dir_release(&folder);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(no_room_is_told)
{
    char dir[] = "/tmp/detent-test-XXXXXX";
    struct rlimit old;
    dt_dir folder;
    dt_error err;
    void *memory;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(dt_dir_hold(&folder, dir, NULL), DT_OK);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    const struct rlimit limit = { 1 << 16, old.rlim_max };
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    dt_status st = dt_spill_get(&folder, 1 << 20, &memory, &err);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    ck_assert_int_eq(st, DT_ERR_IO);
    ck_assert(memory == NULL && strstr(err.text, dir) && strstr(err.text, "cannot give room to"));
    ck_assert_int_eq(dt_spill_get(&folder, SIZE_MAX, &memory, &err), DT_ERR_NOMEM);
    ck_assert_int_eq(count_files(dir), 0);
    dt_dir_release(&folder);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

DT_TEST_MAIN("spill", it_is_memory_and_leaves_nothing, no_room_is_told)
