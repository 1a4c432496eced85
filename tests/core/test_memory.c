/* SPDX-License-Identifier: Apache-2.0 */
#include "core/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "tests/support/run.h"

START_TEST(sizes_are_read)
{
    static const struct {
        const char *text;
        size_t bytes; /* 0: refused */
    } cases[] = {
        { "1", 1 },
        { "1000", 1000 },
        { "2k", 2048 },
        { "3M", 3 << 20 },
        { "1G", 1 << 30 },
        { "2T", 2ull << 40 },
        { "", 0 },
        { "0", 0 },
        { "G", 0 },
        { "-1G", 0 },
        { "1GB", 0 },
        { " 1", 0 },
        { "1.5G", 0 },
        { "99999999999T", 0 },
        { "1e9", 0 },
        { "0x10", 0 },
        { "18446744073709551616", 0 },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        size_t bytes = 0;
        ck_assert_msg(dt_memory_parse(cases[i].text, &bytes) == (cases[i].bytes != 0), "%s",
                      cases[i].text);
        ck_assert_uint_eq(bytes, cases[i].bytes);
    }
}
END_TEST

static void put(const char *root, const char *path, const char *text)
{
    char folder[256], file[512];
    snprintf(file, sizeof file, "%s/%s", root, path);
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(file, '/') - file), file);
    ck_assert_int_eq(dt_dir_make(folder, NULL), DT_OK);
    FILE *f = fopen(file, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void remove_root(const char *root)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", root);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(the_least_of_machine_and_groups)
{
    char root[] = "/tmp/detent-test-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(root));
    ck_assert_uint_eq(dt_memory_available(root), SIZE_MAX);
    put(root, "proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    5000 kB\n");
    ck_assert_uint_eq(dt_memory_available(root), 5000 * 1024);

    /* Version 2: the group above has the limit; what is only cached is room. */
    put(root, "proc/self/cgroup", "0::/a/b\n");
    put(root, "sys/fs/cgroup/a/b/memory.max", "max\n");
    put(root, "sys/fs/cgroup/a/memory.max", "3000000\n");
    put(root, "sys/fs/cgroup/a/memory.current", "1000000\n");
    put(root, "sys/fs/cgroup/a/memory.stat", "anon 5\ninactive_file 400000\n");
    ck_assert_uint_eq(dt_memory_available(root), 2400000);

    /* Version 1, in a container: its path does not lead below the mount, which is its own group. */
    put(root, "proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/docker/x\n0::/\n");
    put(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000\n");
    put(root, "sys/fs/cgroup/memory/memory.usage_in_bytes", "1500000\n");
    put(root, "sys/fs/cgroup/memory/memory.stat", "inactive_file 7\ntotal_inactive_file 100000\n");
    ck_assert_uint_eq(dt_memory_available(root), 600000);
    put(root, "sys/fs/cgroup/memory/memory.usage_in_bytes", "2500000\n");
    ck_assert_uint_eq(dt_memory_available(root), 0);
    remove_root(root);
    ck_assert_uint_ge(dt_memory_resident(), 100000);
}
END_TEST

DT_TEST_MAIN("memory", sizes_are_read, the_least_of_machine_and_groups)
