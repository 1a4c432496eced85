/* Zips with one thing wrong each, made with libzip. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <zip.h>

#include "core/file.h"
#include "exchange/import.h"
#include "tests/support/run.h"
#include "tests/support/tempdir.h"

static dt_error err;

typedef struct part {
    const char *name, *data;
    size_t size;
    zip_int32_t method;
} part;
#define PART(name, literal)                                                                        \
    {                                                                                              \
        name, literal, sizeof(literal) - 1, ZIP_CM_STORE                                           \
    }

/* {"w": storage "0" of 2 floats as a tensor [2]} */
static const char pickle[] =
    "\x80\2}X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n"
    "((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0000X\3\0\0\0cpuK\2tQK\0K\2\x85K\1\x85\x89}"
    "tRs.";
#define PICKLE                                                                                     \
    {                                                                                              \
        "x/data.pkl", pickle, sizeof pickle - 1, ZIP_CM_STORE                                      \
    }
static const part storage = PART("x/data/0", "\0\0\x80\x3f\0\0\0\x40");

static dt_status import(const part *parts, size_t count, dt_tensors *out)
{
    tempdir t;
    unsigned char *bytes;
    size_t size;
    tempdir_init(&t, "x.zip");
    zip_t *z = zip_open(t.file, ZIP_CREATE, NULL);
    for (size_t i = 0; i < count; i++) {
        zip_source_t *s = zip_source_buffer(z, parts[i].data, parts[i].size, 0);
        zip_int64_t n = zip_file_add(z, parts[i].name, s, 0);
        ck_assert_int_ge(n, 0);
        ck_assert_int_eq(zip_set_file_compression(z, (zip_uint64_t)n, parts[i].method, 0), 0);
    }
    ck_assert_int_eq(zip_close(z), 0);
    ck_assert_int_eq(dt_file_read(NULL, t.file, 1 << 20, &bytes, &size, NULL), DT_OK);
    tempdir_fini(&t);
    err.text[0] = '\0';
    dt_status st = dt_import_bytes("f", bytes, size, NULL, out, &err);
    dt_put(NULL, bytes);
    return st;
}

/* The parts must be refused with this text. */
static void refused(const part *parts, size_t count, const char *text)
{
    dt_tensors set;
    ck_assert_int_eq(import(parts, count, &set), DT_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
}

START_TEST(good_ones)
{
    dt_tensors set;
    const part parts[] = { PICKLE, storage, PART("x/byteorder", "little"), PART("x/version", "3") };
    for (size_t n = 2; n <= 4; n++) {
        ck_assert_int_eq(import(parts, n, &set), DT_OK);
        const float *w = dt_tensors_find(&set, "w")->data;
        ck_assert(w[0] == 1 && w[1] == 2);
        dt_tensors_fini(&set);
    }
}
END_TEST

START_TEST(bad_ones)
{
    const part big[] = { PICKLE, storage, PART("x/byteorder", "big") };
    refused(big, 3, "f: is not little endian");
    const part none[] = { storage };
    refused(none, 1, "has no '<folder>/data.pkl'");
    const part deep[] = { { "a/b/data.pkl", pickle, sizeof pickle - 1, ZIP_CM_STORE }, storage };
    refused(deep, 2, "has no '<folder>/data.pkl'");
    const part missing[] = { PICKLE };
    refused(missing, 1, "f: w: storage '0' is not in the file");
    const part other[] = { PICKLE, PART("y/data/0", "\0\0\x80\x3f\0\0\0\x40") };
    refused(other, 2, "f: w: storage '0' is not in the file");
    const part small[] = { PICKLE, PART("x/data/0", "\0\0\x80\x3f\0\0\0") };
    refused(small, 2, "storage '0' has 7 bytes, 2 elements of f32 are wanted");
    const part empty[] = { PART("x/data.pkl", ""), storage };
    refused(empty, 2, "f: pickle byte 0: the file ends");
}
END_TEST

START_TEST(compressed_ones)
{
    static const char zeros[4096];
    const part parts[] = { PICKLE, { "x/data/0", zeros, sizeof zeros, ZIP_CM_DEFLATE } };
    refused(parts, 2, "f: w: the zip entry is compressed");
}
END_TEST

DT_TEST_MAIN("torch_zip", good_ones, bad_ones, compressed_ones)
