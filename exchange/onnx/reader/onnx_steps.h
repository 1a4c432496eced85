/* Operators that are others of the vocabulary, one after the other: a row says which, and each is
 * walked as if the file had it. What lies between them has names that begin with '#'. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_STEPS_H
#define DT_EXCHANGE_ONNX_READER_ONNX_STEPS_H

#include "exchange/onnx/reader/onnx_order.h"

/* A name for what lies between, of the node in work. NULL: no memory. */
const char *dt_ox_between(dt_ox_walk *w, const char *part);
/* Constants of such a name: real numbers, one alone without dimensions; a list of whole ones. */
dt_status dt_ox_between_reals(dt_ox_walk *w, const char *name, int count,
                              const float *x) DT_MUST_CHECK;
dt_status dt_ox_between_list(dt_ox_walk *w, const char *name, int count,
                             const int64_t *n) DT_MUST_CHECK;

/* One operator of ONNX's own domain: inputs (NULL ends them) by name, and an output. Its layer is
 * called
 * "<layer>.<op, in small letters>", or, where `out` is the node's own output, as the node's. */
dt_status dt_ox_step(dt_ox_walk *w, const char *op, const char *const *in, const char *out,
                     const dt_ox_attr *attr, int attr_count) DT_MUST_CHECK;
/* Attributes of steps. */
dt_ox_attr dt_ox_attr_ints(const char *name, const int64_t *list, int count);
dt_ox_attr dt_ox_attr_int(const char *name, int64_t i);
/* Dimensions of a value by name; it is there. */
const dt_ox_value *dt_ox_named_value(const dt_ox_walk *w, const char *name);

#endif
