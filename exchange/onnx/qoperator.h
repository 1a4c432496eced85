/* What forms write in the QOperator form: operators on uint8 codes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_QOPERATOR_H
#define DT_EXCHANGE_ONNX_QOPERATOR_H

#include "exchange/onnx/onnx_walker.h"
#include "integer/form.h"

typedef struct dt_qoperator_walk {
    const dt_int_model *model;
    dt_onnx *m;
    const char **codes; /* by value: the ONNX value that holds it */
    bool *flat;         /* by value: [N,C], not [N,C,H,W] */
    dt_error *err;
} dt_qoperator_walk;

dt_status dt_qoperator_no_memory(dt_qoperator_walk *w);
/* "<name of n><what>" */
const char *dt_qoperator_part(dt_qoperator_walk *w, const dt_int_node *n, const char *what);
/* Scale and zero point of a value, which are named after the node that makes it. */
const char *dt_qoperator_scale(dt_qoperator_walk *w, int value);
const char *dt_qoperator_zero(dt_qoperator_walk *w, int value);
/* The constants that those are. */
void dt_qoperator_grid(dt_qoperator_walk *w, const dt_int_node *n);
/* The codes of a node are `raw`, within the limits of its grid. */
void dt_qoperator_finish(dt_qoperator_walk *w, const dt_int_node *n, const char *raw);
void dt_qoperator_conv(dt_qoperator_walk *w, const dt_conv_shape *s, const char *const *in,
                       const char *out);

#endif
