/* Pictures: decoded RGB bytes in memory that is used again, and the decoder of PNG and JPEG files.
 * Files are hostile: sizes are bounded before memory is taken, and a decoder's error is a status.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_PICTURE_H
#define DT_DATA_PICTURE_H

#include "core/alloc.h"

enum {
    DT_PICTURE_MAX_SIDE = 16384,     /* pixels */
    DT_PICTURE_MAX_PIXELS = 1 << 26, /* 201 MB as RGB; a file that claims more is refused */
    DT_PICTURE_MAX_FILE = 1 << 28,   /* bytes */
};

/* Memory that grows and is used again. Zero is an empty one; `alloc` NULL = dt_alloc_std(). */
typedef struct dt_bytes {
    const dt_alloc *alloc;
    uint8_t *data;
    size_t capacity;
} dt_bytes;
/* Room for `size` bytes; what was there is lost when it has to grow. NOMEM. */
dt_status dt_bytes_want(dt_bytes *b, size_t size, dt_error *err) DT_MUST_CHECK;
/* Gives the memory back when it is more than `keep` bytes. */
void dt_bytes_trim(dt_bytes *b, size_t keep);

/* A picture of any size. */
typedef struct dt_picture {
    int64_t H, W;
    dt_bytes rgb; /* [H,W,3], R G B */
} dt_picture;
/* Sets the size and makes room; the pixels are undefined. SHAPE: not 1..DT_PICTURE_MAX_SIDE, or too
 * many pixels. */
dt_status dt_picture_shape(dt_picture *p, int64_t H, int64_t W, dt_error *err) DT_MUST_CHECK;

/* What EXIF says of the way up: not looked at, told, or obeyed. */
typedef enum dt_orient { DT_ORIENT_IGNORE, DT_ORIENT_APPLY, DT_ORIENT_TELL } dt_orient;

/* A sample under way and the memory of the thread that works on it: what is read, what transforms
 * write beside it (they exchange `picture` and `spare`), and their tables. */
typedef struct dt_sample {
    dt_picture picture, spare;
    dt_bytes file, work;
    int label;
    dt_orient orient; /* set by who reads */
    int orientation;  /* that the file tells, see orientation.h; 1 where it is ignored */
} dt_sample;
void dt_sample_init(dt_sample *s, const dt_alloc *alloc);
void dt_sample_fini(dt_sample *s);
void dt_sample_swap(dt_sample *s); /* picture <-> spare */
/* Gives back buffers of more than `keep` bytes, which a single huge picture left. */
void dt_sample_trim(dt_sample *s, size_t keep);

/* Height and width from the header, inside the bounds above. `path` is named in the errors:
 * NOT_FOUND, IO, FORMAT. */
dt_status dt_picture_size(const char *path, int64_t *out_H, int64_t *out_W,
                          dt_error *err) DT_MUST_CHECK;
/* Decodes a file, by its first bytes, to the bytes that Pillow's convert("RGB") gives, and so to
 * torchvision's: grey is repeated; CMYK and YCCK are taken as inverted, which is how Adobe writes
 * them; a palette is looked up; alpha and transparent colours are dropped; gamma, profiles and
 * turning by EXIF are ignored; of 16 bits a colour the upper 8 count, but in grey without alpha all
 * above 255 are white. FORMAT when the file is cut off or damaged, or too large. */
dt_status dt_picture_decode(const void *data, size_t size, const char *name, dt_picture *out,
                            dt_error *err) DT_MUST_CHECK;
/* The same into s->picture, turned where s->orient asks for it. */
dt_status dt_sample_decode(const void *data, size_t size, const char *name, dt_sample *s,
                           dt_error *err) DT_MUST_CHECK;
/* The whole file into s->file, then so. */
dt_status dt_picture_read(const char *path, dt_sample *s, dt_error *err) DT_MUST_CHECK;
/* A whole regular file of at most DT_PICTURE_MAX_FILE bytes. */
dt_status dt_bytes_read(dt_bytes *b, const char *path, size_t *out_size,
                        dt_error *err) DT_MUST_CHECK;

#endif
