/* The tiny files in tests/golden/torch (made by make_torch.py), and damaged or hostile ones. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/file.h"
#include "exchange/import.h"
#include "tests/exchange/legacy.h"
#include "tests/support/failalloc.h"
#include "tests/support/run.h"
#include "tests/support/testdata.h"

/* Golden file as bytes; dt_put(NULL, .) when done. */
static unsigned char *load(const char *name, size_t *size)
{
    char relative[64], path[TESTDATA_PATH];
    unsigned char *bytes;
    snprintf(relative, sizeof relative, "torch/%s", name);
    dt_error err = { 0 };
    dt_status st = dt_file_read(NULL, golden_path(relative, path), 1 << 20, &bytes, size, &err);
    ck_assert_msg(st == DT_OK, "%s", err.text);
    return bytes;
}

static void expect(const dt_tensors *set, const char *name, const char *shape, const float *values)
{
    char text[DT_SHAPE_TEXT];
    float found[64];
    const dt_named_tensor *t = dt_tensors_find(set, name);
    ck_assert_msg(t != NULL, "no '%s'", name);
    ck_assert_str_eq(dt_shape_print(&t->shape, text), shape);
    size_t n = (size_t)dt_shape_count(&t->shape);
    dt_to_f32(t->dtype, t->data, n, found);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(found[i] == values[i], "%s[%zu]: %g, not %g", name, i, found[i], values[i]);
}

static void expect_all(const dt_tensors *set)
{
    const float count[] = { 0, 1, 2, 3, 4, 5 }, truth[] = { 0, 1, 1, 1, 1, 1 };
    for (int d = DT_F32; d <= DT_BOOL; d++) {
        char name[32];
        snprintf(name, sizeof name, "type.%s", dt_dtype_name((dt_dtype)d));
        expect(set, name, "[2,3]", d == DT_BOOL ? truth : count);
        ck_assert_int_eq(dt_tensors_find(set, name)->dtype, d);
    }
    float permuted[24]; /* [4,2,3] of [2,3,4] */
    for (int i = 0; i < 24; i++)
        permuted[i] = (float)(i % 6 * 4 + i / 6);
    expect(set, "permuted", "[4,2,3]", permuted);
    expect(set, "sliced", "[1,2,2]", (const float[]){ 13, 14, 21, 22 });
    expect(set, "expanded", "[3,2]", (const float[]){ 2, 2, 2, 2, 2, 2 });
    expect(set, "scalar", "[]", (const float[]){ 7.5f });
    expect(set, "parameter", "[3]", count);
    ck_assert_uint_eq(set->count, 15); /* neither `empty` nor `num_batches_tracked` */
    ck_assert_str_eq(dt_tensors_attr(set, "epoch"), "12");
    ck_assert_str_eq(dt_tensors_attr(set, "best"), "91.25");
    ck_assert_str_eq(dt_tensors_attr(set, "ok"), "true");
    ck_assert_str_eq(dt_tensors_attr(set, "note"), "a text");
    ck_assert_ptr_null(dt_tensors_attr(set, "args"));
}

START_TEST(every_layout_and_type)
{
    static const char *const files[] = { "zip.pth", "legacy.pth", "protocol4.pth" };
    for (size_t i = 0; i < DT_ARRAY_LEN(files); i++) {
        size_t size;
        unsigned char *bytes = load(files[i], &size);
        dt_tensors set;
        dt_error err = { 0 };
        dt_status st = dt_import_bytes(files[i], bytes, size, NULL, &set, &err);
        ck_assert_msg(st == DT_OK, "%s", err.text);
        dt_put(NULL, bytes); /* the set owns what it has */
        expect_all(&set);
        dt_tensors_fini(&set);
    }
}
END_TEST

START_TEST(nothing_is_executed)
{
    static const struct {
        const char *file, *text;
    } cases[] = {
        { "system_root.pth", "system_root.pth: refuses the global 'posix system'" },
        { "system_entry.pth", "system_entry.pth: w: refuses the global 'posix system'" },
        { "whole_module.pth", "refuses the global 'torch.nn.modules.linear Linear'" },
        { "complex.pth", "w: refuses the global 'torch ComplexFloatStorage'" },
        { "sparse.pth", "w: refuses the global 'torch._utils _rebuild_sparse_tensor'" },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        size_t size;
        unsigned char *bytes = load(cases[i].file, &size);
        dt_tensors set;
        dt_error err = { 0 };
        ck_assert_int_eq(dt_import_bytes(cases[i].file, bytes, size, NULL, &set, &err),
                         DT_ERR_UNSUPPORTED);
        ck_assert_msg(strstr(err.text, cases[i].text) != NULL, "%s", err.text);
        dt_put(NULL, bytes);
    }
    ck_assert(!dt_file_exists("/tmp/detent-was-executed"));
}
END_TEST

