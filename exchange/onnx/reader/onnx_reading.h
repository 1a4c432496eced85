/* What the files that read ONNX share: fields, texts, lists, and what they read of each other. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_READING_H
#define DT_EXCHANGE_ONNX_READER_ONNX_READING_H

#include "exchange/onnx/onnx_wire.h"
#include "exchange/onnx/reader/onnx_tensor.h"

enum { DT_OX_NAMES = 1 << 16 }; /* inputs, outputs or attributes of a node */

typedef struct dt_ox_reading {
    dt_ox_file *file; /* the file, or the graph or function in it that is read */
    dt_ox_source source;
    int depth;     /* of the graph that is read, 0: the file's own */
    bool function; /* it is a function's body */
    dt_error *err;
} dt_ox_reading;

/* FORMAT, UNSUPPORTED and NOMEM with the file's name. */
dt_status dt_ox_damaged(const dt_ox_reading *r, const char *what);
dt_status dt_ox_unread(const dt_ox_reading *r, const char *what);
dt_status dt_ox_read_no_memory(const dt_ox_reading *r);

/* The field of that number, of the type BYTES; false: there is none. */
bool dt_ox_field(const dt_wire_field *in, uint64_t number, dt_wire_field *out);
/* A text of the file in the arena: printable, since messages show it. NULL: no memory. */
const char *dt_ox_read_text(const dt_ox_reading *r, const unsigned char *data, size_t size);
/* Grows an array of the file's by one; the old one is given back to its allocator. */
dt_status dt_ox_grow(dt_ox_reading *r, void **array, size_t *capacity, int count,
                     size_t size) DT_MUST_CHECK;
/* What is in the file beside its graph: a body or a function, which goes with it. */
dt_status dt_ox_read_inner(dt_ox_reading *r, dt_ox_file **out) DT_MUST_CHECK;

dt_status dt_ox_read_constant(dt_ox_reading *r, const dt_wire_field *f,
                              dt_ox_tensor *out) DT_MUST_CHECK;
/* Adds it to the node, which has room. */
dt_status dt_ox_read_attribute(dt_ox_reading *r, const dt_wire_field *f,
                               dt_ox_node *n) DT_MUST_CHECK;
/* Adds one to the graph that is read. */
dt_status dt_ox_read_node(dt_ox_reading *r, const dt_wire_field *f) DT_MUST_CHECK;
dt_status dt_ox_read_graph(dt_ox_reading *r, const dt_wire_field *f) DT_MUST_CHECK;

#endif
