/* Reading back a model that was written, by protobuf-c. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_EXPORT_ONNX_READ_H
#define DT_TESTS_EXPORT_ONNX_READ_H

#include <check.h>
#include <string.h>

#include "core/file.h"
#include "onnx.pb-c.h"

static inline Onnx__ModelProto *onnx_read(const char *path)
{
    unsigned char *bytes;
    size_t size;
    ck_assert_int_eq(dt_file_read(NULL, path, (size_t)1 << 30, &bytes, &size, NULL), DT_OK);
    Onnx__ModelProto *m = onnx__model_proto__unpack(NULL, size, bytes);
    dt_put(NULL, bytes);
    ck_assert_ptr_nonnull(m);
    return m;
}

/* The node that makes a value; NULL: none. */
static inline const Onnx__NodeProto *onnx_node(const Onnx__ModelProto *m, const char *output)
{
    for (size_t i = 0; i < m->graph->n_node; i++)
        if (strcmp(m->graph->node[i]->output[0], output) == 0) return m->graph->node[i];
    return NULL;
}

static inline const Onnx__TensorProto *onnx_tensor(const Onnx__ModelProto *m, const char *name)
{
    for (size_t i = 0; i < m->graph->n_initializer; i++)
        if (strcmp(m->graph->initializer[i]->name, name) == 0) return m->graph->initializer[i];
    return NULL;
}

static inline float onnx_float(const Onnx__ModelProto *m, const char *name, size_t i)
{
    float v;
    const Onnx__TensorProto *t = onnx_tensor(m, name);
    ck_assert_msg(t != NULL, "no '%s'", name);
    ck_assert_int_eq(t->data_type, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
    ck_assert_uint_lt(i, t->raw_data.len / sizeof v);
    memcpy(&v, t->raw_data.data + i * sizeof v, sizeof v);
    return v;
}

/* A uint8 without dimensions. */
static inline int onnx_byte(const Onnx__ModelProto *m, const char *name)
{
    const Onnx__TensorProto *t = onnx_tensor(m, name);
    ck_assert_msg(t != NULL, "no '%s'", name);
    ck_assert_int_eq(t->data_type, ONNX__TENSOR_PROTO__DATA_TYPE__UINT8);
    ck_assert_uint_eq(t->n_dims, 0);
    return t->raw_data.data[0];
}

static inline const Onnx__AttributeProto *onnx_attr(const Onnx__NodeProto *n, const char *name)
{
    for (size_t i = 0; i < n->n_attribute; i++)
        if (strcmp(n->attribute[i]->name, name) == 0) return n->attribute[i];
    return NULL;
}

static inline const char *onnx_meta(const Onnx__ModelProto *m, const char *key)
{
    for (size_t i = 0; i < m->n_metadata_props; i++)
        if (strcmp(m->metadata_props[i]->key, key) == 0) return m->metadata_props[i]->value;
    return NULL;
}

static inline int onnx_count(const Onnx__ModelProto *m, const char *op)
{
    int n = 0;
    for (size_t i = 0; i < m->graph->n_node; i++)
        n += strcmp(m->graph->node[i]->op_type, op) == 0;
    return n;
}

#endif
