/* SPDX-License-Identifier: Apache-2.0 */
#include "train/store/container.h"

#include <string.h>

#include "core/atomic.h"
#include "exchange/import.h"
#include "tests/support/failalloc.h"
#include "tests/support/run.h"
#include "tests/support/sets.h"
#include "tests/support/tempdir.h"

static unsigned char *written(const dt_tensors *set, size_t *size)
{
    tempdir t;
    unsigned char *bytes;
    dt_error err = { 0 };
    tempdir_init(&t, "x.h5");
    dt_status st = dt_container_write(NULL, t.file, set, &err);
    ck_assert_msg(st == DT_OK, "%s", err.text);
    ck_assert_int_eq(dt_file_read(NULL, t.file, 1 << 24, &bytes, size, NULL), DT_OK);
    tempdir_fini(&t);
    return bytes;
}

static dt_status read_back(const unsigned char *bytes, size_t size, const dt_alloc *a,
                           dt_tensors *out, dt_error *err)
{
    dt_tensors set;
    DT_TRY(dt_tensors_init(&set, a, err));
    dt_status st = dt_container_read_bytes("f", bytes, size, a, &set, err);
    if (st == DT_OK)
        *out = set;
    else
        dt_tensors_fini(&set);
    return st;
}

START_TEST(round_trip_through_a_file)
{
    tempdir t;
    dt_tensors set, back, imported;
    tempdir_init(&t, "x.h5");
    set_make(&set);
    ck_assert_int_eq(dt_container_write(NULL, t.file, &set, NULL), DT_OK);
    ck_assert_int_eq(dt_container_write(NULL, t.file, &set, NULL), DT_OK); /* replaces */
    ck_assert_int_eq(dt_container_read(NULL, t.file, NULL, &back, NULL), DT_OK);
    set_expect_equal(&set, &back, true);
    ck_assert_int_eq(dt_import_file(t.file, NULL, &imported, NULL), DT_OK);
    set_expect_equal(&set, &imported, true);
    dt_tensors_fini(&imported);
    dt_tensors_fini(&back);
    dt_tensors_fini(&set);
    tempdir_fini(&t);
}
END_TEST

START_TEST(odd_names_long_texts_and_many_tensors)
{
    static const char *const names[] = { ".",       "..", "a/b", "%",   "%2F",
                                         "%text:x", "/",  "a b", "./x", "\xc3\xa9" };
    dt_tensors set, back;
    ck_assert_int_eq(dt_tensors_init(&set, NULL, NULL), DT_OK);
    for (size_t i = 0; i < DT_ARRAY_LEN(names); i++) {
        ck_assert_int_eq(dt_tensors_add(&set, names[i], DT_U8, &DT_SHAPE(1), NULL, NULL), DT_OK);
        *(unsigned char *)dt_tensors_data(&set, i) = (unsigned char)i;
        ck_assert_int_eq(dt_tensors_set_attr(&set, names[i], names[i], NULL), DT_OK);
    }
    for (int i = 0; i < 300; i++) {
        char name[32];
        snprintf(name, sizeof name, "layer%d.weight", i * 7 % 300);
        ck_assert_int_eq(dt_tensors_add(&set, name, DT_F32, &DT_SHAPE(2), NULL, NULL), DT_OK);
    }
    static const size_t lengths[] = { 0, 1, 31999, 32000, 65536, DT_CONTAINER_TEXT_MAX - 1 };
    char *text = dt_get(NULL, DT_CONTAINER_TEXT_MAX + 1, "test");
    for (size_t i = 0; i < DT_ARRAY_LEN(lengths); i++) {
        char key[32];
        memset(text, 'a' + (int)i, lengths[i]);
        text[lengths[i]] = '\0';
        snprintf(key, sizeof key, "text/%zu", lengths[i]);
        ck_assert_int_eq(dt_tensors_set_attr(&set, key, text, NULL), DT_OK);
    }
    size_t size;
    unsigned char *bytes = written(&set, &size);
    ck_assert_int_eq(read_back(bytes, size, NULL, &back, NULL), DT_OK);
    set_expect_equal(&set, &back, true);
    dt_put(NULL, bytes);
    dt_tensors_fini(&back);
    memset(text, 'x', DT_CONTAINER_TEXT_MAX);
    ck_assert_int_eq(dt_tensors_set_attr(&set, "long", text, NULL), DT_OK);
    ck_assert_int_eq(dt_container_write(NULL, "/tmp/detent-never", &set, NULL), DT_ERR_ARG);
    dt_put(NULL, text);
    dt_tensors_fini(&set);
}
END_TEST

