/* HDF5 files that our writer never makes: whoever can write a checkpoint can also write its hash,
 * so what lies behind the block is checked too. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/store/hdf5image.h"

#include <hdf5.h>
#include <string.h>

#include "tests/support/run.h"

static dt_error err;

/* A new file in memory; `ordered` as our writer makes it. */
static hid_t begin(bool ordered)
{
    hid_t fcpl = H5Pcreate(H5P_FILE_CREATE), fapl = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(fapl, 1 << 16, false);
    if (ordered) H5Pset_link_creation_order(fcpl, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    if (ordered) H5Pset_attr_creation_order(fcpl, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    hid_t file = H5Fcreate("test", H5F_ACC_TRUNC, fcpl, fapl);
    ck_assert(file >= 0);
    H5Pclose(fcpl);
    H5Pclose(fapl);
    return file;
}

/* Ends the file and reads its image. */
static dt_status end(hid_t file, dt_tensors *out)
{
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    ssize_t n = H5Fget_file_image(file, NULL, 0);
    ck_assert(n > 0);
    unsigned char *bytes = dt_get(NULL, (size_t)n, "test");
    ck_assert(H5Fget_file_image(file, bytes, (size_t)n) == n);
    H5Fclose(file);
    err.text[0] = '\0';
    ck_assert_int_eq(dt_tensors_init(out, NULL, NULL), DT_OK);
    dt_status st = dt_hdf5image_read("f", bytes, (size_t)n, NULL, out, &err);
    dt_put(NULL, bytes);
    return st;
}

static void refused(hid_t file, const char *text)
{
    dt_tensors set;
    ck_assert_int_eq(end(file, &set), DT_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
    dt_tensors_fini(&set);
}

/* A dataset of 4 elements in `rank` dimensions, without any for rank 0; written if asked. */
static void add(hid_t file, const char *name, hid_t type, int rank, hid_t plist, bool write)
{
    const hsize_t dim[8] = { 4, 1, 1, 1, 1, 1, 1, 1 };
    const double data[4] = { 0 };
    hid_t space = rank ? H5Screate_simple(rank, dim, NULL) : H5Screate(H5S_NULL);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    ck_assert(set >= 0);
    if (write) ck_assert(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

START_TEST(a_plain_one_is_read)
{
    dt_tensors set;
    hid_t file = begin(true);
    add(file, "w", H5T_IEEE_F32LE, 2, H5P_DEFAULT, true);
    ck_assert_int_eq(end(file, &set), DT_OK);
    ck_assert_uint_eq(set.count, 1);
    ck_assert_int_eq(set.item[0].shape.dim[0], 4);
    dt_tensors_fini(&set);
}
END_TEST

START_TEST(other_storage_is_refused)
{
    const hsize_t chunk = 2;
    hid_t chunked = H5Pcreate(H5P_DATASET_CREATE), external = H5Pcreate(H5P_DATASET_CREATE);
    hid_t file = begin(true);
    H5Pset_chunk(chunked, 1, &chunk);
    add(file, "w", H5T_IEEE_F32LE, 1, chunked, true);
    refused(file, "f: w: is not stored in one piece");
    file = begin(true); /* would read another file */
    H5Pset_external(external, "/etc/hostname", 0, 16);
    add(file, "w", H5T_IEEE_F32LE, 1, external, false);
    refused(file, "f: w: is not stored in one piece");
    file = begin(true); /* no data at all */
    add(file, "w", H5T_IEEE_F32LE, 1, H5P_DEFAULT, false);
    refused(file, "f: w: is not stored in one piece");
    H5Pclose(chunked);
    H5Pclose(external);
}
END_TEST

START_TEST(other_types_and_shapes_are_refused)
{
    hid_t file = begin(true);
    add(file, "w", H5T_IEEE_F32BE, 1, H5P_DEFAULT, true);
    refused(file, "f: w: has an unknown element type");
    file = begin(true);
    add(file, "w", H5T_STD_U16LE, 1, H5P_DEFAULT, true);
    refused(file, "f: w: has an unknown element type");
    file = begin(true);
    add(file, "w", H5T_IEEE_F32LE, 7, H5P_DEFAULT, true);
    refused(file, "f: w: has a bad shape");
    file = begin(true);
    add(file, "w", H5T_IEEE_F32LE, 0, H5P_DEFAULT, false);
    refused(file, "f: w: has a bad shape");
    file = begin(true);
    add(file, "%w", H5T_IEEE_F32LE, 1, H5P_DEFAULT, true);
    refused(file, "has a bad name");
    file = begin(true);
    add(file, "%text:k", H5T_IEEE_F32LE, 1, H5P_DEFAULT, true);
    refused(file, "f: k: is no text");
}
END_TEST

START_TEST(other_links_are_refused)
{
    hid_t file = begin(true);
    H5Lcreate_soft("/w", file, "s", H5P_DEFAULT, H5P_DEFAULT);
    refused(file, "f: has a damaged link");
    file = begin(true);
    H5Lcreate_external("/tmp/x.h5", "/w", file, "e", H5P_DEFAULT, H5P_DEFAULT);
    refused(file, "f: has a damaged link");
    file = begin(true);
    H5Gclose(H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    refused(file, "f: g: is no dataset");
    file = begin(false); /* the order of tensors is not kept */
    add(file, "w", H5T_IEEE_F32LE, 1, H5P_DEFAULT, true);
    refused(file, "f: has a damaged link");
}
END_TEST

/* A small file may not become a large set. */
START_TEST(more_than_the_file_holds_is_refused)
{
    enum { LINKS = 1000 };
    dt_tensors set;
    hid_t file = begin(true);
    char name[16];
    add(file, "a", H5T_IEEE_F32LE, 1, H5P_DEFAULT, true);
    for (int i = 0; i < 10 * LINKS; i++) { /* a link takes 20 to 40 bytes of the file */
        snprintf(name, sizeof name, "b%d", i);
        H5Lcreate_hard(file, "a", file, name, H5P_DEFAULT, H5P_DEFAULT);
    }
    ck_assert_int_eq(end(file, &set), DT_OK); /* 16 bytes each: the file is larger */
    dt_tensors_fini(&set);
    file = begin(true);
    const hsize_t dim = 4096;
    hid_t space = H5Screate_simple(1, &dim, NULL), early = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_alloc_time(early, H5D_ALLOC_TIME_EARLY);
    H5Dclose(H5Dcreate2(file, "a", H5T_IEEE_F32LE, space, H5P_DEFAULT, early, H5P_DEFAULT));
    for (int i = 0; i < LINKS; i++) {
        snprintf(name, sizeof name, "b%d", i);
        H5Lcreate_hard(file, "a", file, name, H5P_DEFAULT, H5P_DEFAULT);
    }
    ck_assert_int_eq(end(file, &set), DT_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, "f: b") && strstr(err.text, "are larger than the file"), "%s",
                  err.text);
    ck_assert_uint_lt(set.count, 20);
    dt_tensors_fini(&set);
    H5Pclose(early);
    H5Sclose(space);
}
END_TEST

START_TEST(compressed_links_are_refused)
{
    hid_t fcpl = H5Pcreate(H5P_FILE_CREATE), fapl = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(fapl, 1 << 16, false);
    H5Pset_link_creation_order(fcpl, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    ck_assert(H5Pset_deflate(fcpl, 9) >= 0);
    hid_t file = H5Fcreate("test", H5F_ACC_TRUNC, fcpl, fapl);
    add(file, "w", H5T_IEEE_F32LE, 1, H5P_DEFAULT, true);
    refused(file, "f: has compressed links");
    H5Pclose(fcpl);
    H5Pclose(fapl);
}
END_TEST

START_TEST(other_texts_are_refused)
{
    hid_t file = begin(true), scalar = H5Screate(H5S_SCALAR), text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, H5T_VARIABLE);
    H5Aclose(H5Acreate2(file, "k", text, scalar, H5P_DEFAULT, H5P_DEFAULT));
    refused(file, "f: k: is no text");
    file = begin(true);
    H5Aclose(H5Acreate2(file, "k", H5T_STD_I32LE, scalar, H5P_DEFAULT, H5P_DEFAULT));
    refused(file, "f: k: is no text");
    H5Tclose(text);
    H5Sclose(scalar);
}
END_TEST

DT_TEST_MAIN("hdf5image", a_plain_one_is_read, other_storage_is_refused,
             other_types_and_shapes_are_refused, other_links_are_refused,
             more_than_the_file_holds_is_refused, compressed_links_are_refused,
             other_texts_are_refused)
