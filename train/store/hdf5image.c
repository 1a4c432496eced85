/* libhdf5's core driver with no file behind it. Identifiers are closed by whoever made them; a
 * negative one is an error that has already been seen, closing it is harmless. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/store/hdf5image.h"

#include <string.h>

#include "data/hdf5.h"
#include "train/store/container.h"

enum {
    GROWTH = 1 << 20,
    TEXT_INLINE = 32000, /* longer texts are datasets: object headers end at 64 KiB */
    MAX_NAME = 3 * 512 + 64,
    MAX_TENSORS = 1 << 16,
    MAX_TEXTS = 1 << 14,
};
static const char text_prefix[] = "%text:";

struct image {
    const char *path;
    hid_t file;
    const dt_alloc *alloc;
    size_t budget; /* bytes of the file that is read, less those of what was found in it */
    dt_error *err;
};

static dt_status damaged(const struct image *m, const char *name, const char *reason)
{
    const dt_where where = { .file = m->path, .key = name };
    dt_fail(m->err, DT_ERR_FORMAT, &where, "%s", reason);
    return DT_ERR_FORMAT;
}

static dt_status no_memory(const struct image *m)
{
    const dt_where where = { .file = m->path };
    dt_fail(m->err, DT_ERR_NOMEM, &where, "no memory");
    return DT_ERR_NOMEM;
}

/* --- names --- */

/* Appends %XX for what HDF5 does not take in a link's name. False: the name is too long. */
static bool escape(const char *prefix, const char *name, char out[MAX_NAME])
{
    size_t n = strlen(prefix);
    memcpy(out, prefix, n);
    bool dot = strcmp(name, ".") == 0;
    for (; *name; name++) {
        if (n + 4 > MAX_NAME) return false;
        const char *code = *name == '%' ? "%25" : *name == '/' ? "%2F" : dot ? "%2E" : NULL;
        if (code)
            memcpy(out + n, code, 3);
        else
            out[n] = *name;
        n += code ? 3 : 1;
    }
    out[n] = '\0';
    return true;
}

/* In place; false when a '%' starts none of the codes. */
static bool unescape(char *name)
{
    char *to = name;
    for (const char *from = name; *from; to++) {
        if (*from != '%') {
            *to = *from++;
            continue;
        }
        if (strncmp(from, "%25", 3) == 0)
            *to = '%';
        else if (strncmp(from, "%2F", 3) == 0)
            *to = '/';
        else if (strncmp(from, "%2E", 3) == 0)
            *to = '.';
        else
            return false;
        from += 3;
    }
    *to = '\0';
    return true;
}

/* --- types --- */

static hid_t short_float(size_t exponent, size_t mantissa, size_t bias)
{
    hid_t t = H5Tcopy(H5T_IEEE_F32LE);
    if (H5Tset_fields(t, 15, mantissa, exponent, 0, mantissa) < 0 || H5Tset_size(t, 2) < 0 ||
        H5Tset_ebias(t, bias) < 0) {
        H5Tclose(t);
        return -1;
    }
    return t;
}

/* As h5py writes numpy.bool_. */
static hid_t boolean(void)
{
    hid_t t = H5Tenum_create(H5T_STD_I8LE);
    const signed char no = 0, yes = 1;
    if (H5Tenum_insert(t, "FALSE", &no) < 0 || H5Tenum_insert(t, "TRUE", &yes) < 0) {
        H5Tclose(t);
        return -1;
    }
    return t;
}

