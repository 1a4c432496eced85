/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "core/compiler.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/run.h"

START_TEST(memory_is_zeroed_and_aligned)
{
    unsigned char *p = dt_get(NULL, 1000, "test");
    ck_assert_uint_eq((uintptr_t)p % DT_ALIGN, 0);
    for (int i = 0; i < 1000; i++)
        ck_assert_uint_eq(p[i], 0);
    dt_put(NULL, p);
    dt_put(NULL, NULL);
    ck_assert_ptr_null(dt_get_array(NULL, SIZE_MAX / 2, 3, "test"));
}
END_TEST

START_TEST(growing_keeps_the_content)
{
    int *a = NULL;
    size_t capacity = 0;
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(
            dt_grow(NULL, (void **)&a, &capacity, (size_t)i + 1, sizeof *a, "ints", NULL), DT_OK);
        a[i] = i;
    }
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(a[i], i);
    ck_assert_int_eq(dt_grow(NULL, (void **)&a, &capacity, SIZE_MAX, sizeof *a, "ints", NULL),
                     DT_ERR_NOMEM);
    ck_assert_int_eq(a[99], 99);
    dt_put(NULL, a);
}
END_TEST

START_TEST(arena_pieces_do_not_overlap)
{
    dt_arena *arena = dt_arena_new(NULL, "test");
    unsigned char *small = dt_arena_get(arena, 10), *large = dt_arena_get(arena, 1000000);
    memset(small, 1, 10);
    memset(large, 2, 1000000);
    ck_assert_uint_eq(small[9], 1);
    ck_assert_str_eq(dt_arena_printf(arena, "layer%d.%s", 3, "conv1"), "layer3.conv1");
    ck_assert_str_eq(dt_arena_strdup(arena, "x"), "x");
    ck_assert_ptr_null(dt_arena_get(arena, SIZE_MAX));
    dt_arena_free(arena);
    dt_arena_free(NULL);
}
END_TEST

/* What the system notes of the memory that `p` lies in, "" where it does not tell. */
static void flags_at(const void *p, char *flags, size_t size)
{
    char line[512];
    bool inside = false;
    FILE *f = fopen("/proc/self/smaps", "r");
    flags[0] = 0;
    while (f && fgets(line, sizeof line, f)) {
        unsigned long first, end;
        if (sscanf(line, "%lx-%lx ", &first, &end) == 2)
            inside = (uintptr_t)p >= first && (uintptr_t)p < end;
        if (inside && strncmp(line, "VmFlags:", 8) == 0) snprintf(flags, size, "%s", line);
    }
    if (f) fclose(f);
}

static bool has_large_pages(void)
{
    FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
    if (f) fclose(f);
    return f != NULL;
}

START_TEST(large_memory_asks_for_large_pages)
{
    const size_t size = ((size_t)9 << 20) + 5;
    char flags[512];
    unsigned char *p = dt_get(NULL, size, "test");
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq((uintptr_t)p % DT_ALIGN, 0);
    ck_assert_uint_eq(p[0] | p[size / 2] | p[size - 1], 0);
    memset(p, 1, size);
    flags_at(p + (size >> 1), flags, sizeof flags);
    if (has_large_pages() && flags[0]) ck_assert_msg(strstr(flags, " hg"), "%s", flags);
    dt_put(NULL, p);
    /* AddressSanitizer's allocator ends the process where this one has nothing. */
    if (!DT_ASAN) ck_assert_ptr_null(dt_get(NULL, SIZE_MAX - 2 * DT_ALIGN, "test"));
}
END_TEST

DT_TEST_MAIN("alloc", memory_is_zeroed_and_aligned, growing_keeps_the_content,
             arena_pieces_do_not_overlap, large_memory_asks_for_large_pages)
