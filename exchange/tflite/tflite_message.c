/* TFLite models. Field numbers are those of the schema's tables: Model, OperatorCode, SubGraph,
 * Tensor, QuantizationParameters, Operator, Buffer and the options of each operator. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/tflite/tflite_message.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "exchange/import.h"
#include "exchange/tflite/flatbuffer.h"

enum { SCHEMA_VERSION = 3, BUFFER_ALIGN = 16 };

/* Operators: number, least version that has what we use, and the option table: its number in the
 * union (0: defaults will do) and the sizes of its fields, '1' or '4' bytes. */
static const struct {
    const char *name;
    int code, version, options;
    char sizes[DT_TFL_MAX_OPTIONS + 1];
} ops[DT_TFL_OPS] = {
    [DT_TFL_ADD] = { "ADD", 0, 2, 11, "1" },
    [DT_TFL_AVERAGE_POOL_2D] = { "AVERAGE_POOL_2D", 1, 2, 5, "14444" },
    [DT_TFL_CAST] = { "CAST", 53, 2, 0, "" },
    [DT_TFL_CONCATENATION] = { "CONCATENATION", 2, 2, 10, "41" },
    [DT_TFL_CONV_2D] = { "CONV_2D", 3, 3, 1, "144144" },
    [DT_TFL_DEPTHWISE_CONV_2D] = { "DEPTHWISE_CONV_2D", 4, 3, 2, "1444144" },
    [DT_TFL_GATHER] = { "GATHER", 36, 2, 23, "44" },
    [DT_TFL_MAXIMUM] = { "MAXIMUM", 55, 2, 0, "" },
    [DT_TFL_MAX_POOL_2D] = { "MAX_POOL_2D", 17, 2, 5, "14444" },
    [DT_TFL_MEAN] = { "MEAN", 40, 2, 27, "1" },
    [DT_TFL_MINIMUM] = { "MINIMUM", 57, 2, 0, "" },
    [DT_TFL_MUL] = { "MUL", 18, 2, 21, "1" },
    [DT_TFL_PAD] = { "PAD", 34, 2, 0, "" },
    [DT_TFL_PADV2] = { "PADV2", 60, 2, 0, "" },
    [DT_TFL_RESHAPE] = { "RESHAPE", 22, 1, 0, "" },
    [DT_TFL_RESIZE_NEAREST] = { "RESIZE_NEAREST_NEIGHBOR", 97, 2, 74, "11" },
    [DT_TFL_STRIDED_SLICE] = { "STRIDED_SLICE", 45, 2, 32, "44" },
    [DT_TFL_SUB] = { "SUB", 41, 2, 28, "1" },
    [DT_TFL_TRANSPOSE] = { "TRANSPOSE", 39, 2, 0, "" },
};
enum { CONV_S4 = 7 }; /* the version of convolutions that knows weights of 4 bits */

typedef struct list { /* grows; of objects */
    void *item;
    size_t capacity, count;
} list;

struct dt_tflite {
    const dt_alloc *alloc;
    dt_fb *fb;
    bool failed;
    list tensors, buffers, nodes, metadata;
    void *types; /* by tensor: unsigned char */
    size_t types_room;
    int code_of[DT_TFL_OPS]; /* its number in this file, + 1; 0: not used */
    int version[DT_TFL_OPS], used[DT_TFL_OPS], code_count;
    size_t weight_bytes, trained_bytes;
    size_t constants, constant_bytes; /* of tensors with data, a byte an element of 4 bits */
};

static void push(dt_tflite *m, list *l, dt_fb_object *object)
{
    void *array = l->item;
    if (!object || dt_grow(m->alloc, &array, &l->capacity, l->count + 1, sizeof object, "tflite",
                           NULL) != DT_OK) {
        m->failed = true;
        return;
    }
    l->item = array;
    ((dt_fb_object **)array)[l->count++] = object;
}

/* Buffer 0 is the empty one of tensors that are computed. */
dt_tflite *dt_tflite_new(const dt_alloc *a)
{
    dt_tflite *m = dt_get(a, sizeof *m, "tflite");
    if (!m) return NULL;
    *m = (dt_tflite){ .alloc = a, .fb = dt_fb_new(a) };
    if (!m->fb) {
        dt_put(a, m);
        return NULL;
    }
    push(m, &m->buffers, dt_fb_table(m->fb));
    return m;
}

