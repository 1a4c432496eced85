/* safetensors, reader and writer. JSON is libjansson's; its memory does not come through dt_alloc,
 * because it can be redirected only for the whole process. Rules: the format's own README. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/safetensors/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/atomic.h"

enum { PREFIX = 8, MAX_HEADER = 100000000, MAX_TENSORS = 1 << 16, MAX_NAME = 512 };
static const char metadata_key[] = "__metadata__";

static const char *const type_names[] = {
    [DT_F32] = "F32", [DT_F64] = "F64", [DT_F16] = "F16", [DT_BF16] = "BF16", [DT_I64] = "I64",
    [DT_I32] = "I32", [DT_I16] = "I16", [DT_S8] = "I8",   [DT_U8] = "U8",     [DT_BOOL] = "BOOL",
};

static uint64_t header_size(const unsigned char *bytes)
{
    uint64_t n = 0;
    for (int i = PREFIX - 1; i >= 0; i--)
        n = n << 8 | bytes[i];
    return n;
}

bool dt_safetensors_probe(const unsigned char *bytes, size_t size)
{
    return size > PREFIX && bytes[PREFIX] == '{' && header_size(bytes) <= MAX_HEADER;
}

/* --- reader --- */

struct entry {
    const char *name; /* borrowed from the JSON */
    dt_dtype dtype;
    dt_shape shape;
    uint64_t begin, end; /* in the data */
};

struct reader {
    const char *path;
    const unsigned char *data;
    size_t size; /* of the data, without the header */
    struct entry *entry;
    size_t count;
    dt_tensors *out;
    dt_error *err;
};

static dt_status damaged(const struct reader *r, const char *name, const char *reason)
{
    const dt_where where = { .file = r->path, .key = name };
    dt_fail(r->err, DT_ERR_FORMAT, &where, "%s", reason);
    return DT_ERR_FORMAT;
}

static dt_status no_memory(const char *path, dt_error *err)
{
    const dt_where where = { .file = path };
    dt_fail(err, DT_ERR_NOMEM, &where, "no memory");
    return DT_ERR_NOMEM;
}

static dt_status read_dtype(const struct reader *r, const char *name, const json_t *j,
                            dt_dtype *out)
{
    const dt_where where = { .file = r->path, .key = name };
    const char *text = json_string_value(j);
    if (!text) return damaged(r, name, "has no dtype");
    for (size_t i = 0; i < DT_ARRAY_LEN(type_names); i++) {
        if (strcmp(type_names[i], text) != 0) continue;
        *out = (dt_dtype)i;
        return DT_OK;
    }
    return dt_fail(r->err, DT_ERR_UNSUPPORTED, &where, "elements of type '%s' are not read", text);
}

static dt_status read_shape(const struct reader *r, const char *name, const json_t *j,
                            dt_shape *out)
{
    const dt_where where = { .file = r->path, .key = name };
    if (!json_is_array(j)) return damaged(r, name, "has no shape");
    size_t rank = json_array_size(j);
    if (rank > DT_MAX_RANK)
        return dt_fail(r->err, DT_ERR_UNSUPPORTED, &where, "rank %zu; at most %d is read", rank,
                       DT_MAX_RANK);
    *out = (dt_shape){ .rank = (int)rank };
    for (size_t i = 0; i < rank; i++) {
        const json_t *d = json_array_get(j, i);
        if (!json_is_integer(d) || json_integer_value(d) < 0)
            return damaged(r, name, "a dimension is no whole number >= 0");
        out->dim[i] = json_integer_value(d);
    }
    return DT_OK;
}

static bool is_empty(const dt_shape *s)
{
    for (int i = 0; i < s->rank; i++)
        if (s->dim[i] == 0) return true;
    return false;
}

