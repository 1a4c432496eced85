/* ONNX files, for `detent inspect`: constants as tensors, packed 4-bit ones a byte an element;
 * metadata, versions and a count of operators as texts.
 *
 * Models and graphs are walked by hand, a field at a time: generated code would follow graphs
 * inside of attributes as deep as a file says. Messages that hold no others of their kind are
 * unpacked by protobuf-c. Field numbers: onnx.proto. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "exchange/exporter.h"
#include "exchange/import.h"
#include "exchange/onnx/onnx_wire.h"
#include "onnx.pb-c.h"

enum { /* fields */
       MODEL_IR = 1,
       MODEL_GRAPH = 7,
       MODEL_OPSET = 8,
       MODEL_META = 14,
       GRAPH_NODE = 1,
       GRAPH_CONSTANT = 5,
       NODE_OP = 4,
};
enum { KINDS = 64, KIND_TEXT = 48, TEXT_MAX = 1 << 20 };

typedef struct reader {
    const char *path;
    const dt_alloc *alloc;
    dt_tensors *out;
    dt_error *err;
    char kind[KINDS][KIND_TEXT]; /* operators */
    int count[KINDS], kinds;
} reader;

static dt_status damaged(const reader *r, const char *what)
{
    const dt_where where = { .file = r->path };
    return dt_fail(r->err, DT_ERR_FORMAT, &where, "is damaged: %s", what);
}

/* Sizes of elements in the file; 0: not read. Types of half a byte come as bytes. */
static const struct {
    int onnx;
    dt_dtype dtype;
    int bits;
} types[] = { { 1, DT_F32, 32 },  { 2, DT_U8, 8 },     { 3, DT_S8, 8 },   { 5, DT_I16, 16 },
              { 6, DT_I32, 32 },  { 7, DT_I64, 64 },   { 9, DT_BOOL, 8 }, { 10, DT_F16, 16 },
              { 11, DT_F64, 64 }, { 16, DT_BF16, 16 }, { 21, DT_U8, 4 },  { 22, DT_S8, 4 } };

static void unpack_halves(const unsigned char *from, size_t n, bool is_signed, unsigned char *to)
{
    for (size_t i = 0; i < n; i++) {
        unsigned code = from[i / 2] >> (i % 2 ? 4 : 0) & 15;
        to[i] = (unsigned char)(is_signed && code > 7 ? code + 240 : code);
    }
}

static dt_status add_tensor(reader *r, const Onnx__TensorProto *t)
{
    dt_shape shape = { .rank = (int)t->n_dims };
    size_t k = 0, bytes;
    while (k < DT_ARRAY_LEN(types) && types[k].onnx != t->data_type)
        k++;
    if (k == DT_ARRAY_LEN(types) || t->n_dims > DT_MAX_RANK)
        return dt_fail(r->err, DT_ERR_UNSUPPORTED, &(dt_where){ .file = r->path },
                       "a constant of type %d and rank %zu is not read", t->data_type, t->n_dims);
    for (size_t i = 0; i < t->n_dims; i++)
        shape.dim[i] = t->dims[i];
    int64_t n = dt_shape_count(&shape);
    /* Data elsewhere, or number by number: the network's reader has it. */
    if (t->n_external_data || t->n_float_data || t->n_int32_data || t->n_int64_data ||
        t->n_double_data || t->n_uint64_data)
        return DT_OK;
    if (t->n_dims && n == 0 && t->raw_data.len == 0) return DT_OK; /* no elements: left out */
    if (n <= 0 || !dt_size_mul((size_t)n, (size_t)types[k].bits, &bytes) ||
        (bytes + 7) / 8 != t->raw_data.len)
        return damaged(r, "a constant has another size than its shape, or no raw data");
    if (!t->name || !*t->name || dt_tensors_find(r->out, t->name))
        return damaged(r, "a constant has no name, or that of another one");
    DT_TRY(dt_tensors_add(r->out, t->name, types[k].dtype, &shape, NULL, r->err));
    unsigned char *to = dt_tensors_data(r->out, r->out->count - 1);
    if (types[k].bits == 4)
        unpack_halves(t->raw_data.data, (size_t)n, types[k].dtype == DT_S8, to);
    else
        memcpy(to, t->raw_data.data, t->raw_data.len);
    return DT_OK;
}

static dt_status read_constant(reader *r, const dt_wire_field *f)
{
    Onnx__TensorProto *t = onnx__tensor_proto__unpack(NULL, f->size, f->data);
    if (!t) return damaged(r, "a constant cannot be read");
    dt_status st = add_tensor(r, t);
    onnx__tensor_proto__free_unpacked(t, NULL);
    return st;
}

