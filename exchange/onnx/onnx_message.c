/* Building an ONNX model with the structures that protoc-c makes of onnx.proto. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/onnx_message.h"

#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "exchange/import.h"
#include "onnx.pb-c.h"

typedef struct pointers { /* a list that grows; items live in the arena */
    void *item;
    size_t capacity;
} pointers;

enum { MAX_DOMAINS = 4 };

struct dt_onnx {
    const dt_alloc *alloc;
    dt_arena *arena;
    bool failed;
    int opset;
    char *domain[MAX_DOMAINS]; /* beside ONNX's own */
    int domain_count;
    pointers nodes, constants, metas;
    Onnx__GraphProto graph;
    Onnx__ModelProto model;
    Onnx__ValueInfoProto *input[DT_GRAPH_PORTS], *output[DT_GRAPH_PORTS];
    int inputs, outputs;
    size_t data_bytes, weight_bytes, trained_bytes;
};

dt_onnx *dt_onnx_new(const dt_alloc *a)
{
    dt_onnx *m = dt_get(a, sizeof *m, "onnx");
    if (!m) return NULL;
    m->alloc = a;
    m->opset = DT_ONNX_OPSET;
    m->arena = dt_arena_new(a, "onnx");
    onnx__graph_proto__init(&m->graph);
    onnx__model_proto__init(&m->model);
    if (m->arena) return m;
    dt_put(a, m);
    return NULL;
}

void dt_onnx_free(dt_onnx *m)
{
    if (!m) return;
    dt_put(m->alloc, m->nodes.item);
    dt_put(m->alloc, m->constants.item);
    dt_put(m->alloc, m->metas.item);
    dt_arena_free(m->arena);
    dt_put(m->alloc, m);
}

void dt_onnx_require(dt_onnx *m, int opset)
{
    if (opset > m->opset) m->opset = opset;
}

/* IR version of the release that brought an opset. */
static int ir_version(int opset)
{
    static const int least[] = { 13, 15, 19, 21, 23, 24, 25 };
    int ir = 6;
    for (size_t i = 0; i < DT_ARRAY_LEN(least) && least[i] <= opset; i++)
        ir++;
    return ir;
}

dt_arena *dt_onnx_arena(dt_onnx *m)
{
    return m->arena;
}

static void *get(dt_onnx *m, size_t size)
{
    void *memory = m->failed ? NULL : dt_arena_get(m->arena, size);
    if (!memory) m->failed = true;
    return memory;
}

/* protobuf-c has no const; a packed message is only read. */
static char *copy_text(dt_onnx *m, const char *text)
{
    char *copy = m->failed ? NULL : dt_arena_strdup(m->arena, text);
    if (!copy) m->failed = true;
    return copy;
}

const char *dt_onnx_text(dt_onnx *m, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *text = m->failed ? NULL : dt_arena_vprintf(m->arena, fmt, args);
    va_end(args);
    if (!text) m->failed = true;
    return text ? text : "";
}

/* Appends to one of the graph's arrays of pointers. */
static void push(dt_onnx *m, pointers *list, size_t *count, void *item)
{
    void *array = list->item;
    if (m->failed) return;
    if (dt_grow(m->alloc, &array, &list->capacity, *count + 1, sizeof(void *), "onnx", NULL) !=
        DT_OK) {
        m->failed = true;
        return;
    }
    list->item = array;
    ((void **)array)[(*count)++] = item;
}

static Onnx__AttributeProto *attribute(dt_onnx *m, const dt_onnx_attr *from)
{
    Onnx__AttributeProto *a = get(m, sizeof *a);
    if (!a) return NULL;
    onnx__attribute_proto__init(a);
    a->name = copy_text(m, from->name);
    a->has_type = true;
    if (from->text) {
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
        a->has_s = true;
        a->s.data = (uint8_t *)copy_text(m, from->text);
        a->s.len = strlen(from->text);
    } else if (from->count > 0) {
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
        a->ints = get(m, (size_t)from->count * sizeof *a->ints);
        if (!a->ints) return NULL;
        memcpy(a->ints, from->ints, (size_t)from->count * sizeof *a->ints);
        a->n_ints = (size_t)from->count;
    } else if (from->is_float) {
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
        a->has_f = true;
        a->f = from->f;
    } else {
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
        a->has_i = true;
        a->i = from->i;
    }
    return a;
}

