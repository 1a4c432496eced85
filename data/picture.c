/* Memory of pictures, and which decoder a file needs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/picture.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "data/orientation.h"
#include "data/picture_codec.h"

enum { SIGNATURE = 8 /* bytes that tell the format */ };

dt_status dt_bytes_want(dt_bytes *b, size_t size, dt_error *err)
{
    if (size <= b->capacity) return DT_OK;
    dt_put(b->alloc, b->data);
    b->capacity = 0;
    b->data = dt_get(b->alloc, size, "picture");
    if (!b->data) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for %zu bytes", size);
    b->capacity = size;
    return DT_OK;
}

void dt_bytes_trim(dt_bytes *b, size_t keep)
{
    if (b->capacity <= keep) return;
    dt_put(b->alloc, b->data);
    b->data = NULL;
    b->capacity = 0;
}

dt_status dt_picture_shape(dt_picture *p, int64_t H, int64_t W, dt_error *err)
{
    if (H < 1 || W < 1 || H > DT_PICTURE_MAX_SIDE || W > DT_PICTURE_MAX_SIDE ||
        H * W > DT_PICTURE_MAX_PIXELS)
        return dt_fail(err, DT_ERR_SHAPE, NULL, "%lldx%lld pixels are too few or too many",
                       (long long)W, (long long)H);
    DT_TRY(dt_bytes_want(&p->rgb, (size_t)(3 * H * W), err));
    p->H = H;
    p->W = W;
    return DT_OK;
}

void dt_sample_init(dt_sample *s, const dt_alloc *alloc)
{
    *s = (dt_sample){ 0 };
    s->picture.rgb.alloc = s->spare.rgb.alloc = s->file.alloc = s->work.alloc = alloc;
}

void dt_sample_trim(dt_sample *s, size_t keep)
{
    dt_bytes_trim(&s->picture.rgb, keep);
    dt_bytes_trim(&s->spare.rgb, keep);
    dt_bytes_trim(&s->file, keep);
    dt_bytes_trim(&s->work, keep);
}

void dt_sample_fini(dt_sample *s)
{
    dt_sample_trim(s, 0);
}

void dt_sample_swap(dt_sample *s)
{
    dt_picture keep = s->picture;
    s->picture = s->spare;
    s->spare = keep;
}

dt_status dt_coded_check(const dt_coded *in, uint64_t H, uint64_t W, dt_error *err)
{
    if (H >= 1 && W >= 1 && H <= DT_PICTURE_MAX_SIDE && W <= DT_PICTURE_MAX_SIDE &&
        H * W <= DT_PICTURE_MAX_PIXELS)
        return DT_OK;
    return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = in->name },
                   "%llux%llu pixels; at most %d a side and %d in all are read",
                   (unsigned long long)W, (unsigned long long)H, DT_PICTURE_MAX_SIDE,
                   DT_PICTURE_MAX_PIXELS);
}

typedef enum format { UNKNOWN, PNG, JPEG } format;

static format format_of(const unsigned char *head, size_t size)
{
    static const unsigned char png[] = { 0x89, 'P', 'N', 'G' }, jpeg[] = { 0xFF, 0xD8 };
    if (size >= sizeof png && memcmp(head, png, sizeof png) == 0) return PNG;
    if (size >= sizeof jpeg && memcmp(head, jpeg, sizeof jpeg) == 0) return JPEG;
    return UNKNOWN;
}

static dt_status neither(const char *name, dt_error *err)
{
    return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = name },
                   "no readable picture: neither PNG nor JPEG by its first bytes");
}

dt_status dt_picture_size(const char *path, int64_t *out_H, int64_t *out_W, dt_error *err)
{
    unsigned char head[SIGNATURE];
    FILE *f;
    DT_TRY(dt_file_open(path, &f, err));
    const dt_coded in = { .stream = f, .name = path };
    format kind = format_of(head, fread(head, 1, sizeof head, f));
    rewind(f);
    dt_status st = kind == PNG    ? dt_png_size(&in, out_H, out_W, err)
                   : kind == JPEG ? dt_jpeg_size(&in, out_H, out_W, err)
                                  : neither(path, err);
    fclose(f);
    return st;
}

dt_status dt_picture_decode(const void *data, size_t size, const char *name, dt_picture *out,
                            dt_error *err)
{
    const dt_coded in = { .data = data, .size = size, .name = name };
    switch (format_of(data, size)) {
    case PNG:
        return dt_png_decode(&in, out, err);
    case JPEG:
        return dt_jpeg_decode(&in, out, err);
    case UNKNOWN:
        break;
    }
    return neither(name, err);
}

dt_status dt_sample_decode(const void *data, size_t size, const char *name, dt_sample *s,
                           dt_error *err)
{
    DT_TRY(dt_picture_decode(data, size, name, &s->picture, err));
    s->orientation = s->orient == DT_ORIENT_IGNORE ? 1 : dt_orientation_of(data, size);
    return s->orient == DT_ORIENT_APPLY ? dt_orientation_apply(s->orientation, s, err) : DT_OK;
}

dt_status dt_bytes_read(dt_bytes *b, const char *path, size_t *out_size, dt_error *err)
{
    const dt_where where = { .file = path };
    struct stat about;
    FILE *f;
    DT_TRY(dt_file_open(path, &f, err));
    dt_status st = DT_OK;
    if (fstat(fileno(f), &about) != 0)
        st = dt_fail(err, DT_ERR_IO, &where, "cannot read: %s", strerror(errno));
    else if (about.st_size < 0 || about.st_size > DT_PICTURE_MAX_FILE)
        st = dt_fail(err, DT_ERR_FORMAT, &where, "%lld bytes; at most %d are read",
                     (long long)about.st_size, DT_PICTURE_MAX_FILE);
    size_t size = st == DT_OK ? (size_t)about.st_size : 0;
    if (st == DT_OK) st = dt_bytes_want(b, size ? size : 1, err);
    setvbuf(f, NULL, _IONBF, 0); /* one read into our memory, no buffer between */
    if (st == DT_OK && fread(b->data, 1, size, f) != size)
        st = dt_fail(err, DT_ERR_IO, &where, "cannot read %zu bytes", size);
    fclose(f);
    if (st == DT_OK) *out_size = size;
    return st;
}

dt_status dt_picture_read(const char *path, dt_sample *s, dt_error *err)
{
    size_t size;
    DT_TRY(dt_bytes_read(&s->file, path, &size, err));
    return dt_sample_decode(s->file.data, size, path, s, err);
}
