/* Flatbuffers, little endian. In the file:
 *
 *   u32 offset of the root table, 4 characters
 *   table:  vtable (u16 its bytes, u16 the table's bytes, u16 offset of each field or 0) directly
 *           in front of i32 distance back to the vtable, then fields, aligned to their size
 *   vector: u32 count, elements; a string is one with a 0 behind
 *   object in a field or vector: u32 distance from there, forward
 *
 * Tables start at multiples of 8. Two passes: positions, then bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/tflite/flatbuffer.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

typedef enum kind { TABLE, VECTOR, OBJECTS } kind;

typedef struct field {
    int size; /* 0: absent */
    int64_t value;
    dt_fb_object *object; /* NULL: a number */
    size_t at;            /* in the table */
} field;

struct dt_fb_object {
    kind kind;
    dt_fb_object *next; /* in the order of packing */
    bool placed;
    size_t at;    /* of the table's distance or the vector's count */
    field *field; /* TABLE: [DT_FB_SLOTS] */
    size_t count, size, align, bytes;
    void *data; /* VECTOR: bytes; OBJECTS: dt_fb_object * [count] */
};

struct dt_fb {
    const dt_alloc *alloc;
    dt_arena *arena;
    bool failed;
};

dt_fb *dt_fb_new(const dt_alloc *a)
{
    dt_fb *b = dt_get(a, sizeof *b, "flatbuffer");
    if (!b) return NULL;
    *b = (dt_fb){ .alloc = a, .arena = dt_arena_new(a, "flatbuffer") };
    if (b->arena) return b;
    dt_put(a, b);
    return NULL;
}

void dt_fb_free(dt_fb *b)
{
    if (!b) return;
    dt_arena_free(b->arena);
    dt_put(b->alloc, b);
}

static void *get(dt_fb *b, size_t size)
{
    void *memory = b->failed ? NULL : dt_arena_get(b->arena, size);
    if (!memory) b->failed = true;
    return memory;
}

static dt_fb_object *make(dt_fb *b, kind k)
{
    dt_fb_object *o = get(b, sizeof *o);
    if (o) o->kind = k;
    return o;
}

dt_fb_object *dt_fb_table(dt_fb *b)
{
    dt_fb_object *o = make(b, TABLE);
    field *f = get(b, DT_FB_SLOTS * sizeof *f);
    if (!o || !f) return NULL;
    o->field = f;
    return o;
}

void dt_fb_set(dt_fb_object *table, int slot, int size, int64_t value)
{
    if (!table) return;
    assert(slot >= 0 && slot < DT_FB_SLOTS);
    table->field[slot] = (field){ .size = size, .value = value };
}

void dt_fb_set_object(dt_fb_object *table, int slot, dt_fb_object *object)
{
    if (!table || !object) return;
    assert(slot >= 0 && slot < DT_FB_SLOTS);
    table->field[slot] = (field){ .size = 4, .object = object };
}

dt_fb_object *dt_fb_vector(dt_fb *b, const void *data, size_t count, size_t size, size_t align)
{
    dt_fb_object *o = make(b, VECTOR);
    void *copy = get(b, count * size + 1);
    if (!o || !copy) return NULL;
    if (count) memcpy(copy, data, count * size);
    o->data = copy;
    o->count = count;
    o->size = size;
    o->bytes = count * size;
    o->align = align < 4 ? 4 : align;
    return o;
}

dt_fb_object *dt_fb_objects(dt_fb *b, dt_fb_object *const *objects, size_t count)
{
    dt_fb_object *o = dt_fb_vector(b, objects, count, sizeof *objects, 4);
    if (!o) return NULL;
    o->kind = OBJECTS;
    o->bytes = 4 * count;
    return o;
}

dt_fb_object *dt_fb_string(dt_fb *b, const char *text)
{
    size_t length = strlen(text);
    dt_fb_object *o = dt_fb_vector(b, text, length + 1, 1, 4);
    if (o) o->count = length;
    return o;
}

static size_t round_up(size_t at, size_t align)
{
    return (at + align - 1) / align * align;
}

