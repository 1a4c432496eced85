/* Reading flatbuffers back, by the format's own rules, every position checked. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_EXPORT_FB_READ_H
#define DT_TESTS_EXPORT_FB_READ_H

#include <check.h>
#include <stdint.h>
#include <string.h>

typedef struct fb_file {
    const unsigned char *bytes;
    size_t size;
} fb_file;

static inline int64_t fb_number(fb_file f, size_t at, int size)
{
    uint64_t v = 0;
    ck_assert_uint_le(at + (size_t)size, f.size);
    ck_assert_uint_eq(at % (size_t)size, 0);
    for (int i = 0; i < size; i++)
        v |= (uint64_t)f.bytes[at + (size_t)i] << 8 * i;
    return size == 8 ? (int64_t)v : size == 4 ? (int32_t)v : size == 2 ? (int64_t)v : (int8_t)v;
}

/* Where the distance at `at` leads. */
static inline size_t fb_follow(fb_file f, size_t at)
{
    int64_t distance = fb_number(f, at, 4);
    ck_assert_int_gt(distance, 0);
    return at + (size_t)distance;
}

static inline size_t fb_root(fb_file f)
{
    return fb_follow(f, 0);
}

/* Position of a field; 0: absent. */
static inline size_t fb_field(fb_file f, size_t table, int slot)
{
    size_t vtable = table - (size_t)fb_number(f, table, 4);
    ck_assert_int_lt(fb_number(f, vtable + 2, 2), 1 << 12);
    if (4 + 2 * slot >= fb_number(f, vtable, 2)) return 0;
    size_t offset = (size_t)fb_number(f, vtable + 4 + 2 * (size_t)slot, 2);
    ck_assert_int_lt((int64_t)offset, fb_number(f, vtable + 2, 2));
    return offset ? table + offset : 0;
}

static inline int64_t fb_get(fb_file f, size_t table, int slot, int size)
{
    size_t at = fb_field(f, table, slot);
    return at ? fb_number(f, at, size) : 0;
}

/* The object of a field, which must be there. */
static inline size_t fb_object(fb_file f, size_t table, int slot)
{
    size_t at = fb_field(f, table, slot);
    ck_assert_uint_gt(at, 0);
    return fb_follow(f, at);
}

static inline size_t fb_count(fb_file f, size_t vector)
{
    return (size_t)fb_number(f, vector, 4);
}

/* Object i of a vector of objects. */
static inline size_t fb_item(fb_file f, size_t vector, size_t i)
{
    ck_assert_uint_lt(i, fb_count(f, vector));
    return fb_follow(f, vector + 4 + 4 * i);
}

static inline const char *fb_text(fb_file f, size_t vector)
{
    size_t n = fb_count(f, vector);
    ck_assert_uint_lt(vector + 4 + n, f.size);
    ck_assert_int_eq(f.bytes[vector + 4 + n], 0);
    return (const char *)f.bytes + vector + 4;
}

#endif
