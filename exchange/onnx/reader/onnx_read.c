/* From bytes to what an ONNX file says: models, functions, graphs. Field numbers: onnx.proto. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "exchange/import.h"
#include "exchange/onnx/reader/onnx_functions.h"
#include "exchange/onnx/reader/onnx_reading.h"

enum { /* fields */
       MODEL_GRAPH = 7,
       MODEL_OPSET = 8,
       MODEL_FUNCTION = 25,
       FUNCTION_NAME = 1,
       FUNCTION_INPUT = 4,
       FUNCTION_OUTPUT = 5,
       FUNCTION_NODE = 7,
       FUNCTION_OPSET = 9,
       FUNCTION_DOMAIN = 10,
       FUNCTION_DEFAULT = 11,
       FUNCTION_OVERLOAD = 13,
       OPSET_DOMAIN = 1,
       OPSET_VERSION = 2,
       GRAPH_NODE = 1,
       GRAPH_CONSTANT = 5,
       GRAPH_INPUT = 11,
       GRAPH_OUTPUT = 12,
       GRAPH_SPARSE = 15,
       VALUE_NAME = 1,
       VALUE_TYPE = 2,
       TYPE_TENSOR = 1,
       TENSOR_ELEMENT = 1,
       TENSOR_SHAPE = 2,
       SHAPE_DIM = 1,
       DIM_VALUE = 1,
};

static dt_status read_initial(dt_ox_reading *r, const dt_wire_field *f)
{
    dt_ox_file *file = r->file;
    dt_ox_tensor t;
    void *array = file->initial;
    DT_TRY(dt_ox_read_constant(r, f, &t));
    if (!t.name) return dt_ox_damaged(r, "a constant has no name");
    DT_TRY(dt_ox_grow(r, &array, &file->initial_room, file->initial_count, sizeof t));
    file->initial = array;
    file->initial[file->initial_count++] = t;
    return DT_OK;
}

static dt_status read_dims(dt_ox_reading *r, const dt_wire_field *shape, dt_ox_port *p)
{
    dt_wire_field dim, g;
    p->rank = 0;
    for (dt_wire w = dt_wire_inside(shape); dt_wire_next(&w, &dim);) {
        if (dim.number != SHAPE_DIM || dim.type != DT_WIRE_BYTES) continue;
        if (p->rank == DT_OX_RANK) return dt_ox_unread(r, "has a port of more than 8 dimensions");
        int64_t *to = &p->dim[p->rank++];
        *to = -1;
        for (dt_wire d = dt_wire_inside(&dim); dt_wire_next(&d, &g);)
            if (g.number == DIM_VALUE && g.type == DT_WIRE_VARINT) *to = (int64_t)g.value;
        if (*to < 1) *to = -1;
    }
    return DT_OK;
}

static dt_status read_port(dt_ox_reading *r, const dt_wire_field *f, dt_ox_port **list, int *count,
                           size_t *capacity)
{
    dt_ox_port p = { .name = "", .rank = -1 };
    dt_wire_field name, type, tensor, shape, g;
    void *array = *list;
    if (dt_ox_field(f, VALUE_NAME, &name) && !(p.name = dt_ox_read_text(r, name.data, name.size)))
        return dt_ox_read_no_memory(r);
    if (dt_ox_field(f, VALUE_TYPE, &type) && dt_ox_field(&type, TYPE_TENSOR, &tensor)) {
        for (dt_wire w = dt_wire_inside(&tensor); dt_wire_next(&w, &g);)
            if (g.number == TENSOR_ELEMENT && g.type == DT_WIRE_VARINT)
                p.type = (int)(g.value & 0xff);
        if (dt_ox_field(&tensor, TENSOR_SHAPE, &shape)) DT_TRY(read_dims(r, &shape, &p));
    }
    DT_TRY(dt_ox_grow(r, &array, capacity, *count, sizeof p));
    *list = array;
    (*list)[(*count)++] = p;
    return DT_OK;
}

/* Initialisers come by name; those that are listed as inputs, too, are none. */
static dt_status sort_out(dt_ox_reading *r)
{
    dt_ox_file *f = r->file;
    int left = 0;
    for (int i = 0; i < f->initial_count; i++)
        DT_TRY(dt_ox_map_set(&f->constants, f->initial[i].name, &f->initial[i], r->err));
    for (int i = 0; i < f->in_count; i++)
        if (!dt_ox_map_find(&f->constants, f->in[i].name)) f->in[left++] = f->in[i];
    f->in_count = left;
    return DT_OK;
}

