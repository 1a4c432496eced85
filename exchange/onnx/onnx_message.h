/* An ONNX model under construction, and its bytes. Opset 13 and IR 7, which every runtime of today
 * reads, unless more is asked for. The first failure (memory) sticks and is told when writing, so
 * that callers read as a list of nodes. Texts and data are copied. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_ONNX_MESSAGE_H
#define DT_EXCHANGE_ONNX_ONNX_MESSAGE_H

#include "core/alloc.h"
#include "core/shape.h"
#include "exchange/exporter.h"
#include "kernels/conv.h"

typedef enum dt_onnx_type { /* numbers of the format */
                            DT_ONNX_FLOAT = 1,
                            DT_ONNX_U8 = 2,
                            DT_ONNX_S8 = 3,
                            DT_ONNX_S32 = 6,
                            DT_ONNX_S64 = 7,
                            DT_ONNX_S4 = 22, /* opset 21 */
} dt_onnx_type;

enum { DT_ONNX_OPSET = 13, DT_ONNX_MAX_INTS = 8, DT_ONNX_MAX_IN = 16 };

typedef struct dt_onnx_attr {
    const char *name; /* NULL ends a list */
    int count;        /* of `ints`; 0: one number, `i`, or `f` when `is_float` */
    int64_t ints[DT_ONNX_MAX_INTS], i;
    bool is_float;
    float f;
    const char *text; /* NULL: a number */
} dt_onnx_attr;

typedef struct dt_onnx dt_onnx;

dt_onnx *dt_onnx_new(const dt_alloc *a) DT_MUST_CHECK; /* NULL: no memory */
void dt_onnx_free(dt_onnx *m);                         /* NULL is fine */

/* The model needs at least this opset; the IR version follows. */
void dt_onnx_require(dt_onnx *m, int opset);

/* A text that lives as long as the model; "" once memory ran out. */
const char *dt_onnx_text(dt_onnx *m, const char *fmt, ...) DT_PRINTF(2, 3);
/* Memory that lives as long as the model: for what nodes are made from. */
dt_arena *dt_onnx_arena(dt_onnx *m);

/* The padding of a window, by side; `s` has its sizes. */
dt_onnx_attr dt_onnx_pads(const dt_conv_shape *s);
/* The dilation that leaves out so many pixels; the end of the list where it is 1. */
dt_onnx_attr dt_onnx_dilations(int64_t skip_h, int64_t skip_w);

/* Nodes come in topological order. `op` is "Conv", or "com.microsoft:QGemm" for an operator of
 * another domain, at its version 1. `in` ends with NULL (at most DT_ONNX_MAX_IN), `attr` may be
 * NULL. A node has the name of its one output. */
void dt_onnx_node(dt_onnx *m, const char *op, const char *const *in, const char *out,
                  const dt_onnx_attr *attr);
/* A constant; rank 0 is a scalar. Data of DT_ONNX_S4 is one byte an element and is packed. */
void dt_onnx_constant(dt_onnx *m, const char *name, dt_onnx_type type, const dt_shape *shape,
                      const void *data);
/* The same for codes of weights that were trained at `bits`, which the report counts. */
void dt_onnx_weight(dt_onnx *m, const char *name, dt_onnx_type type, const dt_shape *shape,
                    const void *data, int bits);
/* Of a graph: what goes in, by its ports, as others lay it out: pictures [N,C,H,W], rows of numbers
 * as they are; and outputs, the one `output` called "logits" where the graph has no such ports.
 * dim[0] is the batch and is written as the symbol N. */
void dt_onnx_ports(dt_onnx *m, const dt_graph *g, int output);
const char *dt_onnx_output_name(const dt_graph *g, int output);
/* One of them by itself; inputs (at most DT_GRAPH_PORTS) in this order. */
void dt_onnx_input(dt_onnx *m, const char *name, const dt_shape *shape);
void dt_onnx_output(dt_onnx *m, const char *name, const dt_shape *shape);
/* What people should know of the first input, and of an output (NULL: of all). */
void dt_onnx_doc_input(dt_onnx *m, const char *text);
void dt_onnx_doc_output(dt_onnx *m, const char *name, const char *text);
void dt_onnx_meta(dt_onnx *m, const char *key, const char *value);

/* Counts nodes by type, and the bytes of weights. */
void dt_onnx_describe(const dt_onnx *m, dt_export_report *report);
/* The file's bytes, to be given back with dt_put(a, .). */
dt_status dt_onnx_pack(dt_onnx *m, const char *name, const char *version, unsigned char **out_bytes,
                       size_t *out_size, dt_error *err) DT_MUST_CHECK;

/* The bytes of a file are the model's: they can be read, and its constants and texts are there. A
 * dt_file_check; `model` is the dt_onnx. */
dt_status dt_onnx_check(void *model, const char *path, const unsigned char *bytes, size_t size,
                        dt_error *err) DT_MUST_CHECK;

#endif
