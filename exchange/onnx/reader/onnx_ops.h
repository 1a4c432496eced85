/* Operators of ONNX: one row in onnx_ops.def and one file (or a row in one) each. A row folds
 * constants, makes nodes of the graph, or both; what it cannot, it refuses with a reason.
 *
 * Axes. The file has its own order of axes, [N,C,H,W] for most; the engine keeps pictures as
 * [N,H,W,C]. So a value of the walk has the file's dimensions, and says for each which axis of the
 * engine's value it is. What only turns, joins or splits axes changes that, and makes no node. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_OPS_H
#define DT_EXCHANGE_ONNX_READER_ONNX_OPS_H

#include "exchange/onnx/reader/onnx_ir.h"
#include "layers/nodes.h"

typedef struct dt_ox_order dt_ox_order; /* onnx_order.h */

/* What a name of the file stands for. */
typedef struct dt_ox_value {
    dt_ox_tensor *constant; /* NULL: a value of the graph */
    int value;              /* of the graph */
    int rank;               /* and dimensions, as the file has them; dim[0] of a batch is 1 */
    int64_t dim[DT_OX_RANK];
    int axis[DT_OX_RANK];     /* of `value`; -1: the engine has none for it, its size is 1 */
    const dt_ox_order *order; /* its elements in an order that no axes say; NULL: they do */
    double factor;            /* times that, which is not made yet; 0: as it is */
    /* Zeros around it that are not made yet, or what is less than all numbers: dim counts them,
     * `value` has none. Convolutions and poolings take them as their padding. By side: above, left,
     * below, right. */
    bool padded, lowest;
    int64_t pad[4];
    const char *layer; /* of the Pad, where `padded` */
    /* It is codes of `value`, which wait for DequantizeLinear; NULL: it is no codes. */
    struct dt_ox_codes *codes;
    bool lost; /* its node was refused, while all are looked at */
} dt_ox_value;

/* A parameter: its numbers in the engine's order. */
typedef struct dt_ox_param {
    int value; /* of the graph */
    int seen;  /* what reads it get: itself, or its quantizer's output */
    const dt_ox_tensor *from;
    int turn[DT_OX_RANK]; /* axis j of it is axis turn[j] of `from` */
    const float *data;    /* [elements], in the file's arena */
} dt_ox_param;

typedef struct dt_ox_named {
    const float *data;
} dt_ox_named;

/* Who reads a name: how many inputs, and the last such node. */
typedef struct dt_ox_reader {
    int count;
    const dt_ox_node *node;
} dt_ox_reader;

typedef struct dt_ox_walk {
    dt_ox_file *file;
    dt_builder *b;
    dt_ox_map values;       /* dt_ox_value by name */
    dt_ox_map readers;      /* dt_ox_reader by name */
    bool *taken;            /* by node: it is part of one before it, whose value it gives */
    dt_ox_map layers;       /* names in use */
    dt_ox_map moved;        /* those of nodes, of orders that became one too */
    int noted;              /* nodes whose names are there */
    const dt_ox_node *node; /* in work */
    const char *layer;      /* its name in the graph, unique */
    dt_ox_map params;       /* dt_ox_named by the parameter's name */
    dt_ox_param *param;
    int param_count;
    size_t param_room;
    int64_t folded;      /* elements of constants that were computed */
    int inner;           /* nodes of graphs in attributes that were walked */
    const char *resized; /* a layer that gets other outputs than the file's; NULL: none */
    int64_t outputs;
    bool sites; /* the file's quantizers are made */
    bool brief; /* refusals are listed: without file and node */
    dt_error *err;
} dt_ox_walk;

typedef struct dt_ox_op {
    const char *name;
    const char *domain; /* beside ONNX's own; NULL: none */
    int in_min, in_max; /* inputs; in_max 0: any number */
    /* Of constants alone: fills out[0..out_count-1]. NULL: it never is of constants alone. Called
     * where every input that there is is constant. */
    dt_status (*fold)(dt_ox_walk *w, dt_ox_tensor **out);
    /* Nodes of the graph. NULL: it has no form there. */
    dt_status (*build)(dt_ox_walk *w);
    bool sees_constants; /* `build` is called for constants too, before `fold` */
    bool takes_codes;    /* `build` knows values that are codes */
    /* It moves elements, or takes one of several: of codes it gives codes of the same grid, which
     * it may as well do with the numbers that they are of. */
    bool moves;
    bool quantizes;  /* it is part of a quantizer of values or weights */
    bool own_domain; /* it is none of ONNX's own operators */
    bool has_graph;  /* it has graphs in attributes, which `build` walks */
} dt_ox_op;

/* Row of an operator; NULL: none. */
const dt_ox_op *dt_ox_op_find(const char *domain, const char *name);
/* Names of all rows, NULL at the end. */
extern const dt_ox_op *const dt_ox_ops[];

/* The initialisers of the file, or of a graph in it, are values by their names. */
dt_status dt_ox_set_constants(dt_ox_walk *w, const dt_ox_file *f) DT_MUST_CHECK;
/* The node in work becomes what its row makes of it. */
dt_status dt_ox_walk_node(dt_ox_walk *w) DT_MUST_CHECK;

/* ---- for rows ---- */