dt_status dt_ox_read_graph(dt_ox_reading *r, const dt_wire_field *f)
{
    dt_ox_file *o = r->file;
    dt_wire_field g;
    dt_wire w = dt_wire_inside(f);
    while (dt_wire_next(&w, &g)) {
        if (g.type != DT_WIRE_BYTES) continue;
        if (g.number == GRAPH_NODE) DT_TRY(dt_ox_read_node(r, &g));
        if (g.number == GRAPH_CONSTANT) DT_TRY(read_initial(r, &g));
        if (g.number == GRAPH_INPUT) DT_TRY(read_port(r, &g, &o->in, &o->in_count, &o->in_room));
        if (g.number == GRAPH_OUTPUT)
            DT_TRY(read_port(r, &g, &o->out, &o->out_count, &o->out_room));
        if (g.number == GRAPH_SPARSE)
            return dt_ox_unread(r, "has a sparse constant, which is not read; save it dense");
    }
    return w.damaged ? dt_ox_damaged(r, "its graph ends within a field") : sort_out(r);
}

static void read_opset(dt_ox_reading *r, const dt_wire_field *f)
{
    int version = 0;
    bool own = true;
    dt_wire_field g;
    for (dt_wire w = dt_wire_inside(f); dt_wire_next(&w, &g);) {
        if (g.number == OPSET_DOMAIN && g.type == DT_WIRE_BYTES)
            own = g.size == 0 || (g.size == 7 && memcmp(g.data, "ai.onnx", 7) == 0);
        if (g.number == OPSET_VERSION && g.type == DT_WIRE_VARINT)
            version = (int)(g.value & 0xffff);
    }
    if (own) r->file->opset = version;
}

/* A port of a function, which has no type. */
static dt_status add_port(dt_ox_reading *r, const dt_wire_field *f, dt_ox_port **list, int *count,
                          size_t *capacity)
{
    void *array = *list;
    const char *name = dt_ox_read_text(r, f->data, f->size);
    if (!name) return dt_ox_read_no_memory(r);
    DT_TRY(dt_ox_grow(r, &array, capacity, *count, sizeof **list));
    *list = array;
    (*list)[(*count)++] = (dt_ox_port){ .name = name, .rank = -1 };
    return DT_OK;
}

/* Attributes with values that its callers may leave out. */
static dt_status read_defaults(dt_ox_reading *r, const dt_wire_field *f, dt_ox_file *o)
{
    size_t count = 0;
    dt_wire_field g;
    for (dt_wire w = dt_wire_inside(f); dt_wire_next(&w, &g);)
        count += g.number == FUNCTION_DEFAULT;
    if (count > DT_OX_NAMES)
        return dt_ox_unread(r, "has a function with more attributes than are read");
    o->defaults.attr = dt_arena_get(o->arena, (count + 1) * sizeof *o->defaults.attr);
    if (!o->defaults.attr) return dt_ox_read_no_memory(r);
    for (dt_wire w = dt_wire_inside(f); dt_wire_next(&w, &g);)
        if (g.number == FUNCTION_DEFAULT && g.type == DT_WIRE_BYTES)
            DT_TRY(dt_ox_read_attribute(r, &g, &o->defaults));
    return DT_OK;
}

static dt_status read_function(dt_ox_reading *file, const dt_wire_field *f)
{
    dt_ox_reading in = *file, *r = &in;
    dt_wire_field g;
    dt_ox_file *o = NULL;
    in.function = true;
    DT_TRY(dt_ox_read_inner(file, &o));
    in.file = o;
    o->name = o->domain = o->overload = "";
    DT_TRY(read_defaults(r, f, o));
    dt_wire w = dt_wire_inside(f);
    while (dt_wire_next(&w, &g)) {
        if (g.type != DT_WIRE_BYTES) continue;
        const char **text = g.number == FUNCTION_NAME       ? &o->name
                            : g.number == FUNCTION_DOMAIN   ? &o->domain
                            : g.number == FUNCTION_OVERLOAD ? &o->overload
                                                            : NULL;
        if (text && !(*text = dt_ox_read_text(r, g.data, g.size))) return dt_ox_read_no_memory(r);
        if (g.number == FUNCTION_NODE) DT_TRY(dt_ox_read_node(r, &g));
        if (g.number == FUNCTION_OPSET) read_opset(r, &g);
        if (g.number == FUNCTION_INPUT) DT_TRY(add_port(r, &g, &o->in, &o->in_count, &o->in_room));
        if (g.number == FUNCTION_OUTPUT)
            DT_TRY(add_port(r, &g, &o->out, &o->out_count, &o->out_room));
    }
    return w.damaged ? dt_ox_damaged(r, "a function ends within a field") : DT_OK;
}

