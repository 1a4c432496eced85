/* Arrays in HDF5 files. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/hdf5_array.h"

#include <stdio.h>
#include <string.h>

#include "data/hdf5.h"

enum { NAMES = 8, TEXT = 256 };

bool dt_hdf5_is(const unsigned char first[DT_HDF5_SIGNATURE])
{
    return memcmp(first, "\x89HDF\r\n\x1a\n", DT_HDF5_SIGNATURE) == 0;
}

/* A dataset that is looked at. */
typedef struct look {
    const char *path, *name;
    hid_t file, set;
    dt_error *err;
} look;

static dt_status refuse(const look *l, dt_status status, const char *what)
{
    return dt_fail(l->err, status, &(dt_where){ .file = l->path }, "array '%s' %s", l->name, what);
}

/* Names at the top of a file, as many as fit. */
static void list_names(hid_t file, char text[TEXT])
{
    H5G_info_t info;
    char name[64];
    text[0] = '\0';
    if (H5Gget_info(file, &info) < 0) return;
    for (hsize_t i = 0; i < info.nlinks && i < NAMES; i++) {
        size_t used = strlen(text);
        if (H5Lget_name_by_idx(file, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name,
                               H5P_DEFAULT) < 0)
            return;
        snprintf(text + used, TEXT - used, "%s%s", used ? ", " : "", name);
    }
    size_t used = strlen(text);
    if (info.nlinks > NAMES) snprintf(text + used, TEXT - used, ", ...");
}

static dt_status not_there(const look *l)
{
    char names[TEXT];
    list_names(l->file, names);
    const dt_where where = { .file = l->path };
    if (!l->name)
        return dt_fail(l->err, DT_ERR_ARG, &where,
                       "is HDF5: name an array in it, as '%s:NAME'; it has %s", l->path,
                       names[0] ? names : "none");
    return dt_fail(l->err, DT_ERR_NOT_FOUND, &where, "has no array '%s'; it has %s", l->name,
                   names[0] ? names : "none");
}

static bool is_type(hid_t type, dt_array_type *out)
{
    const struct {
        dt_array_type type;
        hid_t as;
    } types[] = {
        { DT_ARRAY_U8, H5T_STD_U8LE },    { DT_ARRAY_I8, H5T_STD_I8LE },
        { DT_ARRAY_U16, H5T_STD_U16LE },  { DT_ARRAY_I16, H5T_STD_I16LE },
        { DT_ARRAY_I32, H5T_STD_I32LE },  { DT_ARRAY_I64, H5T_STD_I64LE },
        { DT_ARRAY_F32, H5T_IEEE_F32LE }, { DT_ARRAY_F64, H5T_IEEE_F64LE },
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (H5Tequal(type, types[i].as) > 0) {
            *out = types[i].type;
            return true;
        }
    /* numpy's bool, as h5py has it */
    *out = DT_ARRAY_BOOL;
    return H5Tget_class(type) == H5T_ENUM && H5Tget_size(type) == 1 && H5Tget_nmembers(type) == 2;
}

static dt_status read_type(const look *l, dt_array_head *h)
{
    hid_t type = H5Dget_type(l->set);
    bool is = type >= 0 && is_type(type, &h->type);
    if (type >= 0) H5Tclose(type);
    if (is) return DT_OK;
    return refuse(l, DT_ERR_UNSUPPORTED,
                  "has elements of another type; bool, uint8, int8, uint16, int16, int32, int64, "
                  "float32 and float64 are read, little-endian");
}

static dt_status read_shape(const look *l, dt_array_head *h)
{
    hsize_t dim[DT_MAX_RANK];
    hid_t space = H5Dget_space(l->set);
    int rank = space >= 0 ? H5Sget_simple_extent_ndims(space) : -1;
    bool fits =
        rank >= 1 && rank <= DT_MAX_RANK && H5Sget_simple_extent_dims(space, dim, NULL) == rank;
    if (space >= 0) H5Sclose(space);
    if (!fits)
        return dt_fail(l->err, DT_ERR_SHAPE, &(dt_where){ .file = l->path },
                       "array '%s' has %d axes; 1 to %d are read, samples first", l->name, rank,
                       DT_MAX_RANK);
    h->shape = (dt_shape){ .rank = rank };
    for (int i = 0; i < rank; i++)
        h->shape.dim[i] = dim[i] <= INT64_MAX ? (int64_t)dim[i] : INT64_MAX;
    return DT_OK;
}

/* Its elements lie in this file, one after another. */
static dt_status check_layout(const look *l)
{
    hid_t plist = H5Dget_create_plist(l->set);
    H5D_layout_t layout = plist >= 0 ? H5Pget_layout(plist) : H5D_LAYOUT_ERROR;
    int elsewhere = plist >= 0 ? H5Pget_external_count(plist) : -1;
    if (plist >= 0) H5Pclose(plist);
    char own[1024], other[1024];
    bool named =
        H5Fget_name(l->file, own, sizeof own) >= 0 && H5Fget_name(l->set, other, sizeof other) >= 0;
    if (elsewhere != 0 || !named || strcmp(own, other) != 0)
        return refuse(l, DT_ERR_UNSUPPORTED, "lies in another file; name that");
    if (layout != H5D_CONTIGUOUS)
        return refuse(
            l, DT_ERR_UNSUPPORTED,
            "is not in one piece, but in chunks or compressed; 'h5repack -l CONTI -f NONE "
            "IN OUT' writes it so");
    return DT_OK;
}

static dt_status read_place(const look *l, size_t file_size, dt_array_head *h)
{
    size_t bytes;
    haddr_t offset = H5Dget_offset(l->set);
    char text[DT_SHAPE_TEXT];
    DT_TRY(dt_array_bytes(h, l->path, &bytes, l->err));
    if (offset == HADDR_UNDEF) return refuse(l, DT_ERR_FORMAT, "was never written");
    if (offset > file_size || bytes > file_size - offset)
        return dt_fail(l->err, DT_ERR_FORMAT, &(dt_where){ .file = l->path },
                       "array '%s' of %s is %zu bytes at %llu, and the file ends at %zu", l->name,
                       dt_shape_print(&h->shape, text), bytes, (unsigned long long)offset,
                       file_size);
    h->offset = (size_t)offset;
    return DT_OK;
}

static dt_status look_at(look *l, size_t file_size, dt_array_head *out)
{
    dt_array_head h = { .type = DT_ARRAY_BOOL };
    l->set = l->name ? H5Dopen2(l->file, l->name, H5P_DEFAULT) : -1;
    if (l->set < 0) return not_there(l);
    dt_status st = read_type(l, &h);
    if (st == DT_OK) st = read_shape(l, &h);
    if (st == DT_OK) st = check_layout(l);
    if (st == DT_OK) st = read_place(l, file_size, &h);
    H5Dclose(l->set);
    if (st == DT_OK) *out = h;
    return st;
}

dt_status dt_hdf5_array(const char *file, const char *name, size_t file_size, dt_array_head *out,
                        dt_error *err)
{
    dt_hdf5 guest;
    look l = { .path = file, .name = name, .err = err };
    dt_hdf5_begin(&guest);
    l.file = H5Fopen(file, H5F_ACC_RDONLY, H5P_DEFAULT);
    dt_status st = l.file < 0 ? dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = file },
                                        "begins as HDF5 and cannot be read as that; it is damaged")
                              : look_at(&l, file_size, out);
    if (l.file >= 0) H5Fclose(l.file);
    dt_hdf5_end(&guest);
    return st;
}
