/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/torch/pickle.h"

#include <string.h>

#include "tests/support/failalloc.h"
#include "tests/support/run.h"

/* Reads a pickle given as a string literal; its final NUL is not part of it. */
#define READ(literal, out, err)                                                                    \
    dt_pickle_read("p", (const unsigned char *)(literal), sizeof(literal) - 1, arena, NULL, out,   \
                   err)

static dt_arena *arena;

static dt_pickle_value *root_of(const char *bytes, size_t size)
{
    dt_pickle p = { 0 };
    dt_error err = { 0 };
    dt_status st = dt_pickle_read("p", (const unsigned char *)bytes, size, arena, NULL, &p, &err);
    ck_assert_msg(st == DT_OK, "%s", err.text);
    ck_assert_uint_eq(p.size, size);
    return p.root;
}
#define ROOT(literal) root_of(literal, sizeof(literal) - 1)

START_TEST(numbers)
{
    arena = dt_arena_new(NULL, "test");
    ck_assert_int_eq(ROOT("\x80\2K\xff.")->integer, 255);
    ck_assert_int_eq(ROOT("M\1\2.")->integer, 513);
    ck_assert_int_eq(ROOT("J\xfe\xff\xff\xff.")->integer, -2);
    ck_assert_int_eq(ROOT("J\xff\xff\xff\x7f.")->integer, INT32_MAX);
    ck_assert_int_eq(ROOT("\x8a\0.")->integer, 0);
    ck_assert_int_eq(ROOT("\x8a\1\x80.")->integer, -128);
    ck_assert_int_eq(ROOT("\x8a\2\xff\0.")->integer, 255);
    ck_assert_int_eq(ROOT("\x8a\10\0\0\0\0\0\0\0\x80.")->integer, INT64_MIN);
    dt_pickle_value *big = ROOT("\x8a\11\1\0\0\0\0\0\0\0\1.");
    ck_assert_int_eq(big->kind, DT_PICKLE_BIGINT);
    ck_assert_uint_eq(big->size, 9);
    ck_assert(ROOT("G\x40\x09\x21\xfb\x54\x44\x2d\x18.")->number == 0x1.921fb54442d18p+1);
    ck_assert_int_eq(ROOT("\x88.")->integer, 1);
    ck_assert_int_eq(ROOT("\x89.")->integer, 0);
    ck_assert_int_eq(ROOT("N.")->kind, DT_PICKLE_NONE);
    dt_arena_free(arena);
}
END_TEST

START_TEST(collections_and_memo)
{
    arena = dt_arena_new(NULL, "test");
    dt_pickle_value *v = ROOT("(K\1K\2K\3t.");
    ck_assert_int_eq(v->kind, DT_PICKLE_TUPLE);
    ck_assert_uint_eq(v->count, 3);
    ck_assert_int_eq(v->item[2]->integer, 3);
    ck_assert_uint_eq(ROOT("(t.")->count, 0); /* a mark on a stack that was never used */
    v = ROOT("]q\0(K\1h\0eK\7a.");            /* a list that holds itself */
    ck_assert_uint_eq(v->count, 3);
    ck_assert_ptr_eq(v->item[1], v);
    ck_assert_int_eq(v->item[2]->integer, 7);
    v = ROOT("}(X\1\0\0\0aK\1\x8c\1bK\2uU\1cK\3s.");
    ck_assert_int_eq(dt_pickle_find(v, "a")->integer, 1);
    ck_assert_int_eq(dt_pickle_find(v, "b")->integer, 2);
    ck_assert_int_eq(dt_pickle_find(v, "c")->integer, 3);
    ck_assert_ptr_null(dt_pickle_find(v, "d"));
    v = ROOT("K\1r\0\1\0\0K\2j\0\1\0\0\x87."); /* 1, 2, 1 */
    ck_assert_int_eq(v->item[0]->integer, 1);
    ck_assert_int_eq(v->item[2]->integer, 1);
    v = ROOT("\x8f(K\1\x90.");
    ck_assert_int_eq(v->kind, DT_PICKLE_SET);
    ck_assert_uint_eq(v->count, 1);
    v = ROOT("K\5\x94K\6\x94h\0\x86."); /* memo numbered by order: 6, 5 */
    ck_assert_int_eq(v->item[1]->integer, 5);
    dt_arena_free(arena);
}
END_TEST

