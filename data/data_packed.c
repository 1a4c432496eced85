/* A packed dataset (pack.h), read by position. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "core/file.h"
#include "data/pack.h"

typedef struct set {
    const dt_alloc *alloc;
    const char *path;
    int fd;
    dt_pack_head head;
    uint64_t *index;    /* [N,4] */
    char *class_text;   /* [classes,class_size] */
    const char **names; /* [classes] */
} set;

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the index of a packed dataset");
}

static dt_status damaged(const set *s, dt_error *err, const char *what)
{
    return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = s->path }, "is damaged: %s", what);
}

static dt_status read_head(set *s, dt_error *err)
{
    unsigned char block[DT_PACK_BLOCK];
    char hex[DT_SHA256_HEX];
    struct stat about;
    if (fstat(s->fd, &about) != 0 || !S_ISREG(about.st_mode) || about.st_size < DT_PACK_BLOCK)
        return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = s->path },
                       "is no packed dataset; detent data pack makes one");
    DT_TRY(dt_pack_pread(s->fd, s->path, 0, block, sizeof block, err));
    DT_TRY(dt_pack_head_read(block, s->path, (uint64_t)about.st_size, &s->head, err));
    DT_TRY(dt_pack_hash(s->fd, s->path, &s->head, block, hex, err));
    if (memcmp(hex, block + dt_pack_hashed(s->head.version), DT_SHA256_HEX - 1) != 0)
        return damaged(s, err, "its SHA-256 does not fit");
    return DT_OK;
}

/* Numbers to this machine's order, each checked once. */
static dt_status read_index(set *s, dt_error *err)
{
    size_t n = (size_t)(s->head.count[0] + s->head.count[1]);
    s->index = dt_get_array(s->alloc, n, 8 * DT_PACK_COLUMNS, "packed");
    if (!s->index) return no_memory(err);
    DT_TRY(dt_pack_pread(s->fd, s->path, s->head.index, s->index, n * 8 * DT_PACK_COLUMNS, err));
    for (size_t i = 0; i < n; i++) {
        uint64_t *row = s->index + DT_PACK_COLUMNS * i;
        for (int k = 0; k < DT_PACK_COLUMNS; k++)
            row[k] = dt_pack_number((const unsigned char *)&row[k], 8);
        if (row[0] > s->head.picture_bytes || row[1] > s->head.picture_bytes - row[0] ||
            row[1] > DT_PICTURE_MAX_FILE || row[2] >= s->head.classes || row[3] > UINT32_MAX)
            return damaged(s, err, "its index makes no sense");
    }
    return DT_OK;
}

static dt_status read_classes(set *s, dt_error *err)
{
    size_t n = (size_t)s->head.classes, size = (size_t)s->head.class_size;
    s->class_text = dt_get_array(s->alloc, n, size, "packed");
    s->names = dt_get_array(s->alloc, n, sizeof *s->names, "packed");
    if (!s->class_text || !s->names) return no_memory(err);
    DT_TRY(dt_pack_pread(s->fd, s->path, s->head.class_names, s->class_text, n * size, err));
    for (size_t i = 0; i < n; i++) {
        s->names[i] = s->class_text + i * size;
        if (!memchr(s->names[i], '\0', size)) return damaged(s, err, "a class name has no end");
    }
    return DT_OK;
}

static void close_set(void *self)
{
    set *s = self;
    if (s->fd >= 0) close(s->fd);
    dt_put(s->alloc, s->index);
    dt_put(s->alloc, s->class_text);
    dt_put(s->alloc, s->names);
    dt_put(s->alloc, (void *)(uintptr_t)s->path);
    dt_put(s->alloc, s);
}

static dt_status open_all(set *s, const char *root, dt_error *err)
{
    char *path = dt_get(s->alloc, strlen(root) + 1, "packed");
    if (!path) return no_memory(err);
    s->path = strcpy(path, root);
    DT_TRY(dt_fd_open(root, &s->fd, err));
    DT_TRY(read_head(s, err));
    DT_TRY(read_index(s, err));
    return read_classes(s, err);
}