void dt_tflite_free(dt_tflite *m)
{
    if (!m) return;
    dt_put(m->alloc, m->tensors.item);
    dt_put(m->alloc, m->buffers.item);
    dt_put(m->alloc, m->nodes.item);
    dt_put(m->alloc, m->metadata.item);
    dt_put(m->alloc, m->types);
    dt_fb_free(m->fb);
    dt_put(m->alloc, m);
}

static size_t data_bytes(dt_tfl_type type, size_t count)
{
    if (type == DT_TFL_S4) return (count + 1) / 2;
    return type == DT_TFL_S8 ? count : 4 * count;
}

/* Two elements a byte, the first in the low half. NULL: no memory. */
static unsigned char *pack_halves(const dt_tflite *m, const signed char *from, size_t count)
{
    unsigned char *to = dt_get(m->alloc, count / 2 + 1, "tflite");
    for (size_t i = 0; to && i < count; i++) {
        unsigned half = (unsigned)from[i] & 15;
        to[i / 2] = (unsigned char)(i % 2 ? to[i / 2] | half << 4 : half);
    }
    return to;
}

/* The number of a new buffer. */
static size_t add_buffer(dt_tflite *m, const dt_tfl_tensor *t, size_t count)
{
    size_t bytes = data_bytes(t->type, count);
    m->constants++;
    m->constant_bytes += t->type == DT_TFL_S4 ? count : bytes;
    unsigned char *halves = t->type == DT_TFL_S4 ? pack_halves(m, t->data, count) : NULL;
    dt_fb_object *buffer = dt_fb_table(m->fb);
    if (t->type == DT_TFL_S4 && !halves) m->failed = true;
    if (!m->failed)
        dt_fb_set_object(buffer, 0,
                         dt_fb_vector(m->fb, halves ? halves : t->data, bytes, 1, BUFFER_ALIGN));
    dt_put(m->alloc, halves);
    push(m, &m->buffers, buffer);
    if (t->bits) {
        m->weight_bytes += bytes;
        m->trained_bytes += dt_export_low_bytes(count, t->bits);
    }
    return m->buffers.count - 1;
}

/* QuantizationParameters: scale 2, zero_point 3, quantized_dimension 6. */
static dt_fb_object *quantization(dt_tflite *m, const dt_tfl_tensor *t)
{
    dt_fb_object *q = dt_fb_table(m->fb);
    int64_t *zero = dt_get_array(m->alloc, (size_t)t->scales, sizeof *zero, "tflite");
    if (!zero) {
        m->failed = true;
        return NULL;
    }
    for (int64_t i = 0; i < t->scales; i++)
        zero[i] = t->zero_point;
    size_t n = (size_t)t->scales;
    dt_fb_set_object(q, 2, dt_fb_vector(m->fb, t->scale, n, sizeof *t->scale, 4));
    dt_fb_set_object(q, 3, dt_fb_vector(m->fb, zero, n, sizeof *zero, 8));
    dt_fb_set(q, 6, 4, t->axis);
    dt_put(m->alloc, zero);
    return q;
}

/* Tensor: shape 0, type 1, buffer 2, name 3, quantization 4, shape_signature 7. A computed tensor's
 * first dimension is the batch, which a runtime may change. */
int dt_tflite_tensor(dt_tflite *m, const dt_tfl_tensor *t)
{
    dt_fb_object *o = dt_fb_table(m->fb);
    int32_t dim[DT_MAX_RANK];
    size_t count = (size_t)(t->shape.rank ? dt_shape_count(&t->shape) : 1);
    for (int i = 0; i < t->shape.rank; i++)
        dim[i] = (int32_t)t->shape.dim[i];
    dt_fb_set_object(o, 0, dt_fb_vector(m->fb, dim, (size_t)t->shape.rank, sizeof *dim, 4));
    dt_fb_set(o, 1, 1, t->type);
    if (t->data) dt_fb_set(o, 2, 4, (int64_t)add_buffer(m, t, count));
    dt_fb_set_object(o, 3, dt_fb_string(m->fb, t->name));
    if (t->scale) dt_fb_set_object(o, 4, quantization(m, t));
    if (!t->data && t->shape.rank > 0) {
        dim[0] = -1;
        dt_fb_set_object(o, 7, dt_fb_vector(m->fb, dim, (size_t)t->shape.rank, sizeof *dim, 4));
    }
    push(m, &m->tensors, o);
    if (dt_grow(m->alloc, &m->types, &m->types_room, m->tensors.count + 1, 1, "tflite", NULL) !=
        DT_OK)
        m->failed = true;
    if (m->failed) return 0;
    ((unsigned char *)m->types)[m->tensors.count - 1] = (unsigned char)t->type;
    return (int)m->tensors.count - 1;
}

