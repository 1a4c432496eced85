/* From bytes to what an ONNX file says. Models, graphs, nodes and attributes are walked by hand, a
 * field at a time: generated code would follow graphs inside of attributes as deep as a file says.
 * Messages that hold none of their kind are unpacked by protobuf-c, with memory that is counted.
 * Field numbers: onnx.proto. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "exchange/import.h"
#include "exchange/onnx/onnx_wire.h"
#include "exchange/onnx/reader/onnx_tensor.h"

enum { /* fields */
       MODEL_GRAPH = 7,
       MODEL_OPSET = 8,
       OPSET_DOMAIN = 1,
       OPSET_VERSION = 2,
       GRAPH_NODE = 1,
       GRAPH_CONSTANT = 5,
       GRAPH_INPUT = 11,
       GRAPH_OUTPUT = 12,
       GRAPH_SPARSE = 15,
       NODE_INPUT = 1,
       NODE_OUTPUT = 2,
       NODE_NAME = 3,
       NODE_OP = 4,
       NODE_ATTRIBUTE = 5,
       NODE_DOMAIN = 7,
       ATTRIBUTE_GRAPH = 6,
       ATTRIBUTE_GRAPHS = 11,
       ATTRIBUTE_TYPE = 14,
       ATTRIBUTE_TYPES = 15,
       ATTRIBUTE_SPARSE = 22,
       ATTRIBUTE_SPARSES = 23,
       VALUE_NAME = 1,
       VALUE_TYPE = 2,
       TYPE_TENSOR = 1,
       TENSOR_ELEMENT = 1,
       TENSOR_SHAPE = 2,
       SHAPE_DIM = 1,
       DIM_VALUE = 1,
};
enum {
    MOST_NODES = 1 << 20,
    MOST_TIMES = 64,      /* an unpacked message may take this much of its bytes */
    LEAST_ROOM = 1 << 20, /* or this many */
    MOST_NAMES = 1 << 16, /* inputs or outputs of a node */
    TEXT_MOST = 1 << 20,
};

/* Memory of protobuf-c, with a limit: an empty message takes two bytes of a file. */
typedef struct room {
    const dt_alloc *alloc;
    size_t left;
} room;

static void *room_get(void *arg, size_t size)
{
    room *r = arg;
    if (size > r->left) return NULL;
    r->left -= size;
    return dt_get(r->alloc, size, "ONNX message");
}

static void room_put(void *arg, void *memory)
{
    dt_put(((room *)arg)->alloc, memory);
}

typedef struct reader {
    dt_ox_file *file;
    dt_ox_source source;
    dt_error *err;
} reader;

static dt_status damaged(const reader *r, const char *what)
{
    return dt_fail(r->err, DT_ERR_FORMAT, &(dt_where){ .file = r->file->path }, "is damaged: %s",
                   what);
}

static dt_status no_memory(const reader *r)
{
    return dt_fail(r->err, DT_ERR_NOMEM, &(dt_where){ .file = r->file->path }, "no memory");
}

static dt_status unsupported(const reader *r, const char *what)
{
    return dt_fail(r->err, DT_ERR_UNSUPPORTED, &(dt_where){ .file = r->file->path }, "%s", what);
}

/* A text of the file in the arena: printable, since messages show it. NULL: no memory. */
static const char *text_of(const reader *r, const unsigned char *data, size_t size)
{
    if (size > TEXT_MOST) size = TEXT_MOST;
    char *text = dt_arena_get(r->file->arena, size + 1);
    for (size_t i = 0; text && i < size; i++)
        text[i] = data[i] >= 32 && data[i] != 127 ? (char)data[i] : '?';
    return text;
}

/* Grows an array of the file's by one; the old one is given back to its allocator. */
static dt_status grow(reader *r, void **array, size_t *capacity, int count, size_t size)
{
    if (count >= MOST_NODES) return unsupported(r, "has more parts than are read");
    return dt_grow(r->file->alloc, array, capacity, (size_t)count + 1, size, "ONNX file", r->err);
}

static dt_status read_constant(reader *r, const dt_wire_field *f, dt_ox_tensor *out)
{
    room memory = { r->file->alloc, LEAST_ROOM + MOST_TIMES * f->size };
    ProtobufCAllocator a = { room_get, room_put, &memory };
    Onnx__TensorProto *t = onnx__tensor_proto__unpack(&a, f->size, f->data);
    if (!t) return damaged(r, "a constant cannot be read");
    dt_status st = dt_ox_tensor_read(&r->source, t, out, r->err);
    onnx__tensor_proto__free_unpacked(t, &a);
    return st;
}

static dt_status read_initial(reader *r, const dt_wire_field *f)
{
    dt_ox_file *file = r->file;
    dt_ox_tensor t;
    void *array = file->initial;
    DT_TRY(read_constant(r, f, &t));
    if (!t.name) return damaged(r, "a constant has no name");
    DT_TRY(grow(r, &array, &file->initial_room, file->initial_count, sizeof t));
    file->initial = array;
    file->initial[file->initial_count++] = t;
    return DT_OK;
}

