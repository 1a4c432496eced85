/* Writing flatbuffers (flatbuffers.dev, "Internals"): tables of numbered fields, vectors, strings.
 * Debian has a C++ library and a compiler for it, and none for C; writing needs no schema, only the
 * numbers of the fields. Objects are made, filled and refer to others, each object from one place
 * only; packing lays them out behind those that refer to them. The first failure (memory) sticks
 * and is told when packing. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_TFLITE_FLATBUFFER_H
#define DT_EXCHANGE_TFLITE_FLATBUFFER_H

#include <stdint.h>

#include "core/alloc.h"
#include "core/status.h"

enum { DT_FB_SLOTS = 12 };

typedef struct dt_fb dt_fb;               /* owns everything made with it */
typedef struct dt_fb_object dt_fb_object; /* NULL where memory ran out; functions ignore it then */

dt_fb *dt_fb_new(const dt_alloc *a) DT_MUST_CHECK; /* NULL: no memory */
void dt_fb_free(dt_fb *b);                         /* NULL is fine */

dt_fb_object *dt_fb_table(dt_fb *b);
/* Fields of a table: slot 0..DT_FB_SLOTS-1; `size` 1, 2, 4 or 8 bytes of the value. Fields that are
 * never set are absent. */
void dt_fb_set(dt_fb_object *table, int slot, int size, int64_t value);
void dt_fb_set_object(dt_fb_object *table, int slot, dt_fb_object *object);

/* `data` is copied: count elements of `size` bytes, which start at a multiple of `align`. */
dt_fb_object *dt_fb_vector(dt_fb *b, const void *data, size_t count, size_t size, size_t align);
/* Of tables, strings or vectors; `objects` is copied. */
dt_fb_object *dt_fb_objects(dt_fb *b, dt_fb_object *const *objects, size_t count);
dt_fb_object *dt_fb_string(dt_fb *b, const char *text);

/* The file's bytes, to be given back with dt_put(a, .). `identifier` has 4 characters. Errors:
 * NOMEM; UNSUPPORTED over 2 GiB. */
dt_status dt_fb_pack(dt_fb *b, dt_fb_object *root, const char *identifier,
                     unsigned char **out_bytes, size_t *out_size, dt_error *err) DT_MUST_CHECK;

#endif