/* A large net has thousands of tensors, and a text for each site. */
START_TEST(what_is_written_is_read_again)
{
    dt_tensors set, back;
    dt_error err = { 0 };
    size_t size;
    ck_assert_int_eq(dt_tensors_init(&set, NULL, NULL), DT_OK);
    for (int i = 0; i <= 1 << 16; i++) {
        char key[32];
        snprintf(key, sizeof key, "site%d", i);
        ck_assert_int_eq(dt_tensors_add(&set, key, DT_U8, &DT_SHAPE(1), NULL, NULL), DT_OK);
        if (i < 3000) ck_assert_int_eq(dt_tensors_set_attr(&set, key, "lsq", NULL), DT_OK);
        if (i != 8000) continue;
        unsigned char *bytes = written(&set, &size);
        ck_assert_int_eq(read_back(bytes, size, NULL, &back, NULL), DT_OK);
        set_expect_equal(&set, &back, true);
        dt_put(NULL, bytes);
        dt_tensors_fini(&back);
    }
    ck_assert_int_eq(dt_container_write(NULL, "/tmp/detent-never", &set, &err), DT_ERR_ARG);
    ck_assert_msg(strstr(err.text, "65537 tensors and 3000 texts are over 65536 and 16384"), "%s",
                  err.text);
    dt_tensors_fini(&set);
}
END_TEST

START_TEST(same_content_same_bytes)
{
    dt_tensors set;
    set_make(&set);
    size_t size, again;
    unsigned char *a = written(&set, &size);
    sleep(1); /* a stored time would now differ */
    unsigned char *b = written(&set, &again);
    ck_assert_uint_eq(size, again);
    ck_assert_mem_eq(a, b, size);
    ck_assert_mem_eq(a, "DETENT\r\n\1\0\0\0", 12);
    ck_assert_mem_eq(a + DT_CONTAINER_BLOCK, "\x89HDF\r\n\x1a\n", 8);
    dt_put(NULL, a);
    dt_put(NULL, b);
    dt_tensors_fini(&set);
}
END_TEST

START_TEST(truncated_or_flipped_is_refused)
{
    dt_tensors set, back;
    dt_error err;
    ck_assert_int_eq(dt_tensors_init(&set, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_tensors_add(&set, "w", DT_F32, &DT_SHAPE(3), NULL, NULL), DT_OK);
    size_t size;
    unsigned char *bytes = written(&set, &size);
    for (size_t n = 0; n < size; n++) {
        ck_assert_int_eq(read_back(bytes, n, NULL, &back, &err), DT_ERR_FORMAT);
        ck_assert(strncmp(err.text, "f: is ", 6) == 0);
    }
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        dt_status st = read_back(bytes, size, NULL, &back, &err);
        ck_assert_int_eq(st, bit / 32 == 2 ? DT_ERR_UNSUPPORTED : DT_ERR_FORMAT);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    ck_assert_int_eq(read_back(bytes, size, NULL, &back, &err), DT_OK);
    dt_tensors_fini(&back);
    dt_put(NULL, bytes);
    dt_tensors_fini(&set);
}
END_TEST

START_TEST(errors_name_the_file)
{
    tempdir t;
    dt_tensors set;
    dt_error err;
    tempdir_init(&t, "x.h5");
    set_make(&set);
    ck_assert_int_eq(dt_container_read(NULL, t.file, NULL, &set, &err), DT_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, t.file));
    ck_assert_int_eq(dt_file_write(t.file, "text", 4, NULL), DT_OK);
    ck_assert_int_eq(dt_container_read(NULL, t.file, NULL, &set, &err), DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "x.h5: is no Detent checkpoint"));
    ck_assert_int_ne(dt_container_write(NULL, "/nowhere/x.h5", &set, &err), DT_OK);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/x.h5"));
    dt_tensors_fini(&set);
    tempdir_fini(&t);
}
END_TEST