static dt_status read_offsets(const struct reader *r, const char *name, const json_t *j,
                              struct entry *e)
{
    const json_t *begin = json_array_get(j, 0), *end = json_array_get(j, 1);
    if (json_array_size(j) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin))
        return damaged(r, name, "its data_offsets are no pair of ascending numbers");
    e->begin = (uint64_t)json_integer_value(begin);
    e->end = (uint64_t)json_integer_value(end);
    size_t want = 0;
    int64_t n = dt_shape_count(&e->shape);
    if (!is_empty(&e->shape) && (!n || !dt_size_mul((size_t)n, dt_dtype_size(e->dtype), &want)))
        return damaged(r, name, "its shape is too large");
    if (e->end > r->size) return damaged(r, name, "reaches behind the end of the file");
    if (e->end - e->begin != want)
        return damaged(r, name, "its data_offsets do not fit its shape and dtype");
    return DT_OK;
}

static dt_status read_entry(const struct reader *r, const char *name, const json_t *j,
                            struct entry *out)
{
    if (!*name || strlen(name) > MAX_NAME) return damaged(r, NULL, "a name is empty or too long");
    if (!json_is_object(j) || json_object_size(j) != 3)
        return damaged(r, name, "is no object of dtype, shape and data_offsets");
    *out = (struct entry){ .name = name };
    DT_TRY(read_dtype(r, name, json_object_get(j, "dtype"), &out->dtype));
    DT_TRY(read_shape(r, name, json_object_get(j, "shape"), &out->shape));
    return read_offsets(r, name, json_object_get(j, "data_offsets"), out);
}

static dt_status read_metadata(const struct reader *r, json_t *object)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object)) return damaged(r, metadata_key, "is no object");
    /* Texts are replaced by key, one by one: few are expected, and a bound keeps it so. */
    if (json_object_size(object) > 1024) return damaged(r, metadata_key, "has over 1024 entries");
    json_object_foreach(object, key, value)
    {
        if (!json_is_string(value)) return damaged(r, metadata_key, "has a value that is no text");
        DT_TRY(dt_tensors_set_attr(r->out, key, json_string_value(value), r->err));
    }
    return DT_OK;
}

static int by_offset(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1; /* empty ones first */
    return strcmp(x->name, y->name);
}

static dt_status read_entries(struct reader *r, json_t *header)
{
    const char *name;
    json_t *value;
    json_object_foreach(header, name, value)
    {
        if (strcmp(name, metadata_key) == 0)
            DT_TRY(read_metadata(r, value));
        else
            DT_TRY(read_entry(r, name, value, &r->entry[r->count++]));
    }
    if (r->count) qsort(r->entry, r->count, sizeof *r->entry, by_offset);
    uint64_t at = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (r->entry[i].begin != at)
            return damaged(r, r->entry[i].name, "does not start where the one before it ends");
        at = r->entry[i].end;
    }
    if (at != r->size) return damaged(r, NULL, "has bytes behind its last tensor");
    return DT_OK;
}

static dt_status add_tensors(const struct reader *r)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct entry *e = &r->entry[i];
        if (e->begin == e->end) continue;
        DT_TRY(dt_tensors_add(r->out, e->name, e->dtype, &e->shape, NULL, r->err));
        memcpy(dt_tensors_data(r->out, r->out->count - 1), r->data + e->begin,
               (size_t)(e->end - e->begin));
    }
    return DT_OK;
}

static dt_status parse_header(const char *path, const unsigned char *text, size_t size,
                              json_t **out, dt_error *err)
{
    const dt_where where = { .file = path };
    json_error_t je;
    json_t *header = json_loadb((const char *)text, size, JSON_REJECT_DUPLICATES, &je);
    if (!header && json_error_code(&je) == json_error_out_of_memory) return no_memory(path, err);
    if (!header)
        return dt_fail(err, DT_ERR_FORMAT, &where, "header byte %d: %s", je.position, je.text);
    *out = header;
    return DT_OK;
}

/* The header of a file, whose entries name parts of `bytes`. Metadata goes into `out`. The caller
 * gives `*out_header` and r->entry back, also on failure. */
