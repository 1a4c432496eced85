/* Networks in YAML: a list of named layers.
 *
 *     layers:
 *     - {name: conv1, op: conv2d, out: 16, kernel: 3, pad: 1, bias: false}
 *     - {name: bn1, op: batchnorm}
 *     - {op: relu}
 *     - {name: down, op: conv2d, from: input, out: 16}
 *     - {name: sum, op: add, from: [relu_3, down]}
 *     - {op: gap}
 *     - {name: fc, op: linear, out: classes}
 *
 * A layer reads the one before it, or what `from` names; `input` is the picture. Without a name it
 * is called after its op and its place. The last layer gives the output, unless `output` names
 * another one. Of several `outputs` names all, [LAYER, ...] or {NAME: LAYER, ...}; they are
 * called as their layers, or by these names. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_NET_NET_YAML_H
#define DT_TRAIN_NET_NET_YAML_H

#include "core/file.h"
#include "layers/builder.h"

typedef struct dt_yaml_net dt_yaml_net;

/* Reads a file and checks what needs no graph: keys and words. Errors: FORMAT, NOT_FOUND (an
 * unknown key or layer, the text has the nearest one), RANGE, IO, NOMEM. */
dt_status dt_yaml_net_open(const char *path, const dt_alloc *a, dt_yaml_net **out,
                           dt_error *err) DT_MUST_CHECK;
/* The same of a text; `path` names it in messages. */
dt_status dt_yaml_net_open_text(const char *path, const char *text, size_t size, const dt_alloc *a,
                                dt_yaml_net **out, dt_error *err) DT_MUST_CHECK;
void dt_yaml_net_close(dt_yaml_net *net); /* NULL is fine */

const char *dt_yaml_net_sha256(const dt_yaml_net *net); /* of its bytes */
int dt_yaml_net_classes(const dt_yaml_net *net);        /* its key `classes`; 0: not told */
int dt_yaml_net_outputs(const dt_yaml_net *net);        /* that `outputs` names; 0: there is one */

/* Adds the nodes to a graph, behind value x (a picture [1,H,W,C] or rows). Errors have the layer's
 * place: SHAPE where layers do not fit together, NOT_FOUND where `from` names none before it.
 * Outputs that have names get ports.
 * `fn` (may be NULL) is told of every layer when it is made: its name, op and value. */
typedef void (*dt_yaml_layer_fn)(void *arg, const char *name, const char *op, int value);
dt_status dt_yaml_net_build(const dt_yaml_net *net, dt_builder *b, int x, int classes,
                            int *out_logits, dt_yaml_layer_fn fn, void *arg,
                            dt_error *err) DT_MUST_CHECK;

#endif