/* Is there a part in it that holds messages of its own kind, or is not read? */
static bool holds_graphs(const dt_wire_field *f)
{
    dt_wire_field g;
    for (dt_wire w = dt_wire_inside(f); dt_wire_next(&w, &g);)
        if (g.number == ATTRIBUTE_GRAPH || g.number == ATTRIBUTE_GRAPHS ||
            g.number == ATTRIBUTE_TYPE || g.number == ATTRIBUTE_TYPES ||
            g.number == ATTRIBUTE_SPARSE || g.number == ATTRIBUTE_SPARSES)
            return true;
    return false;
}

static void *copy(const reader *r, const void *from, size_t count, size_t size)
{
    size_t bytes;
    void *to = dt_size_mul(count, size, &bytes) ? dt_arena_get(r->file->arena, bytes + 1) : NULL;
    if (to && bytes) memcpy(to, from, bytes);
    return to;
}

static dt_status take_attribute(reader *r, const Onnx__AttributeProto *p, dt_ox_attr *a)
{
    const char *name = p->name ? p->name : "";
    *a = (dt_ox_attr){ .i = p->i, .f = p->f, .int_count = p->n_ints, .float_count = p->n_floats };
    a->name = text_of(r, (const unsigned char *)name, strlen(name));
    a->ints = copy(r, p->ints, p->n_ints, sizeof *p->ints);
    a->floats = copy(r, p->floats, p->n_floats, sizeof *p->floats);
    if (p->has_s) a->text = text_of(r, p->s.data, p->s.len);
    if (!a->name || !a->ints || !a->floats || (p->has_s && !a->text)) return no_memory(r);
    if (!p->t) return DT_OK;
    a->tensor = dt_arena_get(r->file->arena, sizeof *a->tensor);
    return a->tensor ? dt_ox_tensor_read(&r->source, p->t, a->tensor, r->err) : no_memory(r);
}

static dt_status read_attribute(reader *r, const dt_wire_field *f, dt_ox_node *n)
{
    if (holds_graphs(f)) {
        n->has_graphs = true;
        return DT_OK;
    }
    room memory = { r->file->alloc, LEAST_ROOM + MOST_TIMES * f->size };
    ProtobufCAllocator a = { room_get, room_put, &memory };
    Onnx__AttributeProto *p = onnx__attribute_proto__unpack(&a, f->size, f->data);
    if (!p) return damaged(r, "an attribute cannot be read");
    dt_status st = take_attribute(r, p, &n->attr[n->attr_count++]);
    onnx__attribute_proto__free_unpacked(p, &a);
    return st;
}

/* Counts what a node has, so that its arrays are made once. */
static dt_status make_node(reader *r, const dt_wire_field *f, dt_ox_node *n)
{
    size_t in = 0, out = 0, attr = 0;
    dt_wire_field g;
    dt_wire w = dt_wire_inside(f);
    while (dt_wire_next(&w, &g)) {
        in += g.number == NODE_INPUT;
        out += g.number == NODE_OUTPUT;
        attr += g.number == NODE_ATTRIBUTE;
    }
    if (w.damaged) return damaged(r, "a node ends within a field");
    if (in > MOST_NAMES || out > MOST_NAMES || attr > MOST_NAMES)
        return unsupported(r, "has a node with more inputs than are read");
    *n = (dt_ox_node){ .op = "", .domain = "", .name = "" };
    n->in = dt_arena_get(r->file->arena, (in + 1) * sizeof *n->in);
    n->out = dt_arena_get(r->file->arena, (out + 1) * sizeof *n->out);
    n->attr = dt_arena_get(r->file->arena, (attr + 1) * sizeof *n->attr);
    return n->in && n->out && n->attr ? DT_OK : no_memory(r);
}

static dt_status read_node(reader *r, const dt_wire_field *f)
{
    dt_ox_file *file = r->file;
    dt_ox_node n;
    dt_wire_field g;
    DT_TRY(make_node(r, f, &n));
    for (dt_wire w = dt_wire_inside(f); dt_wire_next(&w, &g);) {
        if (g.type != DT_WIRE_BYTES) continue;
        const char **text = g.number == NODE_NAME     ? &n.name
                            : g.number == NODE_OP     ? &n.op
                            : g.number == NODE_DOMAIN ? &n.domain
                            : g.number == NODE_INPUT  ? &n.in[n.in_count++]
                            : g.number == NODE_OUTPUT ? &n.out[n.out_count++]
                                                      : NULL;
        if (text && !(*text = text_of(r, g.data, g.size))) return no_memory(r);
        if (g.number == NODE_ATTRIBUTE) DT_TRY(read_attribute(r, &g, &n));
    }
    for (int i = 0; i < n.in_count; i++)
        if (!n.in[i]) n.in[i] = "";
    for (int i = 0; i < n.out_count; i++)
        if (!n.out[i]) n.out[i] = "";
    void *array = file->node;
    DT_TRY(grow(r, &array, &file->node_room, file->node_count, sizeof n));
    file->node = array;
    file->node[file->node_count++] = n;
    return DT_OK;
}

