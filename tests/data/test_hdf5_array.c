/* Arrays in HDF5 files, which libhdf5 writes here. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/hdf5_array.h"

#include <hdf5.h>
#include <string.h>

#include "tests/support/run.h"
#include "tests/support/tempdir.h"

static const float floats[24] = { 1, -2, 3.5f, 4, 5, 6, 7, 8, 9, 10, 11, 12, -13, 14, 15.25f };

typedef struct kind { /* of a dataset; zeros: float32, in one piece */
    hid_t type;       /* in the file */
    hid_t memory;     /* of `data` */
    const void *data;
    int rank;
    hsize_t dim[7];
    bool chunked, compact, empty;
    const char *external; /* a file that has the elements */
} kind;

static void put(hid_t at, const char *name, const kind *k)
{
    hid_t space = k->rank ? H5Screate_simple(k->rank, k->dim, NULL) : H5Screate(H5S_SCALAR);
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    if (k->chunked) H5Pset_chunk(plist, k->rank, k->dim);
    if (k->chunked) H5Pset_deflate(plist, 4);
    if (k->compact) H5Pset_layout(plist, H5D_COMPACT);
    if (k->external) H5Pset_external(plist, k->external, 0, 96);
    hid_t set = H5Dcreate2(at, name, k->type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    ck_assert(set >= 0);
    if (!k->empty) ck_assert(H5Dwrite(set, k->memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, k->data) >= 0);
    H5Dclose(set);
    H5Pclose(plist);
    H5Sclose(space);
}

/* numpy's bool, as h5py writes it. */
static hid_t bool_type(void)
{
    hid_t t = H5Tenum_create(H5T_STD_I8LE);
    const int8_t no = 0, yes = 1;
    H5Tenum_insert(t, "FALSE", &no);
    H5Tenum_insert(t, "TRUE", &yes);
    return t;
}

static hid_t create(const char *path)
{
    H5dont_atexit(); /* as data/hdf5.h has it: the handler fails on what damaged files leave open */
    hid_t f = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(f >= 0);
    return f;
}

static dt_status open_array(const char *file, const char *name, dt_array *out, dt_error *err)
{
    static char path[256]; /* which the array borrows */
    snprintf(path, sizeof path, "%s%s%s", file, name ? ":" : "", name ? name : "");
    return dt_array_open(path, NULL, out, err);
}

START_TEST(samples_are_read_by_position)
{
    static const struct {
        dt_array_type type;
        int rank;
        dt_shape shape;
    } want[] = {
        { DT_ARRAY_F32, 2, { 2, { 2, 12 } } }, { DT_ARRAY_F64, 4, { 4, { 2, 2, 3, 2 } } },
        { DT_ARRAY_I64, 1, { 1, { 4 } } },     { DT_ARRAY_U8, 3, { 3, { 2, 1, 2 } } },
        { DT_ARRAY_BOOL, 2, { 2, { 2, 2 } } },
    };
    const int64_t labels[] = { 3, 0, 2, 1 };
    const uint8_t bytes[] = { 0, 1, 1, 0 };
    tempdir dir;
    tempdir_init(&dir, "set.h5");
    hid_t f = create(dir.file), flag = bool_type();
    hid_t group = H5Gcreate2(f, "test", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    put(f, "x", &(kind){ H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, floats, 2, { 2, 12 } });
    put(group, "deep", &(kind){ H5T_IEEE_F64LE, H5T_NATIVE_FLOAT, floats, 4, { 2, 2, 3, 2 } });
    put(f, "label", &(kind){ H5T_STD_I64LE, H5T_NATIVE_INT64, labels, 1, { 4 } });
    put(f, "bytes", &(kind){ H5T_STD_U8LE, H5T_NATIVE_UINT8, bytes, 3, { 2, 1, 2 } });
    put(f, "flags", &(kind){ flag, flag, bytes, 2, { 2, 2 } });
    H5Lcreate_soft("/test/deep", f, "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Tclose(flag);
    H5Gclose(group);
    H5Fclose(f);
    const char *const names[] = { "x", "test/deep", "label", "bytes", "flags" };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        dt_array a;
        dt_error err = { .status = DT_OK };
        ck_assert_msg(open_array(dir.file, names[i], &a, &err) == DT_OK, "%s", err.text);
        ck_assert_int_eq(a.head.type, want[i].type);
        ck_assert(dt_shape_equal(&a.head.shape, &want[i].shape));
        dt_array_close(&a);
    }
    dt_array a;
    float row[12];
    unsigned char raw[96];
    int32_t label[4];
    for (int i = 0; i < 2; i++) { /* float32, and the same as float64 behind a link */
        ck_assert_int_eq(open_array(dir.file, i ? "soft" : "/x", &a, NULL), DT_OK);
        ck_assert_uint_eq(dt_array_raw(&a), i ? 96 : 48);
        for (int sample = 1; sample >= 0; sample--) {
            ck_assert_int_eq(dt_array_read(&a, sample, raw, row, NULL), DT_OK);
            ck_assert_mem_eq(row, floats + 12 * sample, sizeof row);
        }
        dt_array_close(&a);
    }
    ck_assert_int_eq(open_array(dir.file, "label", &a, NULL), DT_OK);
    ck_assert_int_eq(dt_array_integers(&a, 0, 3, label, NULL, NULL), DT_OK);
    ck_assert(label[0] == 3 && label[1] == 0 && label[2] == 2 && label[3] == 1);
    dt_array_close(&a);
    tempdir_fini(&dir);
}
END_TEST

static void refused(const char *file, const char *name, dt_status status, const char *text)
{
    dt_array a;
    dt_error err = { .status = DT_OK };
    dt_status st = open_array(file, name, &a, &err);
    ck_assert_msg(st == status && strstr(err.text, text) && strstr(err.text, file) &&
                      !strchr(err.text, '\n'),
                  "%s: %d %s", name, (int)st, err.text);
}

START_TEST(others_are_refused_with_the_reason)
{
    char other[96], away[96];
    tempdir dir;
    tempdir_init(&dir, "set.h5");
    snprintf(other, sizeof other, "%s/other.h5", dir.folder);
    snprintf(away, sizeof away, "%s/away.bin", dir.folder);
    const kind plain = { H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, floats, 2, { 2, 12 } };
    kind k = plain;
    hid_t f = create(other);
    put(f, "x", &k);
    H5Fclose(f);
    f = create(dir.file);
    k.chunked = true, put(f, "chunks", &k), k = plain;
    k.compact = true, put(f, "compact", &k), k = plain;
    k.empty = true, put(f, "unwritten", &k), k = plain;
    k.external = away, put(f, "away", &k), k = plain;
    k.type = H5T_IEEE_F32BE, put(f, "big", &k), k = plain;
    k.type = H5T_STD_U32LE, put(f, "unsigned", &k), k = plain;
    k.rank = 0, put(f, "number", &k), k = plain;
    k.rank = 7, memcpy(k.dim, (hsize_t[]){ 2, 2, 1, 3, 1, 2, 1 }, sizeof k.dim);
    put(f, "axes", &k), k = plain;
    k.dim[0] = 0, k.empty = true, put(f, "nothing", &k), k = plain;
    H5Lcreate_external(other, "x", f, "linked", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(H5Gcreate2(f, "zgroup", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Fclose(f);
    refused(dir.file, "chunks", DT_ERR_UNSUPPORTED, "'chunks' is not in one piece");
    refused(dir.file, "compact", DT_ERR_UNSUPPORTED, "h5repack -l CONTI");
    refused(dir.file, "unwritten", DT_ERR_FORMAT, "was never written");
    refused(dir.file, "away", DT_ERR_UNSUPPORTED, "lies in another file");
    refused(dir.file, "linked", DT_ERR_UNSUPPORTED, "lies in another file");
    refused(dir.file, "big", DT_ERR_UNSUPPORTED, "elements of another type");
    refused(dir.file, "unsigned", DT_ERR_UNSUPPORTED, "elements of another type");
    refused(dir.file, "number", DT_ERR_SHAPE, "has 0 axes");
    refused(dir.file, "axes", DT_ERR_SHAPE, "has 7 axes");
    refused(dir.file, "nothing", DT_ERR_SHAPE, "empty or too large");
    refused(dir.file, "zgroup", DT_ERR_NOT_FOUND, "has no array 'zgroup'; it has away, axes, big");
    refused(dir.file, "y", DT_ERR_NOT_FOUND, "nothing, number, ...");
    refused(dir.file, "", DT_ERR_NOT_FOUND, "has no array ''");
    refused(dir.file, NULL, DT_ERR_ARG, "set.h5:NAME'; it has away");
    refused(other, "x/y", DT_ERR_NOT_FOUND, "it has x");
    remove(other);
    remove(away);
    refused(other, "x", DT_ERR_NOT_FOUND, "cannot open");
    tempdir_fini(&dir);
}
END_TEST

/* libhdf5 leaks objects of its own when it refuses a damaged file (see fuzz_checkpoint.c). */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

/* Of a sound file, every length and every byte that is another one: never a crash, and what is
 * taken lies in the file. */
START_TEST(damaged_files_are_refused_or_lie_inside)
{
    static unsigned char whole[8192];
    tempdir dir;
    tempdir_init(&dir, "set.h5");
    hid_t f = create(dir.file);
    put(f, "x", &(kind){ H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, floats, 2, { 2, 12 } });
    H5Fclose(f);
    FILE *in = fopen(dir.file, "rb");
    size_t size = fread(whole, 1, sizeof whole, in);
    fclose(in);
    ck_assert(size > 1000 && size < sizeof whole);
    int taken = 0, refusals = 0;
    for (size_t i = 0; i < 2 * size; i++) {
        dt_array_head h;
        dt_error err = { .status = DT_OK };
        size_t length = i < size ? i : size, bytes;
        unsigned char was = whole[i % size];
        if (i < size && i % 16) continue;
        if (i >= size) whole[i - size] ^= (unsigned char)(1 << i % 8);
        FILE *out = fopen(dir.file, "wb");
        ck_assert_uint_eq(fwrite(whole, 1, length, out), length);
        fclose(out);
        whole[i % size] = was;
        if (dt_hdf5_array(dir.file, "x", length, &h, &err) != DT_OK) {
            refusals++;
            ck_assert_msg(err.text[0], "no reason at %d", (int)i);
            continue;
        }
        taken++;
        ck_assert_int_eq(dt_array_bytes(&h, "", &bytes, NULL), DT_OK);
        ck_assert(h.offset <= length && bytes <= length - h.offset);
    }
    ck_assert_int_gt(taken, 100); /* elements, and what nobody reads */
    ck_assert_int_gt(refusals, 200);
    tempdir_fini(&dir);
}
END_TEST

DT_TEST_MAIN("hdf5_array", samples_are_read_by_position, others_are_refused_with_the_reason,
             damaged_files_are_refused_or_lie_inside)
