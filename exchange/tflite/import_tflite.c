/* TFLite models, for `detent inspect`: constants of the first subgraph as tensors, those of 4 bits
 * a byte an element; grids of all tensors, a count of operators and our metadata as texts.
 *
 * A flatbuffer is read where it lies: every position is checked against the file, every distance
 * leads forward, and the walk has a fixed depth. A file could name one buffer for many tensors, so
 * all constants together may not be larger than the file allows. Fields: tensorflow/lite
 * schema.fbs, version 3; format: flatbuffers.dev, "Internals". */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "exchange/exporter.h"
#include "exchange/import.h"
#include "exchange/tflite/tflite_message.h"

enum { /* slots */
       MODEL_VERSION = 0,
       MODEL_CODES = 1,
       MODEL_GRAPHS = 2,
       MODEL_DESCRIPTION = 3,
       MODEL_BUFFERS = 4,
       MODEL_METADATA = 6,
       META_NAME = 0,
       META_BUFFER = 1,
       CODE_OLD = 0,
       CODE_NEW = 3,
       GRAPH_TENSORS = 0,
       GRAPH_NODES = 3,
       TENSOR_SHAPE = 0,
       TENSOR_TYPE = 1,
       TENSOR_BUFFER = 2,
       TENSOR_NAME = 3,
       TENSOR_GRID = 4,
       GRID_SCALE = 2,
       GRID_ZERO = 3,
       GRID_AXIS = 6,
       BUFFER_DATA = 0,
       NODE_CODE = 0,
};
enum { NAME = 1024, METADATA_MAX = 64, TEXT_MAX = 1 << 16 };
static const char ours[] = "detent."; /* what our metadata is called */

typedef struct reader {
    const char *path;
    const unsigned char *bytes;
    size_t size, taken; /* of constants so far */
    bool damaged;       /* sticks; positions are 0 afterwards */
    dt_tensors *out;
    dt_error *err;
} reader;

/* Elements of a vector: count of them from `at` on. */
typedef struct vector {
    size_t at, count;
} vector;

static dt_status damaged(const reader *r, const char *what)
{
    return dt_fail(r->err, DT_ERR_FORMAT, &(dt_where){ .file = r->path }, "is damaged: %s", what);
}

/* `size` bytes, little endian; 0 outside of the file. */
static uint64_t number(reader *r, size_t at, size_t size)
{
    uint64_t v = 0;
    if (at > r->size || r->size - at < size) {
        r->damaged = true;
        return 0;
    }
    for (size_t i = 0; i < size; i++)
        v |= (uint64_t)r->bytes[at + i] << 8 * i;
    return v;
}

/* Where the distance at `at` leads. */
static size_t follow(reader *r, size_t at)
{
    size_t distance = (size_t)number(r, at, 4);
    if (distance == 0 || distance >= r->size - at) r->damaged = true;
    return r->damaged ? 0 : at + distance;
}

/* Position of a field; 0: absent. */
static size_t field(reader *r, size_t table, int slot)
{
    int32_t back = (int32_t)(uint32_t)number(r, table, 4);
    int64_t vtable = (int64_t)table - back;
    if (r->damaged || vtable < 0 || vtable >= (int64_t)r->size) {
        r->damaged = true;
        return 0;
    }
    size_t at = (size_t)vtable + 4 + 2 * (size_t)slot;
    if (4 + 2 * (size_t)slot + 2 > number(r, (size_t)vtable, 2)) return 0;
    size_t offset = (size_t)number(r, at, 2);
    return offset ? table + offset : 0;
}

static int64_t get(reader *r, size_t table, int slot, size_t size)
{
    size_t at = field(r, table, slot);
    uint64_t v = at ? number(r, at, size) : 0;
    return size == 1 ? (int8_t)v : size == 4 ? (int32_t)(uint32_t)v : (int64_t)v;
}

/* The table of a field; 0: absent. */
static size_t object(reader *r, size_t table, int slot)
{
    size_t at = field(r, table, slot);
    return at ? follow(r, at) : 0;
}

/* An absent vector is empty. */
static vector get_vector(reader *r, size_t table, int slot, size_t element)
{
    size_t at = object(r, table, slot);
    size_t count = at ? (size_t)number(r, at, 4) : 0;
    if (r->damaged || count == 0) return (vector){ 0, 0 };
    if (count > (r->size - at - 4) / element) {
        r->damaged = true;
        return (vector){ 0, 0 };
    }
    return (vector){ at + 4, count };
}

/* Printable, cut at `size`. */
static void get_text(reader *r, size_t table, int slot, char *text, size_t size)
{
    vector v = get_vector(r, table, slot, 1);
    size_t n = v.count < size - 1 ? v.count : size - 1;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = r->bytes[v.at + i];
        text[i] = c >= 32 && c < 127 ? (char)c : '?';
    }
    text[n] = '\0';
}