static dt_status check_need(const set *s, dt_data_need need, dt_error *err)
{
    for (int k = 0; k < DT_DATA_SPLITS; k++)
        if (need != DT_NEED_ANY && dt_data_needs(need, (dt_split)k) && s->head.count[k] == 0)
            return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .file = s->path },
                           "holds no %s pictures", k == DT_SPLIT_TEST ? "test" : "training");
    return DT_OK;
}

static dt_status open_set(const dt_data_params *p, void **out_self, dt_data_info *out_info,
                          dt_error *err)
{
    set *s = dt_get(p->alloc, sizeof *s, "packed");
    if (!s) return no_memory(err);
    s->alloc = p->alloc;
    s->fd = -1;
    dt_status st = open_all(s, p->root, err);
    if (st == DT_OK) st = check_need(s, p->need, err);
    if (st != DT_OK) {
        close_set(s);
        return st;
    }
    *out_self = s;
    *out_info = (dt_data_info){ .classes = (int)s->head.classes,
                                .H = (int64_t)s->head.height,
                                .W = (int64_t)s->head.width,
                                .coded = true,
                                .count = { (int64_t)s->head.count[0], (int64_t)s->head.count[1] },
                                .class_names = s->names };
    return DT_OK;
}

static uint64_t position(const set *s, dt_split split, int64_t index)
{
    return (uint64_t)index + (split == DT_SPLIT_TEST ? s->head.count[0] : 0);
}

static dt_status name(const void *self, dt_split split, int64_t index, dt_sample_name *out,
                      dt_error *err)
{
    const set *s = self;
    uint64_t i = position(s, split, index);
    size_t size =
        s->head.name_size < sizeof out->name ? (size_t)s->head.name_size : sizeof out->name - 1;
    *out = (dt_sample_name){ .label = (int)s->index[DT_PACK_COLUMNS * i + 2] };
    return dt_pack_pread(s->fd, s->path, s->head.names + i * s->head.name_size, out->name, size,
                         err);
}

/* "<file>/<picture>", for errors; the name is read only when it is needed. */
static const char *place_of(const set *s, dt_split split, int64_t index,
                            char text[2 * DT_DATA_PATH])
{
    dt_sample_name n;
    if (name(s, split, index, &n, NULL) != DT_OK) n.name[0] = '\0';
    snprintf(text, 2 * DT_DATA_PATH, "%s/%s", s->path, n.name);
    return text;
}

static dt_status read_picture(const void *self, dt_split split, int64_t index, dt_sample *out,
                              dt_error *err)
{
    const set *s = self;
    char place[2 * DT_DATA_PATH];
    const uint64_t *row = s->index + DT_PACK_COLUMNS * position(s, split, index);
    size_t size = (size_t)row[1];
    DT_TRY(dt_bytes_want(&out->file, size ? size : 1, err));
    DT_TRY(dt_pack_pread(s->fd, s->path, s->head.pictures + row[0], out->file.data, size, err));
    if (crc32(0, out->file.data, (uInt)size) != row[3])
        return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = place_of(s, split, index, place) },
                       "is changed: its CRC-32 does not fit");
    dt_status st = dt_sample_decode(out->file.data, size, s->path, out, NULL);
    if (st != DT_OK) /* again, for the text with its name */
        return dt_sample_decode(out->file.data, size, place_of(s, split, index, place), out, err);
    if (s->head.height &&
        (out->picture.H != (int64_t)s->head.height || out->picture.W != (int64_t)s->head.width))
        return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = place_of(s, split, index, place) },
                       "%lldx%lld pixels; the file says %llux%llu of all pictures",
                       (long long)out->picture.W, (long long)out->picture.H,
                       (unsigned long long)s->head.width, (unsigned long long)s->head.height);
    out->label = (int)row[2];
    return DT_OK;
}

extern const dt_dataset dt_dataset_packed;
const dt_dataset dt_dataset_packed = {
    .row = { "packed", "a file that detent data pack made: root=FILE.h5", NULL, 0 },
    .needs_root = true,
    .open = open_set,
    .read = read_picture,
    .name = name,
    .close = close_set,
};
