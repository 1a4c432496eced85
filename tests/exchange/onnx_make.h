/* Small ONNX files in memory, and what the reader makes of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_EXCHANGE_ONNX_MAKE_H
#define DT_TESTS_EXCHANGE_ONNX_MAKE_H

#include <string.h>

#include "exchange/onnx/onnx_message.h"
#include "exchange/onnx/reader/onnx_graph.h"
#include "tests/support/run.h"

/* Constants of 0.01, 0.02, ... */
static inline void make_reals(dt_onnx *m, const char *name, dt_shape shape)
{
    int64_t n = dt_shape_count(&shape);
    float *x = dt_get_array(NULL, (size_t)n, sizeof *x, "test");
    for (int64_t i = 0; i < n; i++)
        x[i] = 0.01f * (float)(i + 1);
    dt_onnx_constant(m, name, DT_ONNX_FLOAT, &shape, x);
    dt_put(NULL, x);
}

static inline void make_real(dt_onnx *m, const char *name, float x)
{
    const dt_shape scalar = { .rank = 0 };
    dt_onnx_constant(m, name, DT_ONNX_FLOAT, &scalar, &x);
}

static inline void make_wholes(dt_onnx *m, const char *name, int64_t count, const int64_t *list)
{
    const dt_shape shape = DT_SHAPE(count);
    dt_onnx_constant(m, name, DT_ONNX_S64, &shape, list);
}

/* A node of up to five inputs; NULL ends them. */
static inline void make_node(dt_onnx *m, const char *op, const char *out, const dt_onnx_attr *attr,
                             const char *a, const char *b, const char *c, const char *d)
{
    dt_onnx_node(m, op, (const char *[]){ a, b, c, d, NULL }, out, attr);
}

/* A model whose input is "x" [N,3,8,8]. */
static inline dt_onnx *make_open(void)
{
    const dt_shape picture = DT_SHAPE(1, 3, 8, 8);
    dt_onnx *m = dt_onnx_new(NULL);
    dt_onnx_input(m, "x", &picture);
    return m;
}

/* Ends it: "y" [N,classes] is the output. The bytes go back with dt_put. */
static inline unsigned char *make_close(dt_onnx *m, int64_t classes, size_t *size)
{
    const dt_shape rows = DT_SHAPE(1, classes);
    unsigned char *bytes;
    dt_error err = { .text = "" };
    dt_onnx_output(m, "y", &rows);
    ck_assert_msg(dt_onnx_pack(m, "net", NULL, &bytes, size, &err) == DT_OK, "%s", err.text);
    dt_onnx_free(m);
    return bytes;
}

typedef struct made {
    dt_onnx_net *net;
    dt_graph graph;
    int x, y;
} made;

/* Reads a file in memory and builds its graph behind pictures of 8x8. */
static inline dt_status made_open(made *t, const unsigned char *bytes, size_t size, dt_error *err)
{
    *t = (made){ .y = -1 };
    const dt_value picture = {
        .name = "input", .kind = DT_VALUE_INPUT, .batched = true, .shape = DT_SHAPE(1, 8, 8, 3)
    };
    ck_assert_int_eq(dt_graph_init(&t->graph, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_graph_value(&t->graph, &picture, &t->x, NULL), DT_OK);
    dt_builder b = { .graph = &t->graph, .err = err };
    DT_TRY(dt_onnx_net_open_bytes("net.onnx", bytes, size, NULL, &t->net, err));
    return dt_onnx_net_build(t->net, &b, t->x, 0, true, &t->y, err);
}

static inline void made_close(made *t)
{
    dt_onnx_net_close(t->net);
    dt_graph_fini(&t->graph);
}

static inline const dt_node *made_node(const made *t, const char *name)
{
    for (int i = 0; i < t->graph.node_count; i++)
        if (strcmp(t->graph.node[i].name, name) == 0) return &t->graph.node[i];
    ck_abort_msg("no node '%s'", name);
    return NULL;
}

/* Ends a file whose rows `y` are "y", reads it, and gives the error's text, "" where there is none.
 */
static inline const char *made_of(dt_onnx *m, int64_t classes, made *t)
{
    static dt_error err;
    size_t size;
    unsigned char *bytes = make_close(m, classes, &size);
    err = (dt_error){ .text = "" };
    dt_status st = made_open(t, bytes, size, &err);
    dt_put(NULL, bytes);
    return st == DT_OK ? "" : err.text;
}

/* How many nodes of an operation there are. */
static inline int made_count(const made *t, const char *op)
{
    int count = 0;
    for (int i = 0; i < t->graph.node_count; i++)
        count += strcmp(t->graph.node[i].op->name, op) == 0;
    return count;
}

#endif