/* Splits "domain:op" and imports the domain. */
static void name_operator(dt_onnx *m, const char *op, Onnx__NodeProto *n)
{
    const char *colon = strchr(op, ':');
    n->op_type = copy_text(m, colon ? colon + 1 : op);
    if (!colon) return;
    const char *domain = dt_onnx_text(m, "%.*s", (int)(colon - op), op);
    int i = 0;
    while (i < m->domain_count && strcmp(m->domain[i], domain) != 0)
        i++;
    assert(i < MAX_DOMAINS);
    if (i == m->domain_count) m->domain[m->domain_count++] = copy_text(m, domain);
    n->domain = m->domain[i];
    if (m->failed) n->domain = NULL;
}

void dt_onnx_node(dt_onnx *m, const char *op, const char *const *in, const char *out,
                  const dt_onnx_attr *attr)
{
    Onnx__NodeProto *n = get(m, sizeof *n);
    char **names = get(m, (DT_ONNX_MAX_IN + 1) * sizeof *names);
    size_t attrs = 0;
    while (attr && attr[attrs].name)
        attrs++;
    Onnx__AttributeProto **list = get(m, (attrs + 1) * sizeof *list);
    if (m->failed) return;
    onnx__node_proto__init(n);
    name_operator(m, op, n);
    n->name = copy_text(m, out);
    n->input = names;
    while (in[n->n_input]) {
        names[n->n_input] = copy_text(m, in[n->n_input]);
        n->n_input++;
    }
    n->output = &names[DT_ONNX_MAX_IN];
    n->output[0] = n->name;
    n->n_output = 1;
    n->attribute = list;
    n->n_attribute = attrs;
    for (size_t i = 0; i < attrs; i++)
        list[i] = attribute(m, &attr[i]);
    push(m, &m->nodes, &m->graph.n_node, n);
}

dt_onnx_attr dt_onnx_pads(const dt_conv_shape *s)
{
    return (dt_onnx_attr){
        .name = "pads",
        .count = 4,
        .ints = { s->PH, s->PW,
                  dt_conv_pad_end(s->H, dt_conv_reach(s->KH, s->DH), s->SH, s->PH, s->OH),
                  dt_conv_pad_end(s->W, dt_conv_reach(s->KW, s->DW), s->SW, s->PW, s->OW) }
    };
}

dt_onnx_attr dt_onnx_dilations(int64_t skip_h, int64_t skip_w)
{
    if (!skip_h && !skip_w) return (dt_onnx_attr){ .name = NULL };
    return (dt_onnx_attr){ .name = "dilations", .count = 2, .ints = { skip_h + 1, skip_w + 1 } };
}

static size_t data_size(dt_onnx_type type, size_t count)
{
    if (type == DT_ONNX_S4) return (count + 1) / 2;
    if (type == DT_ONNX_S64) return 8 * count;
    return type == DT_ONNX_FLOAT || type == DT_ONNX_S32 ? 4 * count : count;
}

/* Two elements a byte, the first in the low half. */
static void pack_halves(const signed char *from, size_t count, unsigned char *to)
{
    for (size_t i = 0; i < count; i++) {
        unsigned half = (unsigned)from[i] & 15;
        to[i / 2] = (unsigned char)(i % 2 ? to[i / 2] | half << 4 : half);
    }
}

void dt_onnx_constant(dt_onnx *m, const char *name, dt_onnx_type type, const dt_shape *shape,
                      const void *data)
{
    size_t count = (size_t)(shape->rank ? dt_shape_count(shape) : 1);
    size_t bytes = data_size(type, count);
    Onnx__TensorProto *t = get(m, sizeof *t);
    int64_t *dims = get(m, sizeof shape->dim);
    void *raw = get(m, bytes);
    if (m->failed) return;
    onnx__tensor_proto__init(t);
    memcpy(dims, shape->dim, sizeof shape->dim);
    if (type == DT_ONNX_S4)
        pack_halves(data, count, raw);
    else
        memcpy(raw, data, bytes);
    t->name = copy_text(m, name);
    t->has_data_type = true;
    t->data_type = type;
    t->dims = dims;
    t->n_dims = (size_t)shape->rank;
    t->has_raw_data = true;
    t->raw_data.data = raw;
    t->raw_data.len = bytes;
    m->data_bytes += bytes;
    push(m, &m->constants, &m->graph.n_initializer, t);
}