static hid_t make_type(dt_dtype t)
{
    switch (t) {
    case DT_F32:
        return H5Tcopy(H5T_IEEE_F32LE);
    case DT_F64:
        return H5Tcopy(H5T_IEEE_F64LE);
    case DT_F16:
        return short_float(5, 10, 15);
    case DT_BF16:
        return short_float(8, 7, 127);
    case DT_I64:
        return H5Tcopy(H5T_STD_I64LE);
    case DT_I32:
        return H5Tcopy(H5T_STD_I32LE);
    case DT_I16:
        return H5Tcopy(H5T_STD_I16LE);
    case DT_S8:
        return H5Tcopy(H5T_STD_I8LE);
    case DT_U8:
        return H5Tcopy(H5T_STD_U8LE);
    case DT_BOOL:
        return boolean();
    }
    return -1;
}

static bool find_type(hid_t type, dt_dtype *out)
{
    for (int d = DT_F32; d <= DT_BOOL; d++) {
        hid_t ours = make_type((dt_dtype)d);
        bool same = H5Tequal(type, ours) > 0;
        H5Tclose(ours);
        if (!same) continue;
        *out = (dt_dtype)d;
        return true;
    }
    return false;
}

static hid_t text_type(size_t size)
{
    hid_t t = H5Tcopy(H5T_C_S1);
    if (H5Tset_size(t, size) < 0 || H5Tset_cset(t, H5T_CSET_UTF8) < 0) {
        H5Tclose(t);
        return -1;
    }
    return t;
}

/* --- writing --- */

/* Creates and fills a dataset; closes `type` and `space`. */
static bool put_dataset(hid_t file, const char *name, hid_t type, hid_t space, const void *data)
{
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    bool good = H5Pset_obj_track_times(plist, false) >= 0 &&
                H5Pset_fill_time(plist, H5D_FILL_TIME_NEVER) >= 0;
    hid_t set = good ? H5Dcreate2(file, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT) : -1;
    good = set >= 0 && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
    if (set >= 0 && H5Dclose(set) < 0) good = false;
    H5Pclose(plist);
    H5Sclose(space);
    H5Tclose(type);
    return good;
}

static dt_status put_tensor(const struct image *m, const dt_named_tensor *t)
{
    const dt_where where = { .file = m->path, .key = t->name };
    char name[MAX_NAME];
    hsize_t dim[DT_MAX_RANK];
    if (!*t->name || strlen(t->name) > 512 || !escape("", t->name, name))
        return dt_fail(m->err, DT_ERR_ARG, &where, "a tensor's name must have 1..512 bytes");
    for (int i = 0; i < t->shape.rank; i++)
        dim[i] = (hsize_t)t->shape.dim[i];
    hid_t space =
        t->shape.rank ? H5Screate_simple(t->shape.rank, dim, NULL) : H5Screate(H5S_SCALAR);
    return put_dataset(m->file, name, make_type(t->dtype), space, t->data) ? DT_OK : no_memory(m);
}

static dt_status put_text(const struct image *m, const char *key, const char *text)
{
    const dt_where where = { .file = m->path, .key = key };
    char name[MAX_NAME];
    size_t size = strlen(text) + 1;
    if (!*key || strlen(key) > 512 || size > DT_CONTAINER_TEXT_MAX ||
        !escape(text_prefix, key, name))
        return dt_fail(m->err, DT_ERR_ARG, &where,
                       "a text must have at most %d bytes and a key of 1..512",
                       DT_CONTAINER_TEXT_MAX - 1);
    hid_t type = text_type(size), space = H5Screate(H5S_SCALAR);
    if (size > TEXT_INLINE)
        return put_dataset(m->file, name, type, space, text) ? DT_OK : no_memory(m);
    hid_t attr = H5Acreate2(m->file, key, type, space, H5P_DEFAULT, H5P_DEFAULT);
    bool good = attr >= 0 && H5Awrite(attr, type, text) >= 0;
    if (attr >= 0 && H5Aclose(attr) < 0) good = false;
    H5Sclose(space);
    H5Tclose(type);
    return good ? DT_OK : no_memory(m);
}