/* Its number in the file; versions grow with what is asked for. */
static int use_code(dt_tflite *m, dt_tfl_op op, const int *in, int in_count)
{
    bool halves = false;
    for (int i = 0; i < in_count && !m->failed; i++)
        halves = halves || (in[i] >= 0 && ((unsigned char *)m->types)[in[i]] == DT_TFL_S4);
    int version = halves && ops[op].version < CONV_S4 ? CONV_S4 : ops[op].version;
    if (!m->code_of[op]) m->code_of[op] = ++m->code_count;
    if (version > m->version[op]) m->version[op] = version;
    m->used[op]++;
    return m->code_of[op] - 1;
}

/* Operator: opcode_index 0, inputs 1, outputs 2, builtin_options_type 3, builtin_options 4. */
void dt_tflite_node(dt_tflite *m, dt_tfl_op op, const int *in, int in_count, int out,
                    const int *options)
{
    dt_fb_object *o = dt_fb_table(m->fb);
    int32_t from[DT_TFL_MAX_IN] = { 0 }, to = out;
    assert(in_count <= DT_TFL_MAX_IN);
    for (int i = 0; i < in_count; i++)
        from[i] = in[i];
    dt_fb_set(o, 0, 4, use_code(m, op, in, in_count));
    dt_fb_set_object(o, 1, dt_fb_vector(m->fb, from, (size_t)in_count, sizeof *from, 4));
    dt_fb_set_object(o, 2, dt_fb_vector(m->fb, &to, 1, sizeof to, 4));
    if (ops[op].options) {
        dt_fb_object *t = dt_fb_table(m->fb);
        for (int i = 0; ops[op].sizes[i]; i++)
            dt_fb_set(t, i, ops[op].sizes[i] - '0', options[i]);
        dt_fb_set(o, 3, 1, ops[op].options);
        dt_fb_set_object(o, 4, t);
    }
    push(m, &m->nodes, o);
}

void dt_tflite_operator(int64_t code, char name[DT_EXPORT_KIND_TEXT])
{
    snprintf(name, DT_EXPORT_KIND_TEXT, "operator %lld", (long long)code);
    for (int op = 0; op < DT_TFL_OPS; op++)
        if (ops[op].code == code) snprintf(name, DT_EXPORT_KIND_TEXT, "%s", ops[op].name);
}

void dt_tflite_describe(const dt_tflite *m, dt_export_report *report)
{
    snprintf(report->format, sizeof report->format, "TFLite schema %d", SCHEMA_VERSION);
    report->weight_bytes = m->weight_bytes;
    report->trained_bytes = m->trained_bytes;
    for (int op = 0; op < DT_TFL_OPS; op++)
        for (int i = 0; i < m->used[op]; i++)
            dt_export_tally(report->part, &report->part_count, ops[op].name);
}

/* OperatorCode: deprecated_builtin_code 0, version 2, builtin_code 3. */
static dt_fb_object *operator_codes(dt_tflite *m)
{
    dt_fb_object *codes[DT_TFL_OPS];
    for (int op = 0; op < DT_TFL_OPS; op++) {
        if (!m->code_of[op]) continue;
        dt_fb_object *o = dt_fb_table(m->fb);
        dt_fb_set(o, 0, 1, ops[op].code < 127 ? ops[op].code : 127);
        dt_fb_set(o, 2, 4, m->version[op]);
        dt_fb_set(o, 3, 4, ops[op].code);
        codes[m->code_of[op] - 1] = o;
    }
    return dt_fb_objects(m->fb, codes, (size_t)m->code_count);
}

