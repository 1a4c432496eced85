/* Protobuf messages by hand, for files that no writer of ours makes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_EXCHANGE_WIRE_MAKE_H
#define DT_TESTS_EXCHANGE_WIRE_MAKE_H

#include <string.h>

#include "tests/support/run.h"

typedef struct wire {
    unsigned char byte[1 << 14];
    size_t size;
} wire;

static inline void wire_number(wire *w, uint64_t n)
{
    do {
        ck_assert_uint_lt(w->size, sizeof w->byte);
        w->byte[w->size++] = (unsigned char)((n & 127) | (n > 127 ? 128 : 0));
    } while (n >>= 7);
}

static inline void wire_int(wire *w, int field, uint64_t n)
{
    wire_number(w, (uint64_t)field << 3);
    wire_number(w, n);
}

static inline void wire_bytes(wire *w, int field, const void *data, size_t size)
{
    wire_number(w, (uint64_t)field << 3 | 2);
    wire_number(w, size);
    ck_assert_uint_le(w->size + size, sizeof w->byte);
    memcpy(w->byte + w->size, data, size);
    w->size += size;
}

static inline void wire_text(wire *w, int field, const char *text)
{
    wire_bytes(w, field, text, strlen(text));
}

static inline void wire_inside(wire *w, int field, const wire *message)
{
    wire_bytes(w, field, message->byte, message->size);
}

#endif
