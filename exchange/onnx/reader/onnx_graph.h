/* A network that an ONNX file describes, as a graph of the engine. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_GRAPH_H
#define DT_EXCHANGE_ONNX_READER_ONNX_GRAPH_H

#include "core/file.h"
#include "layers/builder.h"

typedef struct dt_onnx_net dt_onnx_net;

/* Reads a file (onnx_ir.h tells the errors). */
dt_status dt_onnx_net_open(const char *path, const dt_alloc *a, dt_onnx_net **out,
                           dt_error *err) DT_MUST_CHECK;
dt_status dt_onnx_net_open_bytes(const char *path, const unsigned char *bytes, size_t size,
                                 const dt_alloc *a, dt_onnx_net **out, dt_error *err) DT_MUST_CHECK;
void dt_onnx_net_close(dt_onnx_net *net); /* NULL is fine */

/* SHA-256 of the file and of the external data that it names. */
const char *dt_onnx_net_sha256(const dt_onnx_net *net);
/* Numbers of its output, which are its classes; 0: the file does not tell. */
int dt_onnx_net_classes(const dt_onnx_net *net);
/* The picture's size; 0: any, or no picture goes in. */
void dt_onnx_net_size(const dt_onnx_net *net, int64_t *out_H, int64_t *out_W);
/* A sample of its input, with a batch of one: [1,H,W,C] or [1,K]; rank 0: the file leaves it open.
 */
void dt_onnx_net_input(const dt_onnx_net *net, dt_shape *out);

/* Does the file have quantizers (QuantizeLinear)? */
bool dt_onnx_net_is_quantized(const dt_onnx_net *net);

/* Adds the nodes to a graph, behind x, a picture [N,H,W,C] or rows [N,K], with the file's
 * quantizers as sites or without them. Where `classes` (0: any) are not the file's, the layer that
 * gives the output has as many, and no values. Errors name the node, its operator and the reason:
 * UNSUPPORTED, SHAPE. */
dt_status dt_onnx_net_build(dt_onnx_net *net, dt_builder *b, int x, int classes, bool sites,
                            int *out_logits, dt_error *err) DT_MUST_CHECK;
/* Called before: all outputs of the file are wanted, which get ports of their names. Otherwise the
 * first is, without a port. */
void dt_onnx_net_want_all(dt_onnx_net *net);
/* The layer whose outputs were made others; NULL: none. */
const char *dt_onnx_net_resized(const dt_onnx_net *net);
/* What would become of a node of the file. */
typedef struct dt_onnx_look {
    const char *name, *op, *domain, *layer; /* borrowed until the callback returns */
    int nodes;                              /* of the graph */
    bool constant;                          /* its results are */
    bool waits;                             /* for a node that is refused */
    const char *refusal;                    /* NULL: it is read */
} dt_onnx_look;
/* Calls fn for every node, refused ones too, with inputs of the file's size (pictures of 32x32 and
 * three channels where that is open). Once for a net, and instead of dt_onnx_net_build. NOMEM,
 * SHAPE */
dt_status dt_onnx_net_look(dt_onnx_net *net, void (*fn)(void *arg, const dt_onnx_look *look),
                           void *arg, dt_error *err) DT_MUST_CHECK;

/* The numbers of a parameter or buffer of that graph by name, in its order; NULL: it is none of the
 * net's. They live as long as the net. */
const float *dt_onnx_net_values(const dt_onnx_net *net, const char *name);

#endif