void dt_onnx_weight(dt_onnx *m, const char *name, dt_onnx_type type, const dt_shape *shape,
                    const void *data, int bits)
{
    size_t count = (size_t)dt_shape_count(shape);
    m->weight_bytes += data_size(type, count);
    m->trained_bytes += dt_export_low_bytes(count, bits);
    dt_onnx_constant(m, name, type, shape, data);
}

static Onnx__TensorShapeProto *shape_proto(dt_onnx *m, const dt_shape *shape)
{
    Onnx__TensorShapeProto *s = get(m, sizeof *s);
    Onnx__TensorShapeProto__Dimension *dims = get(m, DT_MAX_RANK * sizeof *dims);
    Onnx__TensorShapeProto__Dimension **list = get(m, DT_MAX_RANK * sizeof *list);
    if (m->failed) return NULL;
    onnx__tensor_shape_proto__init(s);
    for (int i = 0; i < shape->rank; i++) {
        onnx__tensor_shape_proto__dimension__init(&dims[i]);
        list[i] = &dims[i];
        dims[i].value_case = i ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE
                               : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        if (i)
            dims[i].dim_value = shape->dim[i];
        else
            dims[i].dim_param = copy_text(m, "N");
    }
    s->dim = list;
    s->n_dim = (size_t)shape->rank;
    return s;
}

static Onnx__ValueInfoProto *value_info(dt_onnx *m, const char *name, const dt_shape *shape)
{
    Onnx__ValueInfoProto *v = get(m, sizeof *v);
    Onnx__TypeProto *type = get(m, sizeof *type);
    Onnx__TypeProto__Tensor *tensor = get(m, sizeof *tensor);
    if (m->failed) return NULL;
    onnx__value_info_proto__init(v);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    v->name = copy_text(m, name);
    v->type = type;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = true;
    tensor->elem_type = DT_ONNX_FLOAT;
    tensor->shape = shape_proto(m, shape);
    return v;
}

void dt_onnx_input(dt_onnx *m, const char *name, const dt_shape *shape)
{
    m->input[m->inputs++] = value_info(m, name, shape);
}

void dt_onnx_output(dt_onnx *m, const char *name, const dt_shape *shape)
{
    m->output[m->outputs++] = value_info(m, name, shape);
}

const char *dt_onnx_output_name(const dt_graph *g, int output)
{
    return dt_graph_port_name(g, output, "logits");
}

void dt_onnx_ports(dt_onnx *m, const dt_graph *g, int output)
{
    for (int k = 0, v; (v = dt_graph_input(g, k)) >= 0; k++) {
        const dt_shape *x = &g->value[v].shape;
        const dt_shape picture = DT_SHAPE(x->dim[0], x->dim[3], x->dim[1], x->dim[2]);
        dt_onnx_input(m, dt_graph_port_name(g, v, "input"), x->rank == 4 ? &picture : x);
    }
    int outputs[DT_GRAPH_PORTS], count = dt_graph_wanted(g, output, outputs);
    for (int k = 0; k < count; k++)
        dt_onnx_output(m, dt_onnx_output_name(g, outputs[k]), &g->value[outputs[k]].shape);
}

void dt_onnx_doc_input(dt_onnx *m, const char *text)
{
    if (m->input[0]) m->input[0]->doc_string = copy_text(m, text);
}

void dt_onnx_doc_output(dt_onnx *m, const char *name, const char *text)
{
    for (int k = 0; k < m->outputs; k++)
        if (m->output[k] && (!name || strcmp(m->output[k]->name, name) == 0))
            m->output[k]->doc_string = copy_text(m, text);
}

void dt_onnx_meta(dt_onnx *m, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *e = get(m, sizeof *e);
    if (!e) return;
    onnx__string_string_entry_proto__init(e);
    e->key = copy_text(m, key);
    e->value = copy_text(m, value);
    push(m, &m->metas, &m->model.n_metadata_props, e);
}