START_TEST(truncated_at_every_byte)
{
    static const char *const files[] = { "small_zip.pth", "small_legacy.pth", "legacy.pth" };
    for (size_t i = 0; i < DT_ARRAY_LEN(files); i++) {
        size_t size;
        unsigned char *bytes = load(files[i], &size);
        for (size_t n = 0; n < size; n++) {
            unsigned char *part = dt_get(NULL, n, "test"); /* sanitizers see its end */
            memcpy(part, bytes, n);
            dt_tensors set;
            dt_error err = { 0 };
            ck_assert_int_eq(dt_import_bytes("f", part, n, NULL, &set, &err), DT_ERR_FORMAT);
            ck_assert(strncmp(err.text, "f: ", 3) == 0);
            dt_put(NULL, part);
        }
        dt_put(NULL, bytes);
    }
}
END_TEST

START_TEST(flipped_bits_never_crash_and_never_pass_the_crc)
{
    static const char *const files[] = { "small_zip.pth", "small_legacy.pth" };
    const float w[] = { 0, 1, 2, 3 };
    for (size_t i = 0; i < DT_ARRAY_LEN(files); i++) {
        size_t size;
        unsigned char *bytes = load(files[i], &size);
        for (size_t bit = 0; bit < 8 * size; bit++) {
            bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
            dt_tensors set;
            if (dt_import_bytes("f", bytes, size, NULL, &set, NULL) == DT_OK) {
                if (i == 0) expect(&set, "w", "[4]", w); /* the flip was in unused bytes */
                dt_tensors_fini(&set);
            }
            bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
        dt_put(NULL, bytes);
    }
}
END_TEST

START_TEST(every_failed_allocation_is_reported)
{
    static const char *const files[] = { "small_zip.pth", "small_legacy.pth" };
    for (size_t i = 0; i < DT_ARRAY_LEN(files); i++) {
        size_t size;
        unsigned char *bytes = load(files[i], &size);
        for (size_t at = 1;; at++) {
            failalloc f;
            failalloc_init(&f, at);
            dt_tensors set = { 0 };
            dt_status st = dt_import_bytes("f", bytes, size, &f.alloc, &set, NULL);
            if (st == DT_OK) dt_tensors_fini(&set);
            ck_assert_uint_eq(f.live, 0);
            ck_assert_int_eq(st, f.calls < at ? DT_OK : DT_ERR_NOMEM);
            if (st == DT_OK) break;
        }
        dt_put(NULL, bytes);
    }
}
END_TEST

/* A legacy file around an object's pickle: one float storage "0" of `numel` elements, all zero. */
static dt_status read_object(const char *object, size_t size, uint64_t numel, dt_error *err)
{
    legacy_file f = { .size = 0 };
    LEGACY_ADD(&f, LEGACY_MAGIC LEGACY_PROTOCOL LEGACY_LITTLE);
    legacy_add(&f, object, size);
    LEGACY_ADD(&f, LEGACY_KEYS);
    legacy_add_storage(&f, numel);
    dt_tensors set;
    dt_status st = dt_import_bytes("f", f.bytes, f.size, NULL, &set, err);
    if (st == DT_OK) dt_tensors_fini(&set);
    return st;
}

/* {"w": _rebuild_tensor(storage "0" of `numel`, offset, size, stride)} with pickled numbers. */
#define TENSOR(numel, offset, size, stride)                                                        \
    "}X\1\0\0\0wctorch._utils\n_rebuild_tensor\n(" LEGACY_STORAGE(numel) offset size stride "tRs."
#define FILE_OF(numel, object) read_object(object, sizeof(object) - 1, numel, &err)
#define HUGE_NUMBER "\x8a\10\377\377\377\377\377\377\377\177"

START_TEST(views_stay_inside_their_storage)
{
    dt_error err = { 0 };
    ck_assert_int_eq(FILE_OF(6, TENSOR("K\6", "K\0", "K\2K\3\x86", "K\3K\1\x86")), DT_OK);
    ck_assert_int_eq(FILE_OF(6, TENSOR("K\6", "K\1", "K\2K\3\x86", "K\3K\1\x86")), DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "f: w: the tensor reaches outside its storage"));
    ck_assert_int_eq(FILE_OF(6, TENSOR("K\6", "K\0", "K\2K\3\x86", "K\4K\1\x86")), DT_ERR_FORMAT);
    ck_assert_int_eq(FILE_OF(6, TENSOR("K\6", "K\0", "K\7\x85", "K\1\x85")), DT_ERR_FORMAT);
    ck_assert_int_eq(FILE_OF(6, TENSOR("K\6", HUGE_NUMBER, "K\1\x85", "K\1\x85")), DT_ERR_FORMAT);
    ck_assert_int_eq(FILE_OF(6, TENSOR("K\6", "K\1", "K\3\x85", HUGE_NUMBER "\x85")),
                     DT_ERR_FORMAT);
    ck_assert_int_eq(FILE_OF(6, TENSOR("K\6", "K\1", HUGE_NUMBER "\x85", HUGE_NUMBER "\x85")),
                     DT_ERR_FORMAT);
    ck_assert_int_eq(FILE_OF(6, TENSOR("K\6", "J\377\377\377\377", "K\1\x85", "K\1\x85")),
                     DT_ERR_FORMAT);
    ck_assert_int_eq(FILE_OF(6, TENSOR("K\6", "K\0", "K\1\x85", "J\377\377\377\377\x85")),
                     DT_ERR_FORMAT);
    ck_assert_int_eq(FILE_OF(6, TENSOR("K\6", "K\0", "K\1\x85", "K\1K\1\x86")), DT_ERR_FORMAT);
    ck_assert_int_eq(
        FILE_OF(6, TENSOR("K\6", "K\0", "(K\1K\1K\1K\1K\1K\1K\1t", "(K\1K\1K\1K\1K\1K\1K\1t")),
        DT_ERR_FORMAT); /* rank 7 */
    ck_assert_int_eq(FILE_OF(0, TENSOR("K\0", "K\0", ")", ")")), DT_ERR_FORMAT);
}
END_TEST