/* The field of that number, of the type BYTES; false: there is none. */
static bool find(const dt_wire_field *in, uint64_t number, dt_wire_field *out)
{
    bool found = false;
    *out = (dt_wire_field){ 0 };
    dt_wire_field g;
    for (dt_wire w = dt_wire_inside(in); dt_wire_next(&w, &g);)
        if (g.number == number && g.type == DT_WIRE_BYTES) *out = g, found = true;
    return found;
}

static dt_status read_dims(reader *r, const dt_wire_field *shape, dt_ox_port *p)
{
    dt_wire_field dim, g;
    p->rank = 0;
    for (dt_wire w = dt_wire_inside(shape); dt_wire_next(&w, &dim);) {
        if (dim.number != SHAPE_DIM || dim.type != DT_WIRE_BYTES) continue;
        if (p->rank == DT_OX_RANK) return unsupported(r, "has a port of more than 8 dimensions");
        int64_t *to = &p->dim[p->rank++];
        *to = -1;
        for (dt_wire d = dt_wire_inside(&dim); dt_wire_next(&d, &g);)
            if (g.number == DIM_VALUE && g.type == DT_WIRE_VARINT) *to = (int64_t)g.value;
        if (*to < 1) *to = -1;
    }
    return DT_OK;
}

static dt_status read_port(reader *r, const dt_wire_field *f, dt_ox_port **list, int *count,
                           size_t *capacity)
{
    dt_ox_port p = { .name = "", .rank = -1 };
    dt_wire_field name, type, tensor, shape, g;
    void *array = *list;
    if (find(f, VALUE_NAME, &name) && !(p.name = text_of(r, name.data, name.size)))
        return no_memory(r);
    if (find(f, VALUE_TYPE, &type) && find(&type, TYPE_TENSOR, &tensor)) {
        for (dt_wire w = dt_wire_inside(&tensor); dt_wire_next(&w, &g);)
            if (g.number == TENSOR_ELEMENT && g.type == DT_WIRE_VARINT)
                p.type = (int)(g.value & 0xff);
        if (find(&tensor, TENSOR_SHAPE, &shape)) DT_TRY(read_dims(r, &shape, &p));
    }
    DT_TRY(grow(r, &array, capacity, *count, sizeof p));
    *list = array;
    (*list)[(*count)++] = p;
    return DT_OK;
}

/* Initialisers come by name; those that are listed as inputs, too, are none. */
static dt_status sort_out(reader *r)
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

static dt_status read_graph(reader *r, const dt_wire_field *f)
{
    dt_ox_file *o = r->file;
    dt_wire_field g;
    dt_wire w = dt_wire_inside(f);
    while (dt_wire_next(&w, &g)) {
        if (g.type != DT_WIRE_BYTES) continue;
        if (g.number == GRAPH_NODE) DT_TRY(read_node(r, &g));
        if (g.number == GRAPH_CONSTANT) DT_TRY(read_initial(r, &g));
        if (g.number == GRAPH_INPUT) DT_TRY(read_port(r, &g, &o->in, &o->in_count, &o->in_room));
        if (g.number == GRAPH_OUTPUT)
            DT_TRY(read_port(r, &g, &o->out, &o->out_count, &o->out_room));
        if (g.number == GRAPH_SPARSE)
            return unsupported(r, "has a sparse constant, which is not read; save it dense");
    }
    return w.damaged ? damaged(r, "its graph ends within a field") : sort_out(r);
}

static void read_opset(reader *r, const dt_wire_field *f)
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

static dt_status read_model(reader *r, const unsigned char *bytes, size_t size)
{
    dt_wire w = { bytes, bytes + size, false };
    dt_wire_field f, graph = { 0 };
    while (dt_wire_next(&w, &f)) {
        if (f.type != DT_WIRE_BYTES) continue;
        if (f.number == MODEL_GRAPH) graph = f;
        if (f.number == MODEL_OPSET) read_opset(r, &f);
    }
    if (w.damaged) return damaged(r, "it ends within a field");
    if (!graph.data) return damaged(r, "it has no graph");
    return read_graph(r, &graph);
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
    reader r = { .file = f, .source = { f, folder, &sha256 }, .err = err };
    dt_sha256_init(&sha256);
    dt_sha256_add(&sha256, bytes, size);
    f->path = dt_arena_strdup(arena, path);
    dt_status st = f->path ? read_model(&r, bytes, size) : no_memory(&r);
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

void dt_ox_free(dt_ox_file *f)
{
    if (!f) return;
    dt_put(f->alloc, f->node);
    dt_put(f->alloc, f->initial);
    dt_put(f->alloc, f->in);
    dt_put(f->alloc, f->out);
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
