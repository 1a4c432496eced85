/* What goes into an ONNX file's network: one value, or several that the data has by the same names.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_INPUTS_H
#define DT_EXCHANGE_ONNX_READER_ONNX_INPUTS_H

#include "exchange/onnx/reader/onnx_ops.h"

/* Pictures or rows of float32, at most DT_OX_INPUTS of them. UNSUPPORTED */
enum { DT_OX_INPUTS = 8 };
dt_status dt_ox_check_inputs(const dt_ox_file *f, dt_error *err) DT_MUST_CHECK;
/* See dt_onnx_net_size and dt_onnx_net_input; of several inputs nothing is told. */
void dt_ox_input_size(const dt_ox_file *f, int64_t *out_H, int64_t *out_W);
void dt_ox_input_shape(const dt_ox_file *f, dt_shape *out);

/* The file's inputs are values of the graph under construction: a single one is x, several are
 * found by the names of the graph's ports. SHAPE: the data has others. NOT_FOUND: it lacks one. */
dt_status dt_ox_set_inputs(dt_ox_walk *w, int x) DT_MUST_CHECK;
/* Adds inputs as the file has them, 32 rows and columns and 3 channels where it leaves them open;
 * `out_x` is the first. */
dt_status dt_ox_make_inputs(const dt_ox_file *f, dt_graph *g, int *out_x,
                            dt_error *err) DT_MUST_CHECK;
/* Adds those of another graph: its ports, or x where it has none. */
dt_status dt_ox_copy_inputs(const dt_graph *from, int x, dt_graph *to, int *out_x,
                            dt_error *err) DT_MUST_CHECK;

#endif