START_TEST(sizes_do_not_overflow_or_explode)
{
    dt_error err = { 0 };
    /* 2^40 elements through stride 0 from one that is there */
    ck_assert_int_eq(FILE_OF(1, TENSOR("K\1", "K\0", "\x8a\6\0\0\0\0\0\1\x85", "K\0\x85")),
                     DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "far larger than the file"));
    ck_assert_int_eq(FILE_OF(1, TENSOR("K\1", "K\0", HUGE_NUMBER HUGE_NUMBER "\x86", "K\0K\0\x86")),
                     DT_ERR_FORMAT);
    ck_assert_int_eq(FILE_OF(INT64_MAX, TENSOR(HUGE_NUMBER, "K\0", "K\1\x85", "K\1\x85")),
                     DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "the file ends inside a storage"));
    ck_assert_int_eq(FILE_OF(6, TENSOR("K\7", "K\0", "K\1\x85", "K\1\x85")), DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "storage '0' has 6 elements, its tensors want 7"));
}
END_TEST

START_TEST(objects_without_tensors_say_what_they_hold)
{
    dt_error err = { 0 };
    ck_assert_int_eq(FILE_OF(0, "K\1."), DT_ERR_FORMAT);
    ck_assert_int_eq(FILE_OF(0, "(U\7storagectorch\nFloatStorage\nU\0010U\3cpuK\0tQ."),
                     DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "f: its object is no dictionary"));
    ck_assert_int_eq(FILE_OF(0, "}(U\1aK\1U\1b"
                                "(U\7storagectorch\nFloatStorage\nU\0010U\3cpuK\0tQu."),
                     DT_ERR_FORMAT);
    ck_assert_str_eq(err.text, "f: holds no tensors; its keys: a, b");
    /* wrapped in itself: the depth is bounded */
    ck_assert_int_eq(FILE_OF(0, "}q\0(U\1b(U\7storagectorch\nFloatStorage\nU\0010U\3cpuK\0tQ"
                                "U\5modelh\0u."),
                     DT_ERR_FORMAT);
    /* both become "w" */
    ck_assert_int_eq(
        FILE_OF(1, "}(U\1wctorch._utils\n_rebuild_tensor\n((U\7storagectorch\nFloatStorage\n"
                   "U\0010U\3cpuK\1tQK\0))tRq\0U\10module.wh\0u."),
        DT_ERR_FORMAT);
    ck_assert_str_eq(err.text, "f: w: two tensors have this name");
}
END_TEST

DT_TEST_MAIN("import_torch", every_layout_and_type, nothing_is_executed, truncated_at_every_byte,
             flipped_bits_never_crash_and_never_pass_the_crc, every_failed_allocation_is_reported,
             views_stay_inside_their_storage, sizes_do_not_overflow_or_explode,
             objects_without_tensors_say_what_they_hold)