static hid_t create(size_t block)
{
    const unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
    hid_t fcpl = H5Pcreate(H5P_FILE_CREATE), fapl = H5Pcreate(H5P_FILE_ACCESS), file = -1;
    /* The versions are fixed so that the bytes are. Superblock 0, on purpose: libhdf5 1.10 makes
     * images of later ones whose checksum is wrong, because it clears a flag afterwards. */
    if (H5Pset_userblock(fcpl, block) >= 0 && H5Pset_obj_track_times(fcpl, false) >= 0 &&
        H5Pset_link_creation_order(fcpl, order) >= 0 &&
        H5Pset_attr_creation_order(fcpl, order) >= 0 &&
        H5Pset_fapl_core(fapl, GROWTH, false) >= 0 &&
        H5Pset_libver_bounds(fapl, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18) >= 0)
        file = H5Fcreate("checkpoint", H5F_ACC_TRUNC, fcpl, fapl);
    H5Pclose(fapl);
    H5Pclose(fcpl);
    return file;
}

/* No more than is read again. */
static dt_status fill(const struct image *m, const dt_tensors *set)
{
    const dt_where where = { .file = m->path };
    if (set->count > MAX_TENSORS || set->attr_count > MAX_TEXTS)
        return dt_fail(m->err, DT_ERR_ARG, &where, "%zu tensors and %zu texts are over %d and %d",
                       set->count, set->attr_count, MAX_TENSORS, MAX_TEXTS);
    for (size_t i = 0; i < set->attr_count; i++)
        DT_TRY(put_text(m, set->attr[i].key, set->attr[i].value));
    for (size_t i = 0; i < set->count; i++)
        DT_TRY(put_tensor(m, &set->item[i]));
    return DT_OK;
}

/* Copies the finished file out. libhdf5 gives it without the user block. */
static dt_status take_image(const struct image *m, size_t block, unsigned char **out,
                            size_t *out_size)
{
    if (H5Fflush(m->file, H5F_SCOPE_GLOBAL) < 0) return no_memory(m);
    ssize_t n = H5Fget_file_image(m->file, NULL, 0);
    unsigned char *bytes = n > 0 ? dt_get(NULL, block + (size_t)n, "checkpoint") : NULL;
    if (!bytes) return no_memory(m);
    if (H5Fget_file_image(m->file, bytes + block, (size_t)n) != n ||
        memcmp(bytes + block, "\x89HDF\r\n\x1a\n", 8) != 0) {
        dt_put(NULL, bytes);
        return no_memory(m);
    }
    *out = bytes;
    *out_size = block + (size_t)n;
    return DT_OK;
}

dt_status dt_hdf5image_make(const char *path, const dt_tensors *set, size_t block,
                            unsigned char **out, size_t *out_size, dt_error *err)
{
    dt_hdf5 hdf5;
    struct image m = { .path = path, .err = err };
    dt_hdf5_begin(&hdf5);
    m.file = create(block);
    dt_status st = m.file >= 0 ? fill(&m, set) : no_memory(&m);
    if (st == DT_OK) st = take_image(&m, block, out, out_size);
    if (m.file >= 0) H5Fclose(m.file);
    dt_hdf5_end(&hdf5);
    return st;
}

/* --- reading --- */

/* True when the data lies in this file in one piece of `bytes` bytes: no chunks, filters, virtual
 * or external storage, which could name other files. */
static bool is_plain(hid_t set, size_t bytes)
{
    hid_t plist = H5Dget_create_plist(set);
    bool plain = H5Pget_layout(plist) == H5D_CONTIGUOUS && H5Pget_external_count(plist) == 0 &&
                 H5Dget_storage_size(set) == bytes;
    H5Pclose(plist);
    return plain;
}