static dt_status read_model(dt_ox_reading *r, const unsigned char *bytes, size_t size)
{
    dt_wire w = { bytes, bytes + size, false };
    dt_wire_field f, graph = { 0 };
    while (dt_wire_next(&w, &f)) {
        if (f.type != DT_WIRE_BYTES) continue;
        if (f.number == MODEL_GRAPH) graph = f;
        if (f.number == MODEL_OPSET) read_opset(r, &f);
        if (f.number == MODEL_FUNCTION) DT_TRY(read_function(r, &f));
    }
    if (w.damaged) return dt_ox_damaged(r, "it ends within a field");
    if (!graph.data) return dt_ox_damaged(r, "it has no graph");
    DT_TRY(dt_ox_read_graph(r, &graph));
    return dt_ox_inline(r->file, r->err);
}

static dt_status read_bytes(const char *path, const char *folder, const unsigned char *bytes,
                            size_t size, const dt_alloc *a, dt_ox_file **out, dt_error *err)
{
    dt_sha256 sha256;
    dt_arena *arena = dt_arena_new(a, "ONNX file");
    dt_ox_file *f = arena ? dt_arena_get(arena, sizeof *f) : NULL;
    if (!f) {
        dt_arena_free(arena);
        return dt_fail(err, DT_ERR_NOMEM, &(dt_where){ .file = path }, "no memory");
    }
    *f = (dt_ox_file){ .arena = arena, .alloc = a, .path = path, .constants.arena = arena };
    dt_ox_reading r = { .file = f, .source = { f, folder, &sha256 }, .err = err };
    dt_sha256_init(&sha256);
    dt_sha256_add(&sha256, bytes, size);
    f->path = dt_arena_strdup(arena, path);
    dt_status st = f->path ? read_model(&r, bytes, size) : dt_ox_read_no_memory(&r);
    if (st != DT_OK) {
        dt_ox_free(f);
        return st;
    }
    dt_sha256_end(&sha256, f->sha256);
    *out = f;
    return DT_OK;
}

dt_status dt_ox_read_bytes(const char *path, const unsigned char *bytes, size_t size,
                           const dt_alloc *a, dt_ox_file **out, dt_error *err)
{
    return read_bytes(path, NULL, bytes, size, a, out, err);
}

dt_status dt_ox_read(const char *path, const dt_alloc *a, dt_ox_file **out, dt_error *err)
{
    unsigned char *bytes;
    size_t size;
    const char *slash = strrchr(path, '/');
    char *folder = dt_format(a, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    if (!folder) return dt_fail(err, DT_ERR_NOMEM, &(dt_where){ .file = path }, "no memory");
    dt_status st = dt_file_read(a, path, DT_IMPORT_MAX_BYTES, &bytes, &size, err);
    if (st == DT_OK) {
        st = read_bytes(path, folder, bytes, size, a, out, err);
        dt_put(a, bytes);
    }
    dt_put(a, folder);
    return st;
}

/* No deeper than graphs are read in each other. */
static void free_lists(dt_ox_file *f)
{
    for (dt_ox_file *in = f->inner; in; in = in->next)
        free_lists(in);
    dt_put(f->alloc, f->node);
    dt_put(f->alloc, f->initial);
    dt_put(f->alloc, f->in);
    dt_put(f->alloc, f->out);
}

void dt_ox_free(dt_ox_file *f)
{
    if (!f) return;
    free_lists(f);
    dt_arena_free(f->arena); /* with f */
}

const dt_ox_attr *dt_ox_attr_of(const dt_ox_node *n, const char *name)
{
    for (int i = 0; i < n->attr_count; i++)
        if (strcmp(n->attr[i].name, name) == 0) return &n->attr[i];
    return NULL;
}

int64_t dt_ox_int(const dt_ox_node *n, const char *name, int64_t otherwise)
{
    const dt_ox_attr *a = dt_ox_attr_of(n, name);
    return a ? a->i : otherwise;
}

float dt_ox_float(const dt_ox_node *n, const char *name, float otherwise)
{
    const dt_ox_attr *a = dt_ox_attr_of(n, name);
    return a ? a->f : otherwise;
}

const char *dt_ox_text(const dt_ox_node *n, const char *name, const char *otherwise)
{
    const dt_ox_attr *a = dt_ox_attr_of(n, name);
    return a && a->text ? a->text : otherwise;
}
