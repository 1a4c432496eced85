/* External data: the numbers of constants in files beside the model, below its folder only, with
 * links followed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exchange/onnx/reader/onnx_tensor.h"

typedef struct place {
    const char *file;
    uint64_t offset, length;
    bool has_length;
} place;

static dt_status fail(const dt_ox_source *s, const Onnx__TensorProto *t, dt_status st,
                      dt_error *err, const char *file, const char *what)
{
    const dt_where where = { s->file->path, 0, t->name && *t->name ? t->name : "a constant" };
    return dt_fail(err, st, &where, "its data in '%.120s' %s", file ? file : "", what);
}

/* A whole number, all of the text; false: it is none. */
static bool number(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && !errno;
}

static dt_status read_entries(const dt_ox_source *s, const Onnx__TensorProto *t, place *out,
                              dt_error *err)
{
    bool good = true;
    *out = (place){ 0 };
    for (size_t i = 0; i < t->n_external_data; i++) {
        const Onnx__StringStringEntryProto *e = t->external_data[i];
        const char *key = e->key ? e->key : "", *value = e->value ? e->value : "";
        if (strcmp(key, "location") == 0) out->file = value;
        if (strcmp(key, "offset") == 0) good = good && number(value, &out->offset);
        if (strcmp(key, "length") == 0)
            good = out->has_length = good && number(value, &out->length);
    }
    if (!out->file || !*out->file || !good || out->offset > INT64_MAX)
        return fail(s, t, DT_ERR_FORMAT, err, out->file, "has no place: location, offset, length");
    return DT_OK;
}

/* Is it a path that stays in its folder, as it is written? */
static bool is_below(const char *path)
{
    if (*path == '/' || strchr(path, '\\')) return false;
    for (const char *at = path; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (at[0] == '.' && at[1] == '.' && (!at[2] || at[2] == '/')) return false;
    }
    return true;
}

/* Opens a file that is below the folder with all links followed. */
static dt_status open_below(const dt_ox_source *s, const Onnx__TensorProto *t, const char *name,
                            int *out_fd, dt_error *err)
{
    char folder[PATH_MAX], file[PATH_MAX];
    char *joined;
    if (!s->folder || !is_below(name))
        return fail(s, t, DT_ERR_UNSUPPORTED, err, name,
                    "is not read: only files below the model's own folder are");
    DT_TRY(dt_path_join(s->folder, name, &joined, err));
    bool found = realpath(s->folder, folder) && realpath(joined, file);
    size_t length = found ? strlen(folder) : 0;
    dt_status st = DT_OK;
    if (!found)
        st = fail(s, t, DT_ERR_NOT_FOUND, err, name, "is not there");
    else if (strncmp(file, folder, length) != 0 || (length > 1 && file[length] != '/'))
        st = fail(s, t, DT_ERR_UNSUPPORTED, err, name,
                  "is not read: a link leads out of the model's folder");
    if (st == DT_OK) st = dt_fd_open(file, out_fd, err);
    dt_put(NULL, joined);
    return st;
}

static bool read_all(int fd, uint64_t offset, size_t size, unsigned char *to)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, to + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        done += (size_t)n;
    }
    return true;
}

static dt_status read_range(dt_ox_source *s, const Onnx__TensorProto *t, const place *p, int fd,
                            size_t size, unsigned char **out, dt_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || info.st_size < 0 || p->offset > (uint64_t)info.st_size ||
        size > (uint64_t)info.st_size - p->offset || (p->has_length && p->length != size))
        return fail(s, t, DT_ERR_FORMAT, err, p->file, "ends before it, or has another size");
    unsigned char *bytes = dt_get(s->file->alloc, size ? size : 1, "ONNX data");
    if (!bytes) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a constant");
    if (!read_all(fd, p->offset, size, bytes)) {
        dt_put(s->file->alloc, bytes);
        return fail(s, t, DT_ERR_IO, err, p->file, "cannot be read");
    }
    dt_sha256_add(s->sha256, bytes, size);
    *out = bytes;
    return DT_OK;
}

dt_status dt_ox_external(dt_ox_source *s, const Onnx__TensorProto *t, size_t size,
                         unsigned char **out, dt_error *err)
{
    place p;
    int fd;
    DT_TRY(read_entries(s, t, &p, err));
    DT_TRY(open_below(s, t, p.file, &fd, err));
    dt_status st = read_range(s, t, &p, fd, size, out, err);
    close(fd);
    return st;
}