void dt_onnx_describe(const dt_onnx *m, dt_export_report *report)
{
    Onnx__NodeProto *const *nodes = m->nodes.item;
    snprintf(report->format, sizeof report->format, "ONNX opset %d, IR %d", m->opset,
             ir_version(m->opset));
    report->weight_bytes = m->weight_bytes;
    report->trained_bytes = m->trained_bytes;
    for (size_t i = 0; i < m->graph.n_node; i++)
        dt_export_tally(report->part, &report->part_count, nodes[i]->op_type);
}

dt_status dt_onnx_pack(dt_onnx *m, const char *name, const char *version, unsigned char **out_bytes,
                       size_t *out_size, dt_error *err)
{
    Onnx__OperatorSetIdProto opset[MAX_DOMAINS + 1], *opsets[MAX_DOMAINS + 1];
    for (int i = 0; i <= m->domain_count; i++) {
        onnx__operator_set_id_proto__init(&opset[i]);
        opset[i].domain = i ? m->domain[i - 1] : copy_text(m, "");
        opset[i].has_version = true;
        opset[i].version = i ? 1 : m->opset;
        opsets[i] = &opset[i];
    }
    m->graph.name = copy_text(m, name);
    m->model.producer_name = copy_text(m, "detent");
    if (version) m->model.producer_version = copy_text(m, version);
    if (m->failed) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the ONNX model");
    /* A message is at most 2 GiB; lengths inside are 32 bits. */
    if (m->data_bytes > (size_t)INT_MAX / 2)
        return dt_fail(err, DT_ERR_UNSUPPORTED, NULL,
                       "%zu bytes of weights: an ONNX file of one piece holds 1 GiB",
                       m->data_bytes);
    m->graph.node = m->nodes.item;
    m->graph.initializer = m->constants.item;
    m->graph.input = m->input;
    m->graph.n_input = (size_t)m->inputs;
    m->graph.output = m->output;
    m->graph.n_output = (size_t)m->outputs;
    m->model.has_ir_version = true;
    m->model.ir_version = ir_version(m->opset);
    m->model.opset_import = opsets;
    m->model.n_opset_import = (size_t)m->domain_count + 1;
    m->model.metadata_props = m->metas.item;
    m->model.graph = &m->graph;
    size_t size = onnx__model_proto__get_packed_size(&m->model);
    unsigned char *bytes = dt_get(m->alloc, size, "onnx");
    if (!bytes) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the ONNX model");
    onnx__model_proto__pack(&m->model, bytes);
    m->model.opset_import = NULL; /* was on the stack */
    m->model.n_opset_import = 0;
    *out_bytes = bytes;
    *out_size = size;
    return DT_OK;
}

static bool has_constant(const dt_tensors *set, const Onnx__TensorProto *t)
{
    const dt_named_tensor *got = dt_tensors_find(set, t->name);
    if (!got || (size_t)got->shape.rank != t->n_dims) return t->raw_data.len == 0;
    for (size_t i = 0; i < t->n_dims; i++)
        if (got->shape.dim[i] != t->dims[i]) return false;
    return t->data_type == DT_ONNX_S4 || /* comes back as bytes */
           memcmp(got->data, t->raw_data.data, t->raw_data.len) == 0;
}

static bool holds(const dt_onnx *m, const dt_tensors *set)
{
    Onnx__TensorProto *const *constants = m->constants.item;
    Onnx__StringStringEntryProto *const *metas = m->metas.item;
    for (size_t i = 0; i < m->graph.n_initializer; i++)
        if (!has_constant(set, constants[i])) return false;
    for (size_t i = 0; i < m->model.n_metadata_props; i++)
        if (*metas[i]->key && !dt_tensors_attr(set, metas[i]->key)) return false;
    return true;
}

dt_status dt_onnx_check(void *model, const char *path, const unsigned char *bytes, size_t size,
                        dt_error *err)
{
    const dt_onnx *m = model;
    dt_tensors set;
    DT_TRY(dt_import_bytes(path, bytes, size, m->alloc, &set, err));
    bool same = holds(m, &set);
    dt_tensors_fini(&set);
    if (same) return DT_OK;
    return dt_fail(err, DT_ERR_IO, &(dt_where){ .file = path },
                   "what was written is not what is read back");
}
