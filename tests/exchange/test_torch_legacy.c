/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/torch/torch_archive.h"
#include "tests/exchange/legacy.h"
#include "tests/support/run.h"

static dt_error err;

static dt_status open_file(const legacy_file *f)
{
    dt_torch_archive t;
    err.text[0] = '\0';
    dt_status st = dt_torch_open("f", f->bytes, f->size, NULL, &t, &err);
    if (st == DT_OK) dt_torch_close(&t);
    return st;
}

#define OPEN(head, object, keys, count)                                                            \
    (f.size = 0, LEGACY_ADD(&f, head), LEGACY_ADD(&f, object), LEGACY_ADD(&f, keys),               \
     legacy_add_storage(&f, count), open_file(&f))
#define HEAD LEGACY_MAGIC LEGACY_PROTOCOL LEGACY_LITTLE
#define ONE LEGACY_STORAGE("K\1") "."

START_TEST(heads)
{
    legacy_file f;
    ck_assert_int_eq(OPEN(HEAD, ONE, LEGACY_KEYS, 1), DT_OK);
    ck_assert_int_eq(OPEN(LEGACY_MAGIC "\x80\2M\xe8\3." LEGACY_LITTLE, ONE, LEGACY_KEYS, 1),
                     DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "f: unknown protocol"));
    ck_assert_int_eq(
        OPEN(LEGACY_MAGIC LEGACY_PROTOCOL "}X\15\0\0\0little_endian\x89s.", ONE, LEGACY_KEYS, 1),
        DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "f: is not little endian"));
    ck_assert_int_eq(OPEN(LEGACY_MAGIC LEGACY_PROTOCOL "}.", ONE, LEGACY_KEYS, 1), DT_ERR_FORMAT);
}
END_TEST

START_TEST(storages)
{
    legacy_file f;
    ck_assert_int_eq(OPEN(HEAD, ONE, "](U\0011e.", 1), DT_ERR_FORMAT); /* lists another */
    ck_assert_int_eq(OPEN(HEAD, ONE, "](K\1e.", 1), DT_ERR_FORMAT);
    f.size = 0; /* twice, with data for both */
    LEGACY_ADD(&f, HEAD ONE "](U\0010U\0010e.");
    legacy_add_storage(&f, 1);
    legacy_add_storage(&f, 1);
    ck_assert_int_eq(open_file(&f), DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "or one twice"));
    ck_assert_int_eq(OPEN(HEAD, ONE, "N.", 1), DT_ERR_FORMAT);
    ck_assert_int_eq(OPEN(HEAD, ONE, LEGACY_KEYS, 2), DT_ERR_FORMAT);
    ck_assert_int_eq(OPEN(HEAD, ONE, LEGACY_KEYS, UINT64_MAX), DT_ERR_FORMAT);
    ck_assert_int_eq(
        OPEN(HEAD, LEGACY_STORAGE("K\1") LEGACY_STORAGE("K\2") "\x86.", LEGACY_KEYS, 1),
        DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "described in two ways"));
    ck_assert_int_eq(OPEN(HEAD, ONE, LEGACY_KEYS, 1), DT_OK);
    LEGACY_ADD(&f, "x");
    ck_assert_int_eq(open_file(&f), DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "f: has bytes behind its last storage"));
}
END_TEST

START_TEST(one_that_is_not_listed_fails_when_it_is_wanted)
{
    legacy_file f = { .size = 0 };
    LEGACY_ADD(&f, HEAD ONE "].");
    dt_torch_archive t;
    dt_torch_storage s;
    ck_assert_int_eq(dt_torch_open("f", f.bytes, f.size, NULL, &t, &err), DT_OK);
    ck_assert_int_eq(dt_torch_get(&t, "w", t.object.root, &s, &err), DT_ERR_FORMAT);
    ck_assert_str_eq(err.text, "f: w: storage '0' is not in the file");
    dt_torch_close(&t);
}
END_TEST

DT_TEST_MAIN("torch_legacy", heads, storages, one_that_is_not_listed_fails_when_it_is_wanted)
