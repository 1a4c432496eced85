/* What forms share when they write ONNX: the values of the graph while nodes are made, and
 * products.
 *
 * A value of the graph has one form in ONNX, whatever made it: [N,H,W,C] is [N,C,H,W], tokens
 * [N,T,C] are rows [N T,C], all else is as it is. Operators that give another form leave a `move`
 * behind, which is done behind the next quantizer, on codes: the operator then stands directly
 * between its DequantizeLinear and QuantizeLinear, as runtimes want it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_ONNX_WALKER_H
#define DT_EXCHANGE_ONNX_ONNX_WALKER_H

#include "exchange/onnx/onnx_walk.h"
#include "integer/form.h"

typedef struct dt_onnx_walker dt_onnx_walker;

/* Nodes that only move elements, for `node` of the graph, with names that begin with `prefix`.
 * `zero`: the code of 0, NULL: floats. `out`: the last one's name, NULL: its own. Gives that. */
typedef const char *dt_onnx_move(dt_onnx_walker *w, const dt_node *node, const char *prefix,
                                 const char *x, const char *zero, const char *out);

typedef struct dt_onnx_value {
    const char *floats;       /* in ONNX; NULL: not made yet, there are codes */
    const char *codes;        /* NULL: none */
    const char *scale, *zero; /* constants of the codes */
    const char *maker;        /* prefix of what is made of it later */
    float step;               /* the number that is `scale` */
    dt_onnx_move *move;       /* NULL: none is left to do */
    const dt_node *mover;     /* its node */
    const dt_node *deferred;  /* what computes it is written when it is asked for; NULL: it is */
} dt_onnx_value;

struct dt_onnx_walker {
    const dt_onnx_walk_params *params;
    const dt_lowered *l;
    const dt_lower_source *src;
    const bool *needed;
    dt_onnx *m;
    dt_onnx_value **value; /* by value of the graph; NULL: not yet */
    dt_status status;      /* the first failure of what was deferred */
    dt_error *err;
};

extern const dt_shape dt_onnx_scalar;
dt_status dt_onnx_no_memory(dt_error *err);

/* Name of the value that a graph node gives. */
const char *dt_onnx_out(dt_onnx_walker *w, const dt_node *node, const char *op);
/* The node's value, as floats of that name. */
dt_status dt_onnx_set(dt_onnx_walker *w, const dt_node *node, const char *floats);
/* The same, which `move` brings into its form. */
dt_status dt_onnx_set_moved(dt_onnx_walker *w, const dt_node *node, const char *floats,
                            dt_onnx_move *move);
/* The node's value is written by its form's `onnx_deferred`: at a quantizer on codes, in float
 * where another node reads it. */
dt_status dt_onnx_defer(dt_onnx_walker *w, const dt_node *node);
/* The node's value, as these codes on the grid whose constants are called "<site>.scale" and
 * "<site>.zero_point". */
dt_status dt_onnx_set_codes(dt_onnx_walker *w, const dt_node *node, const char *site, float scale,
                            const char *codes);
/* The node gives its first input. */
void dt_onnx_pass(dt_onnx_walker *w, const dt_node *node);
/* A value in float, dequantized where it has codes only. */
const char *dt_onnx_floats(dt_onnx_walker *w, int value);
/* The same before its move is done, for a quantizer, which takes the move over. */
const char *dt_onnx_raw(dt_onnx_walker *w, int value);
/* A value moved for `node`, in float: on codes where there are, and then times `factor`, which
 * becomes part of their scale. `out_scaled`: whether that was done. */
const char *dt_onnx_moved(dt_onnx_walker *w, const dt_node *node, const char *prefix, int value,
                          dt_onnx_move *move, double factor, bool *out_scaled);

/* The constants of a quantizer. */
typedef struct dt_onnx_site {
    const char
        *name; /* of its node: constants are "<name>.scale", ".zero_point", ".low", ".high" */
    float scale;
    bool clip; /* codes are limited to low..high */
} dt_onnx_site;
/* x -> Q -> [Clip] -> [move], what `node` gives; `value` is the one that x is. */
dt_status dt_onnx_quantize(dt_onnx_walker *w, const dt_onnx_site *site, const dt_node *node,
                           const char *x, const dt_onnx_value *value);
/* A code as a constant: unsigned, or signed where zero points are 0. */
void dt_onnx_byte(dt_onnx_walker *w, const char *name, int value);

/* `op` of one input takes the place of a node of the graph. */
dt_status dt_onnx_simple(dt_onnx_walker *w, const dt_node *node, const char *op,
                         const dt_onnx_attr *attr);
/* Is a ReLU the lower limit of the codes behind it? Runtimes join a ReLU with its operator where
 * the zero point is the lowest code; with another one this says the same in integers. */
bool dt_onnx_is_limit(const dt_onnx_walker *w, const dt_node *relu);
/* The node gives `y`, on the grid of its input again, so that it runs on codes. */
dt_status dt_onnx_requantize(dt_onnx_walker *w, const dt_node *node, const char *y);

/* Does every reader quantize the value, or join it with others of which that holds? Then what
 * limits it is part of those grids. */
bool dt_onnx_is_only_quantized(const dt_onnx_walker *w, int value);
/* Codes by a table: out[...] = table[256 c + x[...]], with c the channel where there are several
 * tables (`flat`: x is [N,C], not [N,C,H,W]), as Cast, Add, Gather. Names begin with `prefix`;
 * gives the last one's. */
const char *dt_onnx_gather(dt_onnx *m, const char *prefix, const char *x, const uint8_t *table,
                           int64_t tables, bool flat);
/* `rpn` (see dt_op.onnx) of x: operators, and constants from the options of a configuration. The
 * last one is called `out`, the others "<prefix>/...". NULL: it makes no sense. */
const char *dt_onnx_function(dt_onnx *m, const char *prefix, const dt_op *op, const void *conf,
                             const char *x, const char *out);

/* The name of a parameter as a constant of this node: others may share the parameter. */
const char *dt_onnx_parameter(dt_onnx_walker *w, const dt_node *node, int value);

/* A node of one input; gives `out`. */
const char *dt_onnx_unary(dt_onnx_walker *w, const char *op, const char *x, const char *out,
                          const dt_onnx_attr *attr);
const char *dt_onnx_flatten(dt_onnx_walker *w, const char *x, const char *out);
/* `dims` as a constant "<out>.shape"; -1 once: what is left. */
const char *dt_onnx_reshape(dt_onnx_walker *w, const char *x, const char *out, int rank,
                            const int64_t *dims);

/* `op` with the weights and the bias of `p`, which are called "<layer>.weight" and "<layer>.bias",
 * as the value `out`. */
dt_status dt_onnx_product(dt_onnx_walker *w, const char *layer, const dt_lower_product *p,
                          const char *op, const char *x, const char *out, const dt_onnx_attr *attr);

#endif