START_TEST(every_failed_allocation_is_reported)
{
    dt_tensors set;
    set_make(&set);
    size_t size;
    unsigned char *bytes = written(&set, &size);
    for (size_t at = 1;; at++) {
        failalloc f;
        failalloc_init(&f, at);
        dt_tensors back = { 0 };
        dt_status st = read_back(bytes, size, &f.alloc, &back, NULL);
        if (st == DT_OK) dt_tensors_fini(&back);
        ck_assert_uint_eq(f.live, 0);
        ck_assert_int_eq(st, f.calls < at ? DT_OK : DT_ERR_NOMEM);
        if (st == DT_OK) break;
    }
    dt_put(NULL, bytes);
    dt_tensors_fini(&set);
}
END_TEST

/* Hash of a set of these tensors, in this order. */
static const char *hash_of(const char *const *names, size_t count, dt_dtype dtype,
                           const dt_shape *shape, const void *data, char hex[DT_SHA256_HEX])
{
    dt_tensors set;
    ck_assert_int_eq(dt_tensors_init(&set, NULL, NULL), DT_OK);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(dt_tensors_add(&set, names[i], dtype, shape, data, NULL), DT_OK);
    ck_assert_int_eq(dt_container_sha256(&set, dt_container_has_prefix, "w", hex, NULL), DT_OK);
    dt_tensors_fini(&set);
    return hex;
}

START_TEST(hash_counts_all_but_order)
{
    static const char *const ab[] = { "wa", "wb", "x" }, *const ba[] = { "wb", "y", "wa" };
    const unsigned char bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8 }, other[] = { 1, 2, 3, 4, 5, 6, 7, 9 };
    const dt_shape s2 = DT_SHAPE(2), s12 = DT_SHAPE(1, 2);
    char a[DT_SHA256_HEX], b[DT_SHA256_HEX];
    hash_of(ab, 3, DT_F32, &s2, bytes, a);
    /* computed from the header's description with Python's hashlib and struct */
    ck_assert_str_eq(a, "9a81f0e9da4297a3b1147c550cbbf65553b169b78b2a018b8a2560df611dd05d");
    ck_assert_str_eq(hash_of(ba, 3, DT_F32, &s2, bytes, b), a);
    ck_assert_str_ne(hash_of(ab, 1, DT_F32, &s2, bytes, b), a);
    ck_assert_str_ne(hash_of(ab, 3, DT_I32, &s2, bytes, b), a);
    ck_assert_str_ne(hash_of(ab, 3, DT_F32, &s12, bytes, b), a);
    ck_assert_str_ne(hash_of(ab, 3, DT_F32, &s2, other, b), a);
    /* of nothing: the SHA-256 of the empty string */
    ck_assert_str_eq(hash_of(ab + 2, 1, DT_F32, &s2, bytes, b),
                     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
END_TEST

DT_TEST_MAIN("container", round_trip_through_a_file, odd_names_long_texts_and_many_tensors,
             what_is_written_is_read_again, same_content_same_bytes,
             truncated_or_flipped_is_refused, errors_name_the_file,
             every_failed_allocation_is_reported, hash_counts_all_but_order)