static int slots_of(const dt_fb_object *o)
{
    int n = DT_FB_SLOTS;
    while (n > 0 && o->field[n - 1].size == 0)
        n--;
    return n;
}

/* Large fields first, so that there are no holes. */
static size_t place_table(dt_fb_object *o, size_t at)
{
    size_t size = 4;
    o->at = round_up(at + 4 + 2 * (size_t)slots_of(o), 8);
    for (int width = 8; width >= 1; width /= 2)
        for (int i = 0; i < DT_FB_SLOTS; i++) {
            if (o->field[i].size != width) continue;
            size = round_up(size, (size_t)width);
            o->field[i].at = size;
            size += (size_t)width;
        }
    o->size = size;
    return o->at + size;
}

static size_t place_vector(dt_fb_object *o, size_t at)
{
    o->at = round_up(at + 4, o->align) - 4;
    return o->at + 4 + o->bytes;
}

/* Appends an object to the list whose last element is `*last`. */
static void follow(dt_fb_object *o, dt_fb_object **last)
{
    if (!o) return;
    assert(!o->placed); /* a second reference might lie behind it */
    o->placed = true;
    (*last)->next = o;
    *last = o;
}

/* Positions of all objects, in the order in which they are first referred to; the file's size. */
static size_t place(dt_fb_object *root)
{
    size_t at = 8;
    dt_fb_object *last = root;
    root->placed = true;
    for (dt_fb_object *o = root; o; o = o->next) {
        at = o->kind == TABLE ? place_table(o, at) : place_vector(o, at);
        dt_fb_object **list = o->data;
        for (int i = 0; o->kind == TABLE && i < DT_FB_SLOTS; i++)
            follow(o->field[i].object, &last);
        for (size_t i = 0; o->kind == OBJECTS && i < o->count; i++)
            follow(list[i], &last);
    }
    return at;
}

static void put(unsigned char *to, int size, uint64_t value)
{
    for (int i = 0; i < size; i++)
        to[i] = (unsigned char)(value >> 8 * i);
}

static void write_table(const dt_fb_object *o, unsigned char *file)
{
    int slots = slots_of(o);
    size_t vtable = o->at - 4 - 2 * (size_t)slots;
    put(file + vtable, 2, 4 + 2 * (uint64_t)slots);
    put(file + vtable + 2, 2, o->size);
    put(file + o->at, 4, o->at - vtable);
    for (int i = 0; i < slots; i++) {
        const field *f = &o->field[i];
        if (!f->size) continue;
        size_t at = o->at + f->at;
        put(file + vtable + 4 + 2 * i, 2, f->at);
        put(file + at, f->size, f->object ? f->object->at - at : (uint64_t)f->value);
    }
}

static void write_vector(const dt_fb_object *o, unsigned char *file)
{
    dt_fb_object *const *list = o->data;
    put(file + o->at, 4, o->count);
    if (o->kind == VECTOR) memcpy(file + o->at + 4, o->data, o->bytes);
    for (size_t i = 0; o->kind == OBJECTS && i < o->count; i++) {
        size_t at = o->at + 4 + 4 * i;
        put(file + at, 4, list[i]->at - at);
    }
}

dt_status dt_fb_pack(dt_fb *b, dt_fb_object *root, const char *identifier,
                     unsigned char **out_bytes, size_t *out_size, dt_error *err)
{
    if (b->failed || !root) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a flatbuffer");
    size_t size = place(root);
    if (size > INT_MAX)
        return dt_fail(err, DT_ERR_UNSUPPORTED, NULL, "%zu bytes: a flatbuffer holds 2 GiB", size);
    unsigned char *file = dt_get(b->alloc, size, "flatbuffer");
    if (!file) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a flatbuffer");
    put(file, 4, root->at);
    memcpy(file + 4, identifier, 4);
    for (const dt_fb_object *o = root; o; o = o->next)
        (o->kind == TABLE ? write_table : write_vector)(o, file);
    *out_bytes = file;
    *out_size = size;
    return DT_OK;
}
