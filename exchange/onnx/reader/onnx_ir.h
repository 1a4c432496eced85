/* What an ONNX file says, plain: nodes in order, attributes, constants by name, ports. Nothing here
 * knows of graphs of the engine. `dt_ox` is the prefix of all that reads such files; dt_onnx writes
 * them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_IR_H
#define DT_EXCHANGE_ONNX_READER_ONNX_IR_H

#include "core/alloc.h"
#include "core/file.h"
#include "core/shape.h"
#include "exchange/onnx/reader/onnx_map.h"

enum { DT_OX_RANK = 8 };

struct dt_ox_file;
struct dt_ox_grid;

/* A constant: numbers as float, or whole numbers (integers, booleans) as int64. */
typedef struct dt_ox_tensor {
    const char *name; /* of an initialiser, and of what quantizing makes of it; NULL: another one */
    int rank;
    int64_t dim[DT_OX_RANK]; /* >= 0, in the file's order */
    int64_t count;
    bool whole;
    float *x;   /* [count], unless whole */
    int64_t *n; /* [count], of whole ones */
    /* Whole ones of 4 or 8 bits: what such a number can be, or what a Clip left of it; equal: these
     * are no codes. */
    int low, high;
    bool wide;                         /* of a type of 16 bits: codes that no site has */
    const struct dt_ox_tensor *latent; /* of codes: the numbers that were rounded; NULL: not told */
    const struct dt_ox_grid *grid;     /* of numbers: what codes they were made of; NULL: of none */
} dt_ox_tensor;

typedef struct dt_ox_attr {
    const char *name;
    int64_t i;
    float f;
    const char *text; /* NULL: it has none */
    int64_t *ints;
    float *floats;
    size_t int_count, float_count;
    dt_ox_tensor *tensor;           /* NULL: it has none */
    const struct dt_ox_file *graph; /* a body or a branch; NULL: it is none */
    const char
        *ref; /* in a function's body: the caller's attribute that it is; NULL: it is itself */
} dt_ox_attr;

typedef struct dt_ox_node {
    const char *op, *domain, *name, *overload; /* may be "" but for op */
    const char **in, **out;                    /* "": left out */
    int in_count, out_count;
    dt_ox_attr *attr;
    int attr_count;
    bool absorbed;   /* part of another node (onnx_patterns.h), nothing else reads it */
    bool step;       /* a part of one that stands for others (onnx_steps.h, onnx_control.h), no node
                        of the file's own graph */
    bool has_graph;  /* an attribute is a graph */
    bool has_others; /* an attribute is something that is not read */
} dt_ox_node;

/* An input or output of the graph. */
typedef struct dt_ox_port {
    const char *name;
    int type;                /* of its elements, a number of the format */
    int rank;                /* -1: not told */
    int64_t dim[DT_OX_RANK]; /* -1: open */
} dt_ox_port;

/* A file, a graph in an attribute, or the body of a function. */
typedef struct dt_ox_file {
    dt_arena *arena; /* owns all of it, and what is in it */
    const dt_alloc *alloc;
    const char *path; /* for messages */
    int opset;        /* of ONNX's own operators; of a function 0: it does not tell */
    dt_ox_node *node;
    dt_ox_tensor *initial; /* initialisers */
    dt_ox_port *in, *out;  /* inputs that are no initialisers; outputs */
    int node_count, initial_count, in_count, out_count;
    size_t node_room, initial_room, in_room, out_room;
    dt_ox_map constants;        /* initialisers by name */
    char sha256[DT_SHA256_HEX]; /* of the file's bytes and of the external data that it names */
    struct dt_ox_file *inner;   /* graphs and functions in it: a list by `next` */
    struct dt_ox_file *next;
    const char *domain, *name, *overload; /* of a function; name NULL: it is none */
    dt_ox_node defaults; /* of a function: attributes that a caller may leave out */
} dt_ox_file;

/* Reads a file and what it names below its own folder. Errors: FORMAT (damaged), UNSUPPORTED (the
 * text names what is not read), NOT_FOUND, IO, NOMEM. The file is the caller's to free. */
dt_status dt_ox_read(const char *path, const dt_alloc *a, dt_ox_file **out,
                     dt_error *err) DT_MUST_CHECK;
/* The same of bytes in memory, which have no folder: external data is refused. */
dt_status dt_ox_read_bytes(const char *path, const unsigned char *bytes, size_t size,
                           const dt_alloc *a, dt_ox_file **out, dt_error *err) DT_MUST_CHECK;
void dt_ox_free(dt_ox_file *f); /* NULL is fine */

/* The attribute of that name; NULL: the node has none. */
const dt_ox_attr *dt_ox_attr_of(const dt_ox_node *n, const char *name);
int64_t dt_ox_int(const dt_ox_node *n, const char *name, int64_t otherwise);
float dt_ox_float(const dt_ox_node *n, const char *name, float otherwise);
const char *dt_ox_text(const dt_ox_node *n, const char *name, const char *otherwise);

/* A tensor of these dimensions in an arena, of zeros. Refuses (UNSUPPORTED) more than `most`
 * elements; NULL is no memory or too many, with `err` filled. */
dt_ox_tensor *dt_ox_tensor_new(dt_arena *arena, bool whole, int rank, const int64_t *dim,
                               int64_t most, dt_error *err);

#endif