/* SubGraph: tensors 0, inputs 1, outputs 2, operators 3, name 4. */
static dt_fb_object *subgraph(dt_tflite *m, const dt_tflite_ends *ends)
{
    dt_fb_object *o = dt_fb_table(m->fb);
    int32_t in[DT_GRAPH_PORTS], out[DT_GRAPH_PORTS];
    for (int k = 0; k < ends->inputs; k++)
        in[k] = ends->input[k];
    for (int k = 0; k < ends->outputs; k++)
        out[k] = ends->output[k];
    dt_fb_set_object(o, 0, dt_fb_objects(m->fb, m->tensors.item, m->tensors.count));
    dt_fb_set_object(o, 1, dt_fb_vector(m->fb, in, (size_t)ends->inputs, sizeof *in, 4));
    dt_fb_set_object(o, 2, dt_fb_vector(m->fb, out, (size_t)ends->outputs, sizeof *out, 4));
    dt_fb_set_object(o, 3, dt_fb_objects(m->fb, m->nodes.item, m->nodes.count));
    dt_fb_set_object(o, 4, dt_fb_string(m->fb, "main"));
    return dt_fb_objects(m->fb, &o, 1);
}

/* Metadata: name 0, buffer 1. */
void dt_tflite_metadata(dt_tflite *m, const char *name, const char *text)
{
    dt_fb_object *buffer = dt_fb_table(m->fb), *o = dt_fb_table(m->fb);
    dt_fb_set_object(buffer, 0, dt_fb_vector(m->fb, text, strlen(text), 1, BUFFER_ALIGN));
    push(m, &m->buffers, buffer);
    dt_fb_set_object(o, 0, dt_fb_string(m->fb, name));
    dt_fb_set(o, 1, 4, (int64_t)m->buffers.count - 1);
    push(m, &m->metadata, o);
}

/* TensorMap: name 0, tensor_index 1. */
static dt_fb_object *named(dt_tflite *m, const char *const *name, const int *tensor, int count)
{
    dt_fb_object *o[DT_GRAPH_PORTS];
    for (int k = 0; k < count; k++) {
        o[k] = dt_fb_table(m->fb);
        dt_fb_set_object(o[k], 0, dt_fb_string(m->fb, name[k]));
        dt_fb_set(o[k], 1, 4, tensor[k]);
    }
    return dt_fb_objects(m->fb, o, (size_t)count);
}

/* SignatureDef: inputs 0, outputs 1, signature_key 2, subgraph_index 4. */
static dt_fb_object *signature(dt_tflite *m, const dt_tflite_ends *ends)
{
    dt_fb_object *o = dt_fb_table(m->fb);
    dt_fb_set_object(o, 0, named(m, ends->in_name, ends->input, ends->inputs));
    dt_fb_set_object(o, 1, named(m, ends->name, ends->output, ends->outputs));
    dt_fb_set_object(o, 2, dt_fb_string(m->fb, "serving_default"));
    dt_fb_set(o, 4, 4, 0);
    return dt_fb_objects(m->fb, &o, 1);
}

/* Model: version 0, operator_codes 1, subgraphs 2, description 3, buffers 4, metadata 6,
 * signature_defs 7. */
dt_status dt_tflite_pack(dt_tflite *m, const char *description, const dt_tflite_ends *ends,
                         unsigned char **out_bytes, size_t *out_size, dt_error *err)
{
    if (m->failed) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the TFLite model");
    dt_fb_object *root = dt_fb_table(m->fb);
    dt_fb_set(root, 0, 4, SCHEMA_VERSION);
    dt_fb_set_object(root, 1, operator_codes(m));
    dt_fb_set_object(root, 2, subgraph(m, ends));
    dt_fb_set_object(root, 3, dt_fb_string(m->fb, description));
    dt_fb_set_object(root, 4, dt_fb_objects(m->fb, m->buffers.item, m->buffers.count));
    if (m->metadata.count)
        dt_fb_set_object(root, 6, dt_fb_objects(m->fb, m->metadata.item, m->metadata.count));
    dt_fb_set_object(root, 7, signature(m, ends));
    return dt_fb_pack(m->fb, root, "TFL3", out_bytes, out_size, err);
}

dt_status dt_tflite_check(void *model, const char *path, const unsigned char *bytes, size_t size,
                          dt_error *err)
{
    const dt_tflite *m = model;
    dt_tensors set;
    size_t total = 0;
    DT_TRY(dt_import_bytes(path, bytes, size, m->alloc, &set, err));
    for (size_t i = 0; i < set.count; i++)
        total += (size_t)dt_shape_count(&set.item[i].shape) * dt_dtype_size(set.item[i].dtype);
    bool same = set.count == m->constants && total == m->constant_bytes;
    dt_tensors_fini(&set);
    if (same) return DT_OK;
    return dt_fail(err, DT_ERR_IO, &(dt_where){ .file = path },
                   "what was written is not what is read back");
}