/* Element types; those of 4 bits come as bytes. */
static const struct {
    int tflite;
    dt_dtype dtype;
    size_t bits;
    const char *name;
} types[] = { { 0, DT_F32, 32, "float32" },   { 1, DT_F16, 16, "float16" },
              { 2, DT_I32, 32, "int32" },     { 3, DT_U8, 8, "uint8" },
              { 4, DT_I64, 64, "int64" },     { 6, DT_BOOL, 8, "bool" },
              { 7, DT_I16, 16, "int16" },     { 9, DT_S8, 8, "int8" },
              { DT_TFL_S4, DT_S8, 4, "int4" } };

static dt_status find_type(const reader *r, int64_t type, const char *name, size_t *out)
{
    size_t k = 0;
    while (k < DT_ARRAY_LEN(types) && types[k].tflite != type)
        k++;
    *out = k;
    if (k < DT_ARRAY_LEN(types)) return DT_OK;
    return dt_fail(r->err, DT_ERR_UNSUPPORTED, &(dt_where){ .file = r->path },
                   "tensor '%s' has the type %lld, which is not read", name, (long long)type);
}

static dt_status add_constant(reader *r, const char *name, size_t k, vector dims, vector data)
{
    dt_shape shape = { .rank = (int)dims.count };
    size_t bits;
    for (size_t i = 0; i < dims.count; i++)
        shape.dim[i] = (int32_t)(uint32_t)number(r, dims.at + 4 * i, 4);
    int64_t n = dims.count ? dt_shape_count(&shape) : 1;
    if (n <= 0 || !dt_size_mul((size_t)n, types[k].bits, &bits) || (bits + 7) / 8 != data.count)
        return damaged(r, "a constant has another size than its shape");
    r->taken += data.count;
    if (r->taken > r->size) return damaged(r, "its constants share bytes");
    DT_TRY(dt_tensors_add(r->out, name, types[k].dtype, &shape, NULL, r->err));
    unsigned char *to = dt_tensors_data(r->out, r->out->count - 1);
    const unsigned char *from = r->bytes + data.at;
    for (size_t i = 0; types[k].bits == 4 && i < (size_t)n; i++) {
        unsigned code = from[i / 2] >> (i % 2 ? 4 : 0) & 15;
        to[i] = (unsigned char)(code > 7 ? code + 240 : code);
    }
    if (types[k].bits != 4) memcpy(to, from, data.count);
    return DT_OK;
}

/* Scale and zero point, the first of several. */
static dt_status tell_grid(reader *r, const char *name, size_t k, size_t grid)
{
    char key[NAME + 16], text[128];
    vector scales = get_vector(r, grid, GRID_SCALE, 4), zeros = get_vector(r, grid, GRID_ZERO, 8);
    if (r->damaged || scales.count == 0) return DT_OK; /* damage is told by the caller */
    uint32_t bits = (uint32_t)number(r, scales.at, 4);
    long long zero = zeros.count ? (long long)(int64_t)number(r, zeros.at, 8) : 0;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    snprintf(key, sizeof key, "tflite.grid.%s", name);
    int used = snprintf(text, sizeof text, "%s, scale %.9g, zero point %lld", types[k].name,
                        (double)scale, zero);
    if (scales.count > 1)
        snprintf(text + used, sizeof text - (size_t)used, ", the first of %zu along axis %lld",
                 scales.count, (long long)get(r, grid, GRID_AXIS, 4));
    return dt_tensors_set_attr(r->out, key, text, r->err);
}

static dt_status read_tensor(reader *r, size_t tensor, vector buffers)
{
    char name[NAME];
    size_t k = 0;
    get_text(r, tensor, TENSOR_NAME, name, sizeof name);
    uint64_t number_of = (uint32_t)get(r, tensor, TENSOR_BUFFER, 4);
    vector dims = get_vector(r, tensor, TENSOR_SHAPE, 4), data = { 0, 0 };
    size_t grid = object(r, tensor, TENSOR_GRID);
    if (number_of >= buffers.count || r->damaged) return damaged(r, "a tensor has no buffer");
    size_t buffer = follow(r, buffers.at + 4 * (size_t)number_of);
    if (!r->damaged) data = get_vector(r, buffer, BUFFER_DATA, 1);
    if (r->damaged) return damaged(r, "a buffer ends behind the file");
    DT_TRY(find_type(r, get(r, tensor, TENSOR_TYPE, 1), name, &k));
    if (data.count) {
        if (dims.count > DT_MAX_RANK || !*name || dt_tensors_find(r->out, name))
            return damaged(r, "a constant has too many dimensions, no name, or that of another");
        DT_TRY(add_constant(r, name, k, dims, data));
    }
    return grid ? tell_grid(r, name, k, grid) : DT_OK;
}

