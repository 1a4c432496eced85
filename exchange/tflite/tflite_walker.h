/* What forms write as TFLite. Activations are int8: our codes less DT_TFL_ZERO, on the same grids;
 * [N,H,W,C] and [O,KH,KW,I] are TFLite's own layouts. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_TFLITE_TFLITE_WALKER_H
#define DT_EXCHANGE_TFLITE_TFLITE_WALKER_H

#include "exchange/tflite/tflite_message.h"
#include "integer/form.h"

enum { DT_TFL_ZERO = 128, DT_TFL_VALID = 1, DT_TFL_SAME = 0, DT_TFL_NONE = 0 };

/* What the requantisations of one product's sums share. */
typedef struct dt_tflite_sums {
    bool made;
    int in[3], padding; /* padded input, weight, bias */
} dt_tflite_sums;

typedef struct dt_tflite_walker {
    const dt_int_model *model;
    bool halves; /* weights of up to 4 bits are INT4 */
    dt_tflite *m;
    dt_arena *arena;
    int *tensor;          /* by value: the tensor of its codes */
    dt_tflite_sums *sums; /* by value */
    dt_error *err;
} dt_tflite_walker;

dt_status dt_tflite_no_memory(dt_tflite_walker *w);
/* [1,H,W,C of the value] */
dt_shape dt_tflite_shape(const dt_tflite_walker *w, int value, int64_t H, int64_t W);
/* "<name><part>": a tensor on the grid of `value`. The last one of a node has the node's name. */
int dt_tflite_codes(dt_tflite_walker *w, const char *name, const char *part, int value,
                    dt_shape shape);
/* One code, as a constant on the grid of `value`. */
int dt_tflite_code(dt_tflite_walker *w, const char *name, const char *part, int value, int code);
int dt_tflite_ints(dt_tflite_walker *w, const char *name, const char *part, dt_shape shape,
                   const int32_t *data);
/* Runs `op` into the node's codes, within low..high of its grid. What `op` gives already lies in
 * 0..255; a limit that is that needs nothing. */
void dt_tflite_end(dt_tflite_walker *w, const dt_int_node *n, dt_tfl_op op, const int *in,
                   int in_count, const int *options);
/* The node's codes by tables [tables][256], one a channel where there are several: CAST, ADD,
 * GATHER. */
dt_status dt_tflite_gather(dt_tflite_walker *w, const dt_int_node *n, const uint8_t *table,
                           int64_t tables);
/* [before, after] of each dimension of [N,H,W,C]. */
int dt_tflite_pad(dt_tflite_walker *w, const dt_int_node *n, dt_tfl_op op, int x, int value,
                  const int32_t pads[8], int64_t H, int64_t W);
/* The input of a window operator, padded where neither SAME nor VALID will do. */
int dt_tflite_window(dt_tflite_walker *w, const dt_int_node *n, dt_tfl_op op, int *out_padding);

#endif