static void count_node(reader *r, const dt_wire_field *f)
{
    dt_wire_field op = { 0 }, g;
    char name[KIND_TEXT] = "";
    int i = 0;
    for (dt_wire s = dt_wire_inside(f); dt_wire_next(&s, &g);)
        if (g.number == NODE_OP && g.type == DT_WIRE_BYTES) op = g;
    for (size_t k = 0; k < op.size && k < KIND_TEXT - 1; k++)
        name[k] = op.data[k] > 32 && op.data[k] < 127 ? (char)op.data[k] : '?';
    while (i < r->kinds && strcmp(r->kind[i], name) != 0)
        i++;
    if (i == KINDS) return;
    if (i == r->kinds) memcpy(r->kind[r->kinds++], name, sizeof name);
    r->count[i]++;
}

static dt_status read_graph(reader *r, const dt_wire_field *f)
{
    dt_wire_field g;
    dt_wire s = dt_wire_inside(f);
    while (dt_wire_next(&s, &g)) {
        if (g.type != DT_WIRE_BYTES) continue;
        if (g.number == GRAPH_NODE) count_node(r, &g);
        if (g.number == GRAPH_CONSTANT) DT_TRY(read_constant(r, &g));
    }
    return s.damaged ? damaged(r, "its graph ends within a field") : DT_OK;
}

static dt_status read_meta(reader *r, const dt_wire_field *f)
{
    dt_status st = DT_OK;
    Onnx__StringStringEntryProto *e =
        onnx__string_string_entry_proto__unpack(NULL, f->size, f->data);
    if (!e) return damaged(r, "its metadata cannot be read");
    if (e->key && *e->key && e->value && strlen(e->value) <= TEXT_MAX)
        st = dt_tensors_set_attr(r->out, e->key, e->value, r->err);
    onnx__string_string_entry_proto__free_unpacked(e, NULL);
    return st;
}

static dt_status read_opset(reader *r, const dt_wire_field *f)
{
    char key[KIND_TEXT + 16], value[32];
    Onnx__OperatorSetIdProto *o = onnx__operator_set_id_proto__unpack(NULL, f->size, f->data);
    if (!o) return damaged(r, "its operator set cannot be read");
    snprintf(key, sizeof key, "onnx.opset%s%.40s", o->domain && *o->domain ? "." : "",
             o->domain ? o->domain : "");
    snprintf(value, sizeof value, "%lld", (long long)o->version);
    onnx__operator_set_id_proto__free_unpacked(o, NULL);
    return dt_tensors_set_attr(r->out, key, value, r->err);
}

static dt_status tell_operators(reader *r)
{
    char text[KINDS * (KIND_TEXT + 16)];
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < r->kinds; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%d %s", i ? ", " : "",
                                 r->count[i], r->kind[i]);
    return dt_tensors_set_attr(r->out, "onnx.operators", text, r->err);
}

static dt_status read_model(reader *r, dt_wire s)
{
    dt_wire_field f;
    char text[32];
    while (dt_wire_next(&s, &f)) {
        if (f.number == MODEL_IR && f.type == DT_WIRE_VARINT) {
            snprintf(text, sizeof text, "%llu", (unsigned long long)f.value);
            DT_TRY(dt_tensors_set_attr(r->out, "onnx.ir", text, r->err));
        }
        if (f.type != DT_WIRE_BYTES) continue;
        if (f.number == MODEL_GRAPH) DT_TRY(read_graph(r, &f));
        if (f.number == MODEL_OPSET) DT_TRY(read_opset(r, &f));
        if (f.number == MODEL_META) DT_TRY(read_meta(r, &f));
    }
    if (s.damaged) return damaged(r, "it ends within a field");
    if (r->kinds == 0) return damaged(r, "it has no graph");
    return tell_operators(r);
}

static dt_status read(dt_import_job *job, dt_tensors *out, dt_error *err)
{
    const unsigned char *bytes = job->bytes;
    reader *r = dt_get(job->alloc, sizeof *r, "ONNX file");
    if (!r) return dt_fail(err, DT_ERR_NOMEM, &(dt_where){ .file = job->path }, "no memory");
    *r = (reader){ .path = job->path, .alloc = job->alloc, .out = out, .err = err };
    dt_status st = read_model(r, (dt_wire){ bytes, bytes + job->size, false });
    dt_put(job->alloc, r);
    return st;
}

/* There is no magic number: the first field is the IR version, the second the producer or a graph.
 */
static bool probe(const unsigned char *bytes, size_t size)
{
    enum { IR_KEY = 0x08, PRODUCER_KEY = 0x12, GRAPH_KEY = 0x3A, OPSET_KEY = 0x42, MOST_IR = 32 };
    return size > 4 && bytes[0] == IR_KEY && bytes[1] > 0 && bytes[1] < MOST_IR &&
           (bytes[2] == PRODUCER_KEY || bytes[2] == GRAPH_KEY || bytes[2] == OPSET_KEY);
}

const dt_importer dt_importer_onnx = {
    .row = { .name = "onnx", .help = "ONNX model, to be inspected" },
    .is_codes = true,
    .is_graph = true,
    .probe = probe,
    .read = read,
};