static dt_status read_nodes(reader *r, vector nodes, vector codes)
{
    dt_export_count list[DT_EXPORT_KINDS];
    char text[DT_EXPORT_KINDS * (DT_EXPORT_KIND_TEXT + 16)] = "";
    int kinds = 0;
    for (size_t i = 0; i < nodes.count; i++) {
        size_t node = follow(r, nodes.at + 4 * i);
        uint64_t index = r->damaged ? 0 : (uint32_t)get(r, node, NODE_CODE, 4);
        size_t entry = index < codes.count ? follow(r, codes.at + 4 * (size_t)index) : 0;
        if (r->damaged || !entry) return damaged(r, "an operator has no code");
        int64_t old = get(r, entry, CODE_OLD, 1), code = get(r, entry, CODE_NEW, 4);
        char name[DT_EXPORT_KIND_TEXT];
        dt_tflite_operator(code > old ? code : old, name);
        dt_export_tally(list, &kinds, name);
    }
    size_t used = 0;
    for (int i = 0; i < kinds; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%d %s", i ? ", " : "",
                                 list[i].count, list[i].name);
    return dt_tensors_set_attr(r->out, "tflite.operators", text, r->err);
}

/* Texts that we wrote beside the model; those of others are left alone. */
static dt_status read_metadata(reader *r, vector entries, vector buffers)
{
    char name[NAME];
    for (size_t i = 0; i < entries.count && i < METADATA_MAX && !r->damaged; i++) {
        size_t entry = follow(r, entries.at + 4 * i);
        if (r->damaged) break;
        get_text(r, entry, META_NAME, name, sizeof name);
        uint64_t number_of = (uint32_t)get(r, entry, META_BUFFER, 4);
        if (r->damaged || strncmp(name, ours, strlen(ours)) != 0) continue;
        if (number_of >= buffers.count) return damaged(r, "metadata has no buffer");
        size_t buffer = follow(r, buffers.at + 4 * (size_t)number_of);
        vector data = { 0, 0 };
        if (!r->damaged) data = get_vector(r, buffer, BUFFER_DATA, 1);
        if (r->damaged || data.count > TEXT_MAX) return damaged(r, "metadata is no text");
        char *text = dt_arena_get(r->out->arena, data.count + 1);
        if (!text) return dt_fail(r->err, DT_ERR_NOMEM, NULL, "no memory for metadata");
        memcpy(text, r->bytes + data.at, data.count);
        text[data.count] = '\0';
        DT_TRY(dt_tensors_set_attr(r->out, name, text, r->err));
    }
    return DT_OK;
}

static dt_status read_model(reader *r)
{
    char text[NAME];
    size_t model = follow(r, 0);
    vector codes = get_vector(r, model, MODEL_CODES, 4);
    vector graphs = get_vector(r, model, MODEL_GRAPHS, 4);
    vector buffers = get_vector(r, model, MODEL_BUFFERS, 4);
    size_t graph = graphs.count ? follow(r, graphs.at) : 0;
    if (r->damaged || !graph) return damaged(r, "it has no graph");
    snprintf(text, sizeof text, "%lld", (long long)get(r, model, MODEL_VERSION, 4));
    DT_TRY(dt_tensors_set_attr(r->out, "tflite.version", text, r->err));
    get_text(r, model, MODEL_DESCRIPTION, text, sizeof text);
    DT_TRY(dt_tensors_set_attr(r->out, "tflite.description", text, r->err));
    vector tensors = get_vector(r, graph, GRAPH_TENSORS, 4);
    vector nodes = get_vector(r, graph, GRAPH_NODES, 4);
    for (size_t i = 0; i < tensors.count && !r->damaged; i++) {
        size_t tensor = follow(r, tensors.at + 4 * i);
        if (!r->damaged) DT_TRY(read_tensor(r, tensor, buffers));
    }
    if (!r->damaged) DT_TRY(read_nodes(r, nodes, codes));
    if (!r->damaged) DT_TRY(read_metadata(r, get_vector(r, model, MODEL_METADATA, 4), buffers));
    return r->damaged ? damaged(r, "a distance leads behind the file") : DT_OK;
}

static dt_status read(dt_import_job *job, dt_tensors *out, dt_error *err)
{
    reader r = {
        .path = job->path, .bytes = job->bytes, .size = job->size, .out = out, .err = err
    };
    return read_model(&r);
}

static bool probe(const unsigned char *bytes, size_t size)
{
    return size >= 8 && memcmp(bytes + 4, "TFL3", 4) == 0;
}

const dt_importer dt_importer_tflite = {
    .row = { .name = "tflite", .help = "TFLite model, to be inspected" },
    .is_codes = true,
    .probe = probe,
    .read = read,
};
