/* Nodes, attributes and constants of a file. They are walked by hand, a field at a time: generated
 * code would follow graphs inside of attributes as deep as a file says. Messages that hold none of
 * their kind are unpacked by protobuf-c, with memory that is counted. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "exchange/onnx/reader/onnx_reading.h"

enum { /* fields */
       NODE_INPUT = 1,
       NODE_OUTPUT = 2,
       NODE_NAME = 3,
       NODE_OP = 4,
       NODE_ATTRIBUTE = 5,
       NODE_DOMAIN = 7,
       NODE_OVERLOAD = 8,
       ATTRIBUTE_NAME = 1,
       ATTRIBUTE_GRAPH = 6,
       ATTRIBUTE_GRAPHS = 11,
       ATTRIBUTE_REF = 21,
       ATTRIBUTE_TYPE = 14,
       ATTRIBUTE_TYPES = 15,
       ATTRIBUTE_SPARSE = 22,
       ATTRIBUTE_SPARSES = 23,
};
enum {
    MOST_NODES = 1 << 20,
    MOST_TIMES = 64,      /* an unpacked message may take this much of its bytes */
    LEAST_ROOM = 1 << 20, /* or this many */
    TEXT_MOST = 1 << 20,
    DEEPEST = 16, /* graphs in attributes of nodes of graphs ... */
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

dt_status dt_ox_damaged(const dt_ox_reading *r, const char *what)
{
    return dt_fail(r->err, DT_ERR_FORMAT, &(dt_where){ .file = r->file->path }, "is damaged: %s",
                   what);
}

dt_status dt_ox_read_no_memory(const dt_ox_reading *r)
{
    return dt_fail(r->err, DT_ERR_NOMEM, &(dt_where){ .file = r->file->path }, "no memory");
}

dt_status dt_ox_unread(const dt_ox_reading *r, const char *what)
{
    return dt_fail(r->err, DT_ERR_UNSUPPORTED, &(dt_where){ .file = r->file->path }, "%s", what);
}

const char *dt_ox_read_text(const dt_ox_reading *r, const unsigned char *data, size_t size)
{
    if (size > TEXT_MOST) size = TEXT_MOST;
    char *text = dt_arena_get(r->file->arena, size + 1);
    for (size_t i = 0; text && i < size; i++)
        text[i] = data[i] >= 32 && data[i] != 127 ? (char)data[i] : '?';
    return text;
}

dt_status dt_ox_grow(dt_ox_reading *r, void **array, size_t *capacity, int count, size_t size)
{
    if (count >= MOST_NODES) return dt_ox_unread(r, "has more parts than are read");
    return dt_grow(r->file->alloc, array, capacity, (size_t)count + 1, size, "ONNX file", r->err);
}

dt_status dt_ox_read_constant(dt_ox_reading *r, const dt_wire_field *f, dt_ox_tensor *out)
{
    room memory = { r->file->alloc, LEAST_ROOM + MOST_TIMES * f->size };
    ProtobufCAllocator a = { room_get, room_put, &memory };
    Onnx__TensorProto *t = onnx__tensor_proto__unpack(&a, f->size, f->data);
    if (!t) return dt_ox_damaged(r, "a constant cannot be read");
    dt_status st = dt_ox_tensor_read(&r->source, t, out, r->err);
    onnx__tensor_proto__free_unpacked(t, &a);
    return st;
}

bool dt_ox_field(const dt_wire_field *in, uint64_t number, dt_wire_field *out)
{
    bool found = false;
    *out = (dt_wire_field){ 0 };
    dt_wire_field g;
    for (dt_wire w = dt_wire_inside(in); dt_wire_next(&w, &g);)
        if (g.number == number && g.type == DT_WIRE_BYTES) *out = g, found = true;
    return found;
}

/* Is there a part in it that is not read, of any kind of field? */
static bool holds_others(const dt_wire_field *f)
{
    dt_wire_field g;
    for (dt_wire w = dt_wire_inside(f); dt_wire_next(&w, &g);)
        if (g.number == ATTRIBUTE_GRAPHS || g.number == ATTRIBUTE_TYPE ||
            g.number == ATTRIBUTE_TYPES || g.number == ATTRIBUTE_SPARSE ||
            g.number == ATTRIBUTE_SPARSES ||
            (g.number == ATTRIBUTE_GRAPH && g.type != DT_WIRE_BYTES))
            return true;
    return false;
}

static void *copy(const dt_ox_reading *r, const void *from, size_t count, size_t size)
{
    size_t bytes;
    void *to = dt_size_mul(count, size, &bytes) ? dt_arena_get(r->file->arena, bytes + 1) : NULL;
    if (to && bytes) memcpy(to, from, bytes);
    return to;
}

static dt_status take_attribute(dt_ox_reading *r, const Onnx__AttributeProto *p, dt_ox_attr *a)
{
    const char *name = p->name ? p->name : "";
    *a = (dt_ox_attr){ .i = p->i, .f = p->f, .int_count = p->n_ints, .float_count = p->n_floats };
    a->name = dt_ox_read_text(r, (const unsigned char *)name, strlen(name));
    a->ints = copy(r, p->ints, p->n_ints, sizeof *p->ints);
    a->floats = copy(r, p->floats, p->n_floats, sizeof *p->floats);
    if (p->has_s) a->text = dt_ox_read_text(r, p->s.data, p->s.len);
    if (!a->name || !a->ints || !a->floats || (p->has_s && !a->text))
        return dt_ox_read_no_memory(r);
    if (!p->t) return DT_OK;
    a->tensor = dt_arena_get(r->file->arena, sizeof *a->tensor);
    return a->tensor ? dt_ox_tensor_read(&r->source, p->t, a->tensor, r->err)
                     : dt_ox_read_no_memory(r);
}

dt_status dt_ox_read_inner(dt_ox_reading *r, dt_ox_file **out)
{
    dt_ox_file *f = dt_arena_get(r->file->arena, sizeof *f);
    if (!f) return dt_ox_read_no_memory(r);
    *f = (dt_ox_file){ .arena = r->file->arena,
                       .alloc = r->file->alloc,
                       .path = r->file->path,
                       .constants.arena = r->file->arena,
                       .next = r->file->inner };
    r->file->inner = f;
    *out = f;
    return DT_OK;
}

/* No deeper than DEEPEST. */
static dt_status read_body(dt_ox_reading *r, const dt_wire_field *name, const dt_wire_field *graph,
                           dt_ox_node *n)
{
    dt_ox_reading inside = *r;
    if (++inside.depth > DEEPEST) return dt_ox_unread(r, "has graphs in attributes deeper than 16");
    DT_TRY(dt_ox_read_inner(r, &inside.file));
    dt_ox_attr *a = &n->attr[n->attr_count++];
    *a = (dt_ox_attr){ .name = dt_ox_read_text(r, name->data, name->size), .graph = inside.file };
    n->has_graph = true;
    return a->name ? dt_ox_read_graph(&inside, graph) : dt_ox_read_no_memory(r);
}

dt_status dt_ox_read_attribute(dt_ox_reading *r, const dt_wire_field *f, dt_ox_node *n)
{
    dt_wire_field graph, name, ref;
    if (dt_ox_field(f, ATTRIBUTE_REF, &ref) && ref.size && !r->function) n->has_others = true;
    if (holds_others(f)) n->has_others = true;
    bool body = dt_ox_field(f, ATTRIBUTE_GRAPH, &graph);
    if (body && r->function) n->has_others = true; /* its names would be the caller's */
    if (n->has_others) return DT_OK;
    if (body) {
        dt_ox_field(f, ATTRIBUTE_NAME, &name);
        return read_body(r, &name, &graph, n);
    }
    room memory = { r->file->alloc, LEAST_ROOM + MOST_TIMES * f->size };
    ProtobufCAllocator a = { room_get, room_put, &memory };
    Onnx__AttributeProto *p = onnx__attribute_proto__unpack(&a, f->size, f->data);
    if (!p) return dt_ox_damaged(r, "an attribute cannot be read");
    dt_ox_attr *to = &n->attr[n->attr_count++];
    dt_status st = take_attribute(r, p, to);
    onnx__attribute_proto__free_unpacked(p, &a);
    if (st == DT_OK && ref.size && !(to->ref = dt_ox_read_text(r, ref.data, ref.size)))
        st = dt_ox_read_no_memory(r);
    return st;
}

/* Counts what a node has, so that its arrays are made once. */
static dt_status make_node(dt_ox_reading *r, const dt_wire_field *f, dt_ox_node *n)
{
    size_t in = 0, out = 0, attr = 0;
    dt_wire_field g;
    dt_wire w = dt_wire_inside(f);
    while (dt_wire_next(&w, &g)) {
        in += g.number == NODE_INPUT;
        out += g.number == NODE_OUTPUT;
        attr += g.number == NODE_ATTRIBUTE;
    }
    if (w.damaged) return dt_ox_damaged(r, "a node ends within a field");
    if (in > DT_OX_NAMES || out > DT_OX_NAMES || attr > DT_OX_NAMES)
        return dt_ox_unread(r, "has a node with more inputs than are read");
    *n = (dt_ox_node){ .op = "", .domain = "", .name = "", .overload = "", .step = r->depth > 0 };
    n->in = dt_arena_get(r->file->arena, (in + 1) * sizeof *n->in);
    n->out = dt_arena_get(r->file->arena, (out + 1) * sizeof *n->out);
    n->attr = dt_arena_get(r->file->arena, (attr + 1) * sizeof *n->attr);
    return n->in && n->out && n->attr ? DT_OK : dt_ox_read_no_memory(r);
}

dt_status dt_ox_read_node(dt_ox_reading *r, const dt_wire_field *f)
{
    dt_ox_file *file = r->file;
    dt_ox_node n;
    dt_wire_field g;
    DT_TRY(make_node(r, f, &n));
    for (dt_wire w = dt_wire_inside(f); dt_wire_next(&w, &g);) {
        if (g.type != DT_WIRE_BYTES) continue;
        const char **text = g.number == NODE_NAME       ? &n.name
                            : g.number == NODE_OP       ? &n.op
                            : g.number == NODE_DOMAIN   ? &n.domain
                            : g.number == NODE_OVERLOAD ? &n.overload
                            : g.number == NODE_INPUT    ? &n.in[n.in_count++]
                            : g.number == NODE_OUTPUT   ? &n.out[n.out_count++]
                                                        : NULL;
        if (text && !(*text = dt_ox_read_text(r, g.data, g.size))) return dt_ox_read_no_memory(r);
        if (g.number == NODE_ATTRIBUTE) DT_TRY(dt_ox_read_attribute(r, &g, &n));
    }
    for (int i = 0; i < n.in_count; i++)
        if (!n.in[i]) n.in[i] = "";
    for (int i = 0; i < n.out_count; i++)
        if (!n.out[i]) n.out[i] = "";
    void *array = file->node;
    DT_TRY(dt_ox_grow(r, &array, &file->node_room, file->node_count, sizeof n));
    file->node = array;
    file->node[file->node_count++] = n;
    return DT_OK;
}