static bool read_shape(hid_t space, dt_shape *out)
{
    hsize_t dim[H5S_MAX_RANK];
    H5S_class_t class = H5Sget_simple_extent_type(space);
    int rank = H5Sget_simple_extent_ndims(space);
    if ((class != H5S_SCALAR && class != H5S_SIMPLE) || rank < 0 || rank > DT_MAX_RANK ||
        H5Sget_simple_extent_dims(space, dim, NULL) != rank)
        return false;
    *out = (dt_shape){ .rank = rank };
    for (int i = 0; i < rank; i++)
        out->dim[i] = dim[i] <= INT64_MAX ? (int64_t)dim[i] : 0;
    return dt_shape_count(out) > 0;
}

/* Each tensor and text has bytes of its own in the file, so all together are not larger than it:
 * many links to one dataset, or datasets that lie in one place, would be. */
static dt_status spend(struct image *m, const char *name, size_t bytes)
{
    if (bytes > m->budget)
        return damaged(m, name, "is one too many: tensors and texts are larger than the file");
    m->budget -= bytes;
    return DT_OK;
}

static dt_status get_tensor(struct image *m, const char *name, hid_t set, hid_t type, hid_t space,
                            dt_tensors *out)
{
    dt_dtype dtype = DT_F32;
    dt_shape shape;
    size_t bytes;
    if (!find_type(type, &dtype)) return damaged(m, name, "has an unknown element type");
    if (!read_shape(space, &shape)) return damaged(m, name, "has a bad shape");
    if (!dt_size_mul((size_t)dt_shape_count(&shape), dt_dtype_size(dtype), &bytes) ||
        !is_plain(set, bytes))
        return damaged(m, name, "is not stored in one piece in the file");
    DT_TRY(spend(m, name, bytes));
    DT_TRY(dt_tensors_add(out, name, dtype, &shape, NULL, m->err));
    void *data = dt_tensors_data(out, out->count - 1);
    if (H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        return damaged(m, name, "cannot be read");
    return DT_OK;
}

/* Fixed-length strings only; *out_size counts the closing NUL that is added. */
static bool text_size(hid_t type, hid_t space, size_t *out_size)
{
    size_t size = H5Tget_size(type);
    if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0 || size == 0 ||
        size > DT_CONTAINER_TEXT_MAX || H5Sget_simple_extent_type(space) != H5S_SCALAR)
        return false;
    *out_size = size + 1;
    return true;
}

static dt_status get_text(struct image *m, const char *key, hid_t id, bool is_attr, hid_t type,
                          hid_t space, dt_tensors *out)
{
    size_t size;
    if (!text_size(type, space, &size) || (!is_attr && !is_plain(id, size - 1)))
        return damaged(m, key, "is no text, or is too long");
    DT_TRY(spend(m, key, size - 1));
    char *text = dt_get(m->alloc, size, "checkpoint");
    if (!text) return no_memory(m);
    herr_t bad =
        is_attr ? H5Aread(id, type, text) : H5Dread(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text);
    dt_status st =
        bad < 0 ? damaged(m, key, "cannot be read") : dt_tensors_set_attr(out, key, text, m->err);
    dt_put(m->alloc, text);
    return st;
}

static dt_status get_link(struct image *m, hsize_t i, dt_tensors *out)
{
    char name[MAX_NAME];
    H5L_info_t info;
    ssize_t n = H5Lget_name_by_idx(m->file, ".", H5_INDEX_CRT_ORDER, H5_ITER_INC, i, name,
                                   sizeof name, H5P_DEFAULT);
    if (n <= 0 || (size_t)n >= sizeof name || strchr(name, '/') ||
        H5Lget_info(m->file, name, &info, H5P_DEFAULT) < 0 || info.type != H5L_TYPE_HARD)
        return damaged(m, NULL, "has a damaged link");
    hid_t set = H5Dopen2(m->file, name, H5P_DEFAULT);
    if (set < 0) return damaged(m, name, "is no dataset");
    bool is_text = strncmp(name, text_prefix, sizeof text_prefix - 1) == 0;
    char *own = is_text ? name + sizeof text_prefix - 1 : name;
    hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    dt_status st = !unescape(own) ? damaged(m, name, "has a bad name")
                   : is_text      ? get_text(m, own, set, false, type, space, out)
                                  : get_tensor(m, own, set, type, space, out);
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(set);
    return st;
}

