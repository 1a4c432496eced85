/* Values whose elements are read by an index for each dimension, as Pad, Resize, Gather, Expand and
 * rolls give them: nodes of the operation remap (autograd/op_remap.h). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_REMAP_H
#define DT_EXCHANGE_ONNX_READER_ONNX_REMAP_H

#include "autograd/op_remap.h"
#include "exchange/onnx/reader/onnx_order.h"

/* What rules [rank], by dimension of the file (count 0: as it is), make of v, in any order, as the
 * node `layer`. Refuses rules for the batch. */
dt_status dt_ox_remap(dt_ox_walk *w, const dt_ox_value *v, const dt_remap_axis *rule,
                      const char *layer, dt_ox_value *out) DT_MUST_CHECK;
/* Output k is v with indices [count] of one dimension; -1: zeros. Refuses those that follow no
 * rule.
 */
dt_status dt_ox_set_indices(dt_ox_walk *w, int k, const dt_ox_value *v, int dim,
                            const int64_t *index, int64_t count) DT_MUST_CHECK;
/* Zeros that wait around a value (dt_ox_value.padded) are put there. */
dt_status dt_ox_pad(dt_ox_walk *w, const char *name, const dt_ox_value **out) DT_MUST_CHECK;
/* Repeats what has one element along dimensions where `like` has more, in the order of its axes;
 * both have as many dimensions. */
dt_status dt_ox_repeat_like(dt_ox_walk *w, const char *name, const dt_ox_value *like,
                            const char *layer, const dt_ox_value **out) DT_MUST_CHECK;

#endif