static dt_status read_header(struct reader *r, const unsigned char *bytes, size_t size,
                             const dt_alloc *a, json_t **out_header)
{
    *out_header = NULL;
    if (!dt_safetensors_probe(bytes, size)) return damaged(r, NULL, "is no safetensors file");
    uint64_t n = header_size(bytes);
    if (n > size - PREFIX) return damaged(r, NULL, "the file ends inside its header");
    r->data = bytes + PREFIX + n;
    r->size = size - PREFIX - (size_t)n;
    DT_TRY(parse_header(r->path, bytes + PREFIX, (size_t)n, out_header, r->err));
    size_t count = json_object_size(*out_header);
    if (count > MAX_TENSORS) return damaged(r, NULL, "more than 65536 tensors");
    r->entry = dt_get_array(a, count, sizeof *r->entry, "safetensors");
    return r->entry ? read_entries(r, *out_header) : no_memory(r->path, r->err);
}

dt_status dt_safetensors_read(const char *path, const unsigned char *bytes, size_t size,
                              const dt_alloc *a, dt_tensors *out, dt_error *err)
{
    struct reader r = { .path = path, .out = out, .err = err };
    json_t *header;
    dt_status st = read_header(&r, bytes, size, a, &header);
    if (st == DT_OK) st = add_tensors(&r);
    dt_put(a, r.entry);
    json_decref(header);
    return st;
}

/* --- writer --- */

static int by_size_and_name(const void *a, const void *b)
{
    const dt_named_tensor *x = *(const dt_named_tensor *const *)a,
                          *y = *(const dt_named_tensor *const *)b;
    size_t n = dt_dtype_size(x->dtype), m = dt_dtype_size(y->dtype);
    if (n != m) return n > m ? -1 : 1;
    return strcmp(x->name, y->name);
}

static size_t bytes_of(const dt_named_tensor *t)
{
    return (size_t)dt_shape_count(&t->shape) * dt_dtype_size(t->dtype);
}

/* {"dtype":..,"shape":[..],"data_offsets":[begin,end]}; NULL: no memory. */
static json_t *describe(const dt_named_tensor *t, size_t begin)
{
    json_t *shape = json_array();
    int bad = !shape;
    for (int i = 0; !bad && i < t->shape.rank; i++)
        bad = json_array_append_new(shape, json_integer(t->shape.dim[i]));
    if (bad) {
        json_decref(shape);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", type_names[t->dtype], "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)(begin + bytes_of(t)));
}

/* Adds a new reference to an object; a key or text that is no UTF-8 is the usual reason to fail. */
static dt_status put(const char *path, json_t *object, const char *key, json_t *value,
                     dt_error *err)
{
    const dt_where where = { .file = path, .key = key };
    if (value && json_object_set_new(object, key, value) == 0) return DT_OK;
    return dt_fail(err, DT_ERR_ARG, &where, "no memory, or a name or text that is no UTF-8");
}

static dt_status add_metadata(const char *path, const dt_tensors *set, json_t *header,
                              dt_error *err)
{
    if (!set->attr_count) return DT_OK;
    json_t *texts = json_object();
    DT_TRY(put(path, header, metadata_key, texts, err));
    for (size_t i = 0; i < set->attr_count; i++)
        DT_TRY(put(path, texts, set->attr[i].key, json_string(set->attr[i].value), err));
    return DT_OK;
}

static dt_status make_header(const char *path, const dt_tensors *set,
                             const dt_named_tensor *const *order, json_t *header, dt_error *err)
{
    const dt_where where = { .file = path };
    DT_TRY(add_metadata(path, set, header, err));
    size_t at = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(order[i]->name, metadata_key) == 0)
            return dt_fail(err, DT_ERR_ARG, &where, "a tensor cannot be called %s", metadata_key);
        DT_TRY(put(path, header, order[i]->name, describe(order[i], at), err));
        at += bytes_of(order[i]);
    }
    return DT_OK;
}

