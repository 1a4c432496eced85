/* What forms write as QONNX: float operators on whole numbers between Quant nodes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_QONNX_QONNX_H
#define DT_EXCHANGE_QONNX_QONNX_H

#include "exchange/onnx/onnx_walker.h"
#include "integer/form.h"

typedef struct dt_qonnx_walk {
    const dt_int_model *model;
    dt_onnx *m;
    const char **whole; /* by value: the ONNX value that holds code - zero point, or the sum */
    bool *flat;         /* by value: [N,C], not [N,C,H,W] */
    dt_error *err;
} dt_qonnx_walk;

typedef struct dt_qonnx_width {
    int bits;
    bool is_signed, narrow, clipped; /* clipped: the range is no power of two */
} dt_qonnx_width;

dt_status dt_qonnx_no_memory(dt_qonnx_walk *w);
/* "<name of n><what>" */
const char *dt_qonnx_part(dt_qonnx_walk *w, const dt_int_node *n, const char *what);
/* One number, as a constant. */
const char *dt_qonnx_number(dt_qonnx_walk *w, const dt_int_node *n, const char *what, double value);
/* x op a number. */
const char *dt_qonnx_apply(dt_qonnx_walk *w, const dt_int_node *n, const char *op, const char *what,
                           const char *x, double value);
void dt_qonnx_quant(dt_qonnx_walk *w, const char *name, const char *x, const char *scale,
                    dt_qonnx_width q, const char *out);
/* Ends a node on its grid. */
void dt_qonnx_end(dt_qonnx_walk *w, const dt_int_node *n, const char *x);
/* Codes by tables [tables][256], one a channel where there are several, as numbers of a Gather. */
dt_status dt_qonnx_gather(dt_qonnx_walk *w, const dt_int_node *n, const uint8_t *table,
                          int64_t tables);
/* Room for a row of numbers by output, [O] or [1,O,1,1]. NULL: no memory. */
float *dt_qonnx_row(dt_qonnx_walk *w, int64_t count);

#endif
