/* The layout since PyTorch 1.6: a zip of uncompressed entries, `<folder>/data.pkl` with the object
 * and `<folder>/data/<key>` with each storage. libzip finds them through the central directory and
 * checks their CRC. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <zip.h>

#include "exchange/torch/torch_archive.h"

bool dt_torch_is_zip(const unsigned char *bytes, size_t size)
{
    return size >= 4 && memcmp(bytes, "PK\3\4", 4) == 0;
}

static dt_status damaged(const dt_torch_archive *t, const char *entry, const char *reason,
                         dt_error *err)
{
    const dt_where where = { .file = t->path, .key = entry };
    return dt_fail(err, DT_ERR_FORMAT, &where, "%s", reason);
}

static dt_status no_memory(const dt_torch_archive *t, dt_error *err)
{
    const dt_where where = { .file = t->path };
    return dt_fail(err, DT_ERR_NOMEM, &where, "no memory");
}

/* Reads all bytes and the end mark behind them, where libzip compares the CRC. */
static bool read_whole(zip_file_t *f, unsigned char *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        zip_int64_t n = zip_fread(f, data + done, size - done);
        if (n <= 0) return false;
        done += (size_t)n;
    }
    unsigned char more;
    return zip_fread(f, &more, 1) == 0;
}

/* Entry `index` as a whole, kept in the arena. */
static dt_status read_entry(dt_torch_archive *t, zip_uint64_t index, const char *label,
                            const unsigned char **out, size_t *out_size, dt_error *err)
{
    zip_stat_t st;
    const zip_uint64_t need = ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(t->zip, index, 0, &st) != 0 || (st.valid & need) != need)
        return damaged(t, label, "the zip entry is damaged", err);
    if (st.comp_method != ZIP_CM_STORE || st.encryption_method != ZIP_EM_NONE)
        return damaged(t, label, "the zip entry is compressed; PyTorch stores it as it is", err);
    if (st.size > t->size) return damaged(t, label, "the zip entry is larger than the file", err);
    *out_size = (size_t)st.size;
    *out = t->entry[index];
    if (*out) return DT_OK;
    unsigned char *data = dt_arena_get(t->arena, *out_size);
    if (!data) return no_memory(t, err);
    zip_file_t *f = zip_fopen_index(t->zip, index, 0);
    bool good = f && read_whole(f, data, *out_size);
    if (f) zip_fclose(f);
    if (!good) return damaged(t, label, "the zip entry is damaged (wrong CRC or size)", err);
    *out = t->entry[index] = data;
    return DT_OK;
}

/* The folder that all entries lie in: what is in front of "/data.pkl". */
static dt_status find_folder(dt_torch_archive *t, zip_uint64_t *out_index, dt_error *err)
{
    static const char tail[] = "/data.pkl";
    zip_int64_t n = zip_get_num_entries(t->zip, 0);
    for (zip_uint64_t i = 0; n > 0 && i < (zip_uint64_t)n; i++) {
        const char *name = zip_get_name(t->zip, i, ZIP_FL_ENC_RAW);
        const char *slash = name ? strchr(name, '/') : NULL;
        if (!slash || strcmp(slash, tail) != 0) continue;
        t->folder = dt_arena_printf(t->arena, "%.*s", (int)(slash - name), name);
        if (!t->folder) return no_memory(t, err);
        *out_index = i;
        return DT_OK;
    }
    return damaged(t, NULL, "is a zip, but has no '<folder>/data.pkl': no PyTorch file", err);
}

static zip_int64_t locate(const dt_torch_archive *t, const char *part, const char *key)
{
    char name[1024];
    int n = snprintf(name, sizeof name, "%s/%s%s", t->folder, part, key);
    if (n < 0 || (size_t)n >= sizeof name) return -1;
    return zip_name_locate(t->zip, name, ZIP_FL_ENC_RAW);
}

static dt_status check_byte_order(dt_torch_archive *t, dt_error *err)
{
    zip_int64_t index = locate(t, "byteorder", "");
    if (index < 0) return DT_OK; /* older files do not say and are little endian */
    const unsigned char *order;
    size_t size;
    DT_TRY(read_entry(t, (zip_uint64_t)index, "byteorder", &order, &size, err));
    if (size != 6 || memcmp(order, "little", 6) != 0)
        return damaged(t, NULL, "is not little endian", err);
    return DT_OK;
}

dt_status dt_torch_zip_open(dt_torch_archive *t, const unsigned char *bytes, size_t size,
                            dt_error *err)
{
    const dt_where where = { .file = t->path };
    zip_error_t ze;
    zip_error_init(&ze);
    zip_source_t *source = zip_source_buffer_create(bytes, size, 0, &ze);
    if (source) t->zip = zip_open_from_source(source, ZIP_RDONLY, &ze);
    if (!t->zip) {
        bool memory = zip_error_code_zip(&ze) == ZIP_ER_MEMORY;
        dt_fail(err, memory ? DT_ERR_NOMEM : DT_ERR_FORMAT, &where, "is a damaged zip: %s",
                zip_error_strerror(&ze));
        zip_source_free(source);
        zip_error_fini(&ze);
        return memory ? DT_ERR_NOMEM : DT_ERR_FORMAT;
    }
    zip_error_fini(&ze);
    size_t n;
    zip_uint64_t index = 0;
    if (!dt_size_mul((size_t)zip_get_num_entries(t->zip, 0), sizeof *t->entry, &n) ||
        !(t->entry = dt_arena_get(t->arena, n)))
        return no_memory(t, err);
    DT_TRY(find_folder(t, &index, err));
    DT_TRY(check_byte_order(t, err));
    const unsigned char *pickle;
    DT_TRY(read_entry(t, index, "data.pkl", &pickle, &n, err));
    return dt_pickle_read(t->path, pickle, n, t->arena, t->alloc, &t->object, err);
}

dt_status dt_torch_zip_get(dt_torch_archive *t, const char *name, dt_torch_storage *storage,
                           dt_error *err)
{
    const dt_where where = { .file = t->path, .key = name };
    zip_int64_t index = locate(t, "data/", storage->key);
    if (index < 0)
        return dt_fail(err, DT_ERR_FORMAT, &where, "storage '%s' is not in the file", storage->key);
    size_t size = 0, want;
    DT_TRY(read_entry(t, (zip_uint64_t)index, name, &storage->data, &size, err));
    if (!dt_size_mul((size_t)storage->count, dt_dtype_size(storage->dtype), &want) || want != size)
        return dt_fail(err, DT_ERR_FORMAT, &where,
                       "storage '%s' has %zu bytes, %lld elements of %s are wanted", storage->key,
                       size, (long long)storage->count, dt_dtype_name(storage->dtype));
    return DT_OK;
}

void dt_torch_zip_close(dt_torch_archive *t)
{
    if (t->zip) zip_discard(t->zip);
    t->zip = NULL;
}
