/* Orders of elements: what Reshape, Transpose, Split and Slice of a value give before anything is
 * moved. A dimension of the file is parts of axes of the engine's value, the slowest first; a chain
 * of such nodes is one order, and becomes one node, or none, where something reads it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_ORDER_H
#define DT_EXCHANGE_ONNX_READER_ONNX_ORDER_H

#include "exchange/onnx/reader/onnx_fold.h"

enum { DT_OX_PARTS = 16 };

/* `count` elements of an axis, `step` apart. The batch's axis is 0, and has one part that is kept
 * though it counts 1; others of one element are left out. */
typedef struct dt_ox_part {
    int axis, dim; /* of the engine's value; of the file's */
    int64_t count, step;
} dt_ox_part;

struct dt_ox_order {
    const char *layer; /* the file's node that it comes from */
    int parts;
    dt_ox_part part[DT_OX_PARTS]; /* in the order of dimensions */
    int64_t first[DT_MAX_RANK];   /* by axis */
};

/* The order of any value that is no constant. */
dt_ox_order dt_ox_order_of(const dt_ox_walk *w, const dt_ox_value *v);
/* Output k is v's elements in that order, with these dimensions; plain axes where they will do. */
dt_status dt_ox_set_order(dt_ox_walk *w, int k, const dt_ox_value *v, const dt_ox_order *o,
                          int rank, const int64_t *dim) DT_MUST_CHECK;
/* Other dimensions of the same elements. False: no parts of axes are that. */
bool dt_ox_order_reshape(dt_ox_order *o, int rank, const int64_t *dim);
/* Elements first, first + step, ... of a dimension; step > 0. False: no parts of axes are that. */
bool dt_ox_order_cut(dt_ox_order *o, int dim, int64_t first, int64_t count, int64_t step);

/* Output k is a window of input 0, a value; refuses windows that are empty or go backwards. */
dt_status dt_ox_set_cut(dt_ox_walk *w, int k, const dt_ox_window *cut) DT_MUST_CHECK;

/* Output k without dimension `dim`, which has one element. */
dt_status dt_ox_drop(dt_ox_walk *w, int k, int dim) DT_MUST_CHECK;

/* The value as one of plain axes, which a node makes if it has to: its channels (the engine's last
 * axis) stay last, or dimension `last` of the file becomes that (-1: either). It stands for the
 * name from now on. */
dt_status dt_ox_settle(dt_ox_walk *w, const char *name, int last,
                       const dt_ox_value **out) DT_MUST_CHECK;
/* Rows that the file has as [N,C,1,1], as the picture [N,1,1,C]. It stands for the name from now
 * on.
 */
dt_status dt_ox_settle_pixel(dt_ox_walk *w, const char *name,
                             const dt_ox_value **out) DT_MUST_CHECK;
/* A node that makes the dimensions of v axes of the engine, as they come; the batch is first. */
dt_status dt_ox_settle_as(dt_ox_walk *w, const dt_ox_value *v, dt_ox_value *out) DT_MUST_CHECK;
/* The same, with all elements of a sample along one axis, in the file's order. */
dt_status dt_ox_settle_flat(dt_ox_walk *w, const dt_ox_value *v, dt_ox_value *out) DT_MUST_CHECK;
/* A node that makes dimension i of v axis to[i] of a value of `rank` axes (-1: it has one element).
 */
dt_status dt_ox_settle_to(dt_ox_walk *w, const dt_ox_value *v, int rank, const int *to,
                          dt_ox_value *out) DT_MUST_CHECK;
/* The same with the axes of `like`, which has as many dimensions; no node where v has them. */
dt_status dt_ox_settle_like(dt_ox_walk *w, const dt_ox_value *v, const dt_ox_value *like,
                            dt_ox_value *out) DT_MUST_CHECK;
/* A name for a node that moves elements: that of the file's node, or one like it. NULL: no memory.
 */
const char *dt_ox_moved_name(dt_ox_walk *w, const char *base);

/* The node that makes a value; NULL: it is an input. */
const dt_node *dt_ox_maker(const dt_ox_walk *w, const dt_ox_value *v);

/* Input i, computed, in any order that has every element of its value: for what looks at each by
 * itself. */
dt_status dt_ox_need_elements(dt_ox_walk *w, int i, const dt_ox_value **out) DT_MUST_CHECK;
/* The same where dimension `rank - 1 - behind` of the file is also the engine's last axis: for what
 * looks at rows. */
dt_status dt_ox_need_rows(dt_ox_walk *w, int i, const dt_ox_value **out) DT_MUST_CHECK;
/* The node's output is y: like v, with another size of its last dimension and axis. */
dt_status dt_ox_set_rows(dt_ox_walk *w, int y, const dt_ox_value *v) DT_MUST_CHECK;

#endif
