/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/torch/torch_archive.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/run.h"

static dt_error err;

/* Describes the storage whose identifier is the pickle `literal`. */
static dt_status describe(const char *bytes, size_t size, dt_torch_storage *out)
{
    static char key[64];
    const dt_torch_archive t = { .path = "f" };
    dt_arena *arena = dt_arena_new(NULL, "test");
    dt_pickle p;
    ck_assert_int_eq(dt_pickle_read("f", (const unsigned char *)bytes, size, arena, NULL, &p, NULL),
                     DT_OK);
    err.text[0] = '\0';
    dt_status st = dt_torch_describe(&t, "w", p.root, out, &err);
    if (st == DT_OK) {
        snprintf(key, sizeof key, "%s", out->key); /* the arena goes */
        out->key = key;
    }
    dt_arena_free(arena);
    return st;
}
#define DESCRIBE(literal) describe(literal "Q.", sizeof(literal "Q.") - 1, &s)

START_TEST(identifiers)
{
    dt_torch_storage s;
    ck_assert_int_eq(DESCRIBE("(U\7storagectorch\nHalfStorage\nU\1aU\3cpuM\1\1t"), DT_OK);
    ck_assert_str_eq(s.key, "a");
    ck_assert_int_eq(s.dtype, DT_F16);
    ck_assert_int_eq(s.count, 257);
    ck_assert_int_eq(DESCRIBE("(U\7storagectorch.storage\nUntypedStorage\nU\1aU\3cpuK\4Nt"), DT_OK);
    ck_assert_int_eq(s.dtype, DT_U8);
#define BAD(literal, status) ck_assert_int_eq(DESCRIBE(literal), status)
    BAD("N", DT_ERR_FORMAT);
    BAD(")", DT_ERR_FORMAT);
    BAD("(U\6modulectorch\nHalfStorage\nU\1aU\3cpuK\1t", DT_ERR_FORMAT);
    BAD("(U\7storagectorch\nHalfStorage\nU\0U\3cpuK\1t", DT_ERR_FORMAT);
    BAD("(U\7storagectorch\nHalfStorage\nU\3a\0bU\3cpuK\1t", DT_ERR_FORMAT);
    BAD("(U\7storagectorch\nHalfStorage\nK\1U\3cpuK\1t", DT_ERR_FORMAT);
    BAD("(U\7storagectorch\nHalfStorage\nU\1aU\3cpuJ\377\377\377\377t", DT_ERR_FORMAT);
    BAD("(U\7storageU\1xU\1aU\3cpuK\1t", DT_ERR_FORMAT);
    BAD("(U\7storagectorch\nHalfStorage\n)RU\1aU\3cpuK\1t", DT_ERR_FORMAT);     /* a call */
    BAD("(U\7storagectorch\nHalfStorage\nU\1aU\3cpuK\1)t", DT_ERR_UNSUPPORTED); /* a view */
    BAD("(U\7storagecposix\nsystem\nU\1aU\3cpuK\1t", DT_ERR_UNSUPPORTED);
    ck_assert_str_eq(err.text, "f: w: refuses the global 'posix system' as an element type");
}
END_TEST

START_TEST(neither_layout)
{
    dt_torch_archive t;
    ck_assert_int_eq(dt_torch_open("f", (const unsigned char *)"", 0, NULL, &t, &err),
                     DT_ERR_FORMAT);
    ck_assert_str_eq(err.text, "f: is no PyTorch file");
    dt_torch_close(NULL);
}
END_TEST

DT_TEST_MAIN("torch_archive", identifiers, neither_layout)
