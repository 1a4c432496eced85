/* PyTorch files of the legacy layout, made by hand around an object's pickle. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_EXPORT_LEGACY_H
#define DT_TESTS_EXPORT_LEGACY_H

#include <stdint.h>
#include <string.h>

#define LEGACY_MAGIC "\x80\2\x8a\12\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
#define LEGACY_PROTOCOL "\x80\2M\xe9\3."
#define LEGACY_LITTLE "}X\15\0\0\0little_endian\x88s."
#define LEGACY_KEYS "](U\0010e."
/* Persistent identifier of storage "0" with a pickled element count. */
#define LEGACY_STORAGE(numel) "(U\7storagectorch\nFloatStorage\nU\0010U\3cpu" numel "tQ"

typedef struct legacy_file {
    unsigned char bytes[2048];
    size_t size;
} legacy_file;

static inline void legacy_add(legacy_file *f, const char *bytes, size_t size)
{
    memcpy(f->bytes + f->size, bytes, size);
    f->size += size;
}
#define LEGACY_ADD(f, literal) legacy_add(f, literal, sizeof(literal) - 1)

/* A storage of `count` floats, all zero; of a large one only the count. */
static inline void legacy_add_storage(legacy_file *f, uint64_t count)
{
    for (int i = 0; i < 8; i++)
        f->bytes[f->size++] = (unsigned char)(count >> 8 * i);
    for (uint64_t i = 0; count < 64 && i < 4 * count; i++)
        f->bytes[f->size++] = 0;
}

#endif
