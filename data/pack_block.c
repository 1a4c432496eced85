/* The block in front of a packed dataset. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "data/pack.h"

static const unsigned char magic[8] = "DETDATA\n";
enum {
    VERSION_AT = 8,
    CLASSES_AT = 12,
    NUMBERS_AT = 16,
    HASH_BYTES = DT_SHA256_HEX - 1,
    MAX_CLASSES = 100000,
    WINDOW = 1 << 16,
};

static void put_number(unsigned char *to, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (unsigned char)(value >> 8 * i);
}

uint64_t dt_pack_number(const unsigned char *from, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = bytes; i > 0; i--)
        value = value << 8 | from[i - 1];
    return value;
}

/* The u64 fields from NUMBERS_AT on, in their order; version 1 lacks the last two. */
enum { NUMBERS = 12 };
static size_t numbers_of(uint64_t version)
{
    return version == 1 ? NUMBERS - 2 : NUMBERS;
}

size_t dt_pack_hashed(uint64_t version)
{
    return NUMBERS_AT + 8 * numbers_of(version);
}

static void list_numbers(dt_pack_head *h, uint64_t *out[NUMBERS])
{
    uint64_t *const all[NUMBERS] = { &h->length,        &h->count[0],  &h->count[1],
                                     &h->class_size,    &h->name_size, &h->pictures,
                                     &h->picture_bytes, &h->index,     &h->names,
                                     &h->class_names,   &h->height,    &h->width };
    memcpy(out, all, sizeof all);
}

void dt_pack_head_write(const dt_pack_head *h, unsigned char block[DT_PACK_BLOCK])
{
    dt_pack_head copy = *h;
    uint64_t *number[NUMBERS];
    list_numbers(&copy, number);
    memset(block, 0, DT_PACK_BLOCK);
    memcpy(block, magic, sizeof magic);
    put_number(block + VERSION_AT, DT_PACK_VERSION, 4);
    put_number(block + CLASSES_AT, h->classes, 4);
    for (size_t i = 0; i < NUMBERS; i++)
        put_number(block + NUMBERS_AT + 8 * i, *number[i], 8);
}

/* Whether count * size bytes from `at` on lie between the block and the end. */
static bool is_inside(const dt_pack_head *h, uint64_t at, uint64_t count, uint64_t size)
{
    return at >= DT_PACK_BLOCK && at <= h->length && size > 0 && count <= (h->length - at) / size;
}

static bool is_sound(const dt_pack_head *h)
{
    uint64_t n = h->count[0] + h->count[1];
    return h->classes >= 1 && h->classes <= MAX_CLASSES && h->count[0] <= INT32_MAX &&
           h->count[1] <= INT32_MAX && n >= 1 && !h->height == !h->width &&
           h->height <= DT_PICTURE_MAX_SIDE && h->width <= DT_PICTURE_MAX_SIDE &&
           h->class_size <= DT_PACK_MAX_NAME && h->name_size <= DT_PACK_MAX_NAME &&
           is_inside(h, h->pictures, h->picture_bytes, 1) &&
           is_inside(h, h->index, n, 8 * DT_PACK_COLUMNS) &&
           is_inside(h, h->names, n, h->name_size) &&
           is_inside(h, h->class_names, h->classes, h->class_size);
}

dt_status dt_pack_head_read(const unsigned char block[DT_PACK_BLOCK], const char *path,
                            uint64_t file_length, dt_pack_head *out, dt_error *err)
{
    const dt_where where = { .file = path };
    dt_pack_head h = { 0 };
    uint64_t *number[NUMBERS];
    if (memcmp(block, magic, sizeof magic) != 0)
        return dt_fail(err, DT_ERR_FORMAT, &where,
                       "is no packed dataset; detent data pack makes one");
    uint64_t version = dt_pack_number(block + VERSION_AT, 4);
    if (version < 1 || version > DT_PACK_VERSION)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &where, "has format version %llu; 1..%d are read",
                       (unsigned long long)version, DT_PACK_VERSION);
    h.version = version;
    h.classes = dt_pack_number(block + CLASSES_AT, 4);
    list_numbers(&h, number);
    for (size_t i = 0; i < numbers_of(version); i++)
        *number[i] = dt_pack_number(block + NUMBERS_AT + 8 * i, 8);
    if (h.length != file_length)
        return dt_fail(err, DT_ERR_FORMAT, &where, "is cut short or changed: %llu bytes of %llu",
                       (unsigned long long)file_length, (unsigned long long)h.length);
    if (!is_sound(&h))
        return dt_fail(err, DT_ERR_FORMAT, &where, "is damaged: its block makes no sense");
    *out = h;
    return DT_OK;
}

dt_status dt_pack_pread(int fd, const char *path, uint64_t at, void *data, size_t size,
                        dt_error *err)
{
    unsigned char *to = data;
    while (size > 0) {
        ssize_t n = pread(fd, to, size, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            return dt_fail(err, DT_ERR_IO, &(dt_where){ .file = path }, "cannot read: %s",
                           n < 0 ? strerror(errno) : "the file has become shorter");
        to += n;
        at += (uint64_t)n;
        size -= (size_t)n;
    }
    return DT_OK;
}

static dt_status hash_region(dt_sha256 *hash, int fd, const char *path, uint64_t at, uint64_t size,
                             dt_error *err)
{
    unsigned char window[WINDOW];
    while (size > 0) {
        size_t n = size < WINDOW ? (size_t)size : WINDOW;
        DT_TRY(dt_pack_pread(fd, path, at, window, n, err));
        dt_sha256_add(hash, window, n);
        at += n;
        size -= n;
    }
    return DT_OK;
}

dt_status dt_pack_hash(int fd, const char *path, const dt_pack_head *h,
                       const unsigned char block[DT_PACK_BLOCK], char hex[DT_SHA256_HEX],
                       dt_error *err)
{
    dt_sha256 hash;
    uint64_t n = h->count[0] + h->count[1];
    dt_sha256_init(&hash);
    dt_sha256_add(&hash, block, dt_pack_hashed(h->version));
    DT_TRY(hash_region(&hash, fd, path, h->index, n * 8 * DT_PACK_COLUMNS, err));
    DT_TRY(hash_region(&hash, fd, path, h->names, n * h->name_size, err));
    DT_TRY(hash_region(&hash, fd, path, h->class_names, h->classes * h->class_size, err));
    dt_sha256_end(&hash, hex);
    return DT_OK;
}