/* Refuses the node in work: "<file>: <node>: <op>: <reason>". UNSUPPORTED */
dt_status dt_ox_refuse(dt_ox_walk *w, const char *fmt, ...) DT_PRINTF(2, 3);
dt_status dt_ox_no_memory(dt_ox_walk *w);

/* Input i; NULL: it is left out. The second form refuses what is left out, the third also what is
 * constant or padded, and gives it with plain axes; the fourth as a picture, where it has four
 * dimensions, or as rows [N,C,1,1]; the fifth makes those a picture of one pixel. */
const dt_ox_value *dt_ox_input(const dt_ox_walk *w, int i);
dt_status dt_ox_need(dt_ox_walk *w, int i, const dt_ox_value **out) DT_MUST_CHECK;
dt_status dt_ox_need_value(dt_ox_walk *w, int i, const dt_ox_value **out) DT_MUST_CHECK;
dt_status dt_ox_need_picture(dt_ox_walk *w, int i, const dt_ox_value **out) DT_MUST_CHECK;
dt_status dt_ox_need_pixels(dt_ox_walk *w, int i, const dt_ox_value **out) DT_MUST_CHECK;
/* Input i as a constant of numbers, or of whole numbers; *out NULL where it is left out. */
dt_status dt_ox_reals(dt_ox_walk *w, int i, const dt_ox_tensor **out) DT_MUST_CHECK;
dt_status dt_ox_wholes(dt_ox_walk *w, int i, const dt_ox_tensor **out) DT_MUST_CHECK;
/* One number: attribute `name`, else input i (-1: none), else `otherwise`. */
dt_status dt_ox_number(dt_ox_walk *w, const char *name, int i, float otherwise,
                       float *out) DT_MUST_CHECK;
/* Whole numbers: attribute `name`, else input i (-1: none). *out_count -1: neither is there. */
dt_status dt_ox_list(dt_ox_walk *w, const char *name, int i, const int64_t **out,
                     int *out_count) DT_MUST_CHECK;
/* The same as axes of a value: 0..rank-1, counted from behind where negative. `out` has
 * DT_OX_RANK. */
dt_status dt_ox_axes(dt_ox_walk *w, const char *name, int i, int rank, int *out,
                     int *out_count) DT_MUST_CHECK;
/* Of one axis. */
dt_status dt_ox_axis(dt_ox_walk *w, int64_t axis, int rank, int *out) DT_MUST_CHECK;

/* Output k of the node is v. */
dt_status dt_ox_set(dt_ox_walk *w, int k, const dt_ox_value *v) DT_MUST_CHECK;
/* It is value `y` of the graph (-1: the builder failed), with dimensions and axes as v has. */
dt_status dt_ox_set_like(dt_ox_walk *w, int y, const dt_ox_value *v) DT_MUST_CHECK;
/* Of pictures and rows: [N,H,W,C] as the file's [N,C,H,W]; [N,C] as [N,C], or as [N,C,1,1] with
 * rank 4. */
dt_status dt_ox_set_picture(dt_ox_walk *w, int y, int rank) DT_MUST_CHECK;
/* It is a constant. */
dt_status dt_ox_set_constant(dt_ox_walk *w, int k, dt_ox_tensor *t) DT_MUST_CHECK;

/* Is v a picture that the engine has as [N,H,W,C] and the file as [N,C,H,W]? */
bool dt_ox_is_picture(const dt_ox_walk *w, const dt_ox_value *v);
/* Are they rows: [N,C] in the engine, and that or [N,C,1,1] in the file? */
bool dt_ox_is_rows(const dt_ox_walk *w, const dt_ox_value *v);
const dt_shape *dt_ox_shape(const dt_ox_walk *w, const dt_ox_value *v); /* the engine's */
/* Have both the same dimensions in the same order of axes? */
bool dt_ox_is_alike(const dt_ox_walk *w, const dt_ox_value *a, const dt_ox_value *b);

/* A parameter "<layer>.<part>" made of a constant, whose axis turn[j] is axis j of the parameter.
 * The same constant in the same order is one parameter, whoever asks. What is given is its value
 * behind the quantizer that the file has for it. -1: failed; the builder has
 * the error. `kind` has all but name and shape. */
int dt_ox_param_of(dt_ox_walk *w, const char *layer, const char *part, const dt_ox_tensor *t,
                   const int *turn, int rank, dt_value kind);
/* The same for who looks at its elements alone: one that has other axes of 1 is it too. */
int dt_ox_param_alike(dt_ox_walk *w, const char *layer, const char *part, const dt_ox_tensor *t,
                      const int *turn, int rank, dt_value kind);
/* The numbers of a parameter or buffer of the graph, under its name, which may go before the file
 * does. */
dt_status dt_ox_keep_named(dt_ox_walk *w, int value, const float *data) DT_MUST_CHECK;
/* The constant that only the node behind adds to what the node in work gives, a number for each of
 * `outputs` along axis `from_end` (1: the last), which is then part of this node; NULL: none.
 * `out_axis` is the axis of its numbers. */
const dt_ox_tensor *dt_ox_bias_behind(dt_ox_walk *w, int64_t outputs, int from_end, int *out_axis);
/* The status of the builder, which rows return after they made nodes. */
dt_status dt_ox_built(const dt_ox_walk *w);

#endif