START_TEST(calls_are_only_nodes)
{
    arena = dt_arena_new(NULL, "test");
    dt_pickle_value *v = ROOT("cposix\nsystem\nX\2\0\0\0ls\x85R.");
    ck_assert_int_eq(v->kind, DT_PICKLE_CALL);
    ck_assert_str_eq(dt_pickle_global(v), "posix system");
    ck_assert(dt_pickle_is(v->item[1]->item[0], DT_PICKLE_STR, "ls"));
    v = ROOT("\x8c\1m\x8c\1n\x93)\x81}b."); /* state is dropped, the object stays */
    ck_assert_str_eq(dt_pickle_global(v), "m n");
    v = ROOT("cm\nn\n)R(K\1K\2uK\3a."); /* so are an unknown object's items */
    ck_assert_int_eq(v->kind, DT_PICKLE_CALL);
    v = ROOT("ccollections\nOrderedDict\n)R(X\1\0\0\0aK\1u}b.");
    ck_assert_int_eq(dt_pickle_find(v, "a")->integer, 1);
    v = ROOT("ccollections\nOrderedDict\n](](X\1\0\0\0aK\1ee\x85R."); /* as Python 2 writes it */
    ck_assert_int_eq(dt_pickle_find(v, "a")->integer, 1);
    dt_pickle p;
    ck_assert_int_eq(READ("K\1Q]K\2Qa.", &p, NULL), DT_OK);
    ck_assert_uint_eq(p.persid_count, 2);
    ck_assert_int_eq(p.persid[1]->item[0]->integer, 2);
    dt_arena_free(arena);
}
END_TEST

START_TEST(damaged_ones_are_refused)
{
    arena = dt_arena_new(NULL, "test");
    dt_pickle p;
    dt_error err;
#define BAD(literal) ck_assert_int_eq(READ(literal, &p, &err), DT_ERR_FORMAT)
    BAD("");
    BAD(".");
    BAD("K");
    BAD("K\1");
    BAD("t.");
    BAD("e.");
    BAD("K\1(\x85."); /* below the mark */
    BAD("\x87.");
    BAD("K\1K\2a.");
    BAD("K\1a.");
    BAD("](K\1u.");
    BAD("}(K\1u."); /* a key without a value */
    BAD("h\0.");
    BAD("j\377\377\377\377.");
    BAD("K\1r\377\377\377\377."); /* would need 32 GiB of memo */
    BAD("X\377\377\377\377a.");
    BAD("X\1\0\0\200a.");
    BAD("\x8a\377\1.");
    BAD("cposix\nsystem");
    BAD("cposix\n\n.");
    BAD("K\1K\2R.");
    BAD("(q\0.");
    BAD("K\1K\2\x93.");
    BAD("ccollections\nOrderedDict\n](K\1e\x85R.");
    ck_assert_int_eq(READ("cm\nn\ni.", &p, &err), DT_ERR_UNSUPPORTED); /* INST */
    ck_assert_str_eq(err.text, "p: pickle byte 5: opcode 0x69 is none that a tensor file needs");
    dt_arena_free(arena);
}
END_TEST

START_TEST(bombs_hit_a_limit)
{
    arena = dt_arena_new(NULL, "test");
    dt_pickle p;
    dt_error err;
    const size_t n = (size_t)DT_PICKLE_MAX_VALUES + 2;
    unsigned char *bytes = dt_get(NULL, n, "test");
    memset(bytes, '(', n);
    ck_assert_int_eq(dt_pickle_read("p", bytes, n, arena, NULL, &p, &err), DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "too deep"));
    /* One list of 1000 pairs, copied into dictionaries until the limit. */
    static const char make[] = "ccollections\nOrderedDict\nh\0\x85R";
    size_t at = 0;
    memcpy(bytes, "]q\0(", 4);
    at += 4;
    for (int i = 0; i < 1000; i++, at += 5)
        memcpy(bytes + at, "K\1K\1\x86", 5);
    bytes[at++] = 'e';
    for (; at + sizeof make < n; at += sizeof make - 1)
        memcpy(bytes + at, make, sizeof make - 1);
    ck_assert_int_eq(dt_pickle_read("p", bytes, at, arena, NULL, &p, &err), DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "too many values"));
    dt_put(NULL, bytes);
    dt_arena_free(arena);
}
END_TEST

START_TEST(every_failed_allocation_is_reported)
{
    static const char pickle[] = "cm\nn\n)R](}X\1\0\0\0aK\1sK\1K\2\x86Qq\0e\x86.";
    for (size_t at = 1;; at++) {
        failalloc f;
        failalloc_init(&f, at);
        dt_pickle p;
        dt_arena *own = dt_arena_new(&f.alloc, "test");
        dt_status st = own ? dt_pickle_read("p", (const unsigned char *)pickle, sizeof pickle - 1,
                                            own, &f.alloc, &p, NULL)
                           : DT_ERR_NOMEM;
        dt_arena_free(own);
        ck_assert_uint_eq(f.live, 0);
        ck_assert_int_eq(st, f.calls < at ? DT_OK : DT_ERR_NOMEM);
        if (st == DT_OK) break;
    }
}
END_TEST

DT_TEST_MAIN("pickle", numbers, collections_and_memo, calls_are_only_nodes,
             damaged_ones_are_refused, bombs_hit_a_limit, every_failed_allocation_is_reported)