/* The length and the JSON, padded with spaces so that the data starts at a multiple of 8. */
static dt_status print_header(const char *path, const json_t *header, const dt_alloc *a,
                              unsigned char **out, size_t *out_size, dt_error *err)
{
    size_t n = json_dumpb(header, NULL, 0, JSON_COMPACT), padded = (n + 7) / 8 * 8;
    unsigned char *text = n ? dt_get(a, PREFIX + padded, "safetensors") : NULL;
    if (!text) return no_memory(path, err);
    memset(text + PREFIX, ' ', padded);
    if (json_dumpb(header, (char *)text + PREFIX, n, JSON_COMPACT) != n) {
        dt_put(a, text);
        return no_memory(path, err);
    }
    for (int i = 0; i < PREFIX; i++)
        text[i] = (unsigned char)((uint64_t)padded >> 8 * i);
    *out = text;
    *out_size = PREFIX + padded;
    return DT_OK;
}

struct writer {
    const dt_tensors *set;
    const dt_named_tensor **order;
    const dt_alloc *alloc;
};

static bool same_texts(const dt_tensors *a, const dt_tensors *b)
{
    const dt_tensors x = { .attr = a->attr, .attr_count = a->attr_count };
    const dt_tensors y = { .attr = b->attr, .attr_count = b->attr_count };
    return dt_tensors_equal(&x, &y);
}

static bool same_tensors(const struct writer *w, const struct reader *r)
{
    bool same = r->count == w->set->count;
    for (size_t i = 0; same && i < r->count; i++) {
        const struct entry *e = &r->entry[i];
        const dt_named_tensor *t = w->order[i];
        same = strcmp(e->name, t->name) == 0 && e->dtype == t->dtype &&
               dt_shape_equal(&e->shape, &t->shape) && e->end - e->begin == bytes_of(t) &&
               memcmp(r->data + e->begin, t->data, bytes_of(t)) == 0;
    }
    return same;
}

/* The file that was written holds the set. */
static dt_status check_file(void *arg, const char *path, const unsigned char *bytes, size_t size,
                            dt_error *err)
{
    const struct writer *w = arg;
    dt_tensors texts;
    struct reader r = { .path = path, .out = &texts, .err = err };
    json_t *header;
    DT_TRY(dt_tensors_init(&texts, w->alloc, err));
    dt_status st = read_header(&r, bytes, size, w->alloc, &header);
    if (st == DT_OK && (!same_texts(w->set, &texts) || !same_tensors(w, &r)))
        st = damaged(&r, NULL, "what was written is not what is read back");
    dt_put(w->alloc, r.entry);
    json_decref(header);
    dt_tensors_fini(&texts);
    return st;
}

static dt_status write_file(const char *path, const unsigned char *head, size_t head_size,
                            struct writer *w, dt_error *err)
{
    dt_atomic_file f;
    DT_TRY(dt_atomic_begin(&f, NULL, path, err));
    dt_status st = dt_atomic_write(&f, head, head_size, err);
    for (size_t i = 0; i < w->set->count && st == DT_OK; i++)
        st = dt_atomic_write(&f, w->order[i]->data, bytes_of(w->order[i]), err);
    if (st == DT_OK) return dt_atomic_end(&f, check_file, w, err);
    dt_atomic_cancel(&f);
    return st;
}

dt_status dt_safetensors_write(const char *path, const dt_tensors *set, const dt_alloc *a,
                               dt_error *err)
{
    unsigned char *head = NULL;
    size_t head_size = 0;
    json_t *header = json_object();
    struct writer w = { set, dt_get_array(a, set->count, sizeof *w.order, "safetensors"), a };
    dt_status st = header && w.order ? DT_OK : no_memory(path, err);
    if (st == DT_OK) {
        for (size_t i = 0; i < set->count; i++)
            w.order[i] = &set->item[i];
        if (set->count) qsort(w.order, set->count, sizeof *w.order, by_size_and_name);
        st = make_header(path, set, w.order, header, err);
    }
    if (st == DT_OK) st = print_header(path, header, a, &head, &head_size, err);
    if (st == DT_OK) st = write_file(path, head, head_size, &w, err);
    dt_put(a, head);
    dt_put(a, w.order);
    json_decref(header);
    return st;
}