static dt_status get_attr(struct image *m, const char *key, dt_tensors *out)
{
    if (!*key || strlen(key) >= MAX_NAME) return damaged(m, NULL, "has a text with a bad key");
    hid_t attr = H5Aopen(m->file, key, H5P_DEFAULT);
    if (attr < 0) return damaged(m, NULL, "has a damaged text");
    hid_t type = H5Aget_type(attr), space = H5Aget_space(attr);
    dt_status st = get_text(m, key, attr, true, type, space, out);
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attr);
    return st;
}

struct attr_visit {
    struct image *m;
    dt_tensors *out;
    dt_status st;
};

static herr_t visit_attr(hid_t at, const char *key, const H5A_info_t *info, void *arg)
{
    struct attr_visit *v = arg;
    (void)at;
    (void)info;
    v->st = get_attr(v->m, key, v->out);
    return v->st == DT_OK ? 0 : 1;
}

/* In one walk: libhdf5 lists them all anew for each that is asked for by number. */
static dt_status get_attrs(struct image *m, dt_tensors *out)
{
    struct attr_visit v = { m, out, DT_OK };
    hsize_t n = 0;
    if (H5Aiterate2(m->file, H5_INDEX_CRT_ORDER, H5_ITER_INC, &n, visit_attr, &v) < 0)
        return damaged(m, NULL, "has a damaged text");
    return v.st;
}

/* Links and texts of a group may lie in a compressed heap, which can be any size when it is read.
 */
static bool is_compressed(const struct image *m)
{
    hid_t root = H5Gopen2(m->file, "/", H5P_DEFAULT), group = H5Gget_create_plist(root);
    bool plain = H5Pget_nfilters(group) == 0;
    H5Pclose(group);
    H5Gclose(root);
    return !plain;
}

static dt_status get_all(struct image *m, dt_tensors *out)
{
    H5G_info_t links;
    H5O_info_t root;
    if (is_compressed(m)) return damaged(m, NULL, "has compressed links");
    if (H5Gget_info(m->file, &links) < 0 || H5Oget_info2(m->file, &root, H5O_INFO_NUM_ATTRS) < 0)
        return damaged(m, NULL, "has no root group");
    if (links.nlinks > MAX_TENSORS || root.num_attrs > MAX_TEXTS)
        return damaged(m, NULL, "has over 65536 tensors or 16384 texts");
    DT_TRY(get_attrs(m, out));
    for (hsize_t i = 0; i < links.nlinks; i++)
        DT_TRY(get_link(m, i, out));
    return DT_OK;
}

static hid_t open_image(const unsigned char *bytes, size_t size)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS), file = -1;
    /* libhdf5 copies the image; its prototype only lacks the const. */
    void *image = (void *)(uintptr_t)bytes;
    if (H5Pset_fapl_core(fapl, GROWTH, false) >= 0 && H5Pset_file_image(fapl, image, size) >= 0)
        file = H5Fopen("checkpoint", H5F_ACC_RDONLY, fapl);
    H5Pclose(fapl);
    return file;
}

dt_status dt_hdf5image_read(const char *path, const unsigned char *bytes, size_t size,
                            const dt_alloc *a, dt_tensors *out, dt_error *err)
{
    dt_hdf5 hdf5;
    struct image m = { .path = path, .alloc = a, .budget = size, .err = err };
    dt_hdf5_begin(&hdf5);
    m.file = open_image(bytes, size);
    dt_status st = m.file >= 0 ? get_all(&m, out) : damaged(&m, NULL, "is no HDF5 file");
    if (m.file >= 0) H5Fclose(m.file);
    dt_hdf5_end(&hdf5);
    return st;
}
