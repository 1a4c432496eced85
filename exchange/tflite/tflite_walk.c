/* One function for each kind of node. Activations are int8: our codes less 128, on the same grids;
 * [N,H,W,C] and [O,KH,KW,I] are TFLite's own layouts. The input takes codes, the output gives them:
 * quantizing a picture is the caller's, for runtimes differ in it.
 *
 *   product, requant: CONV_2D, DEPTHWISE_CONV_2D; a PAD in front where SAME or VALID are not the
 *   padding meant. A linear layer is a CONV_2D of one pixel, for FULLY_CONNECTED rounds in a way of
 *   its own in each set of LiteRT's kernels, CONV_2D as the others do.
 *
 *   mean, requant: MEAN, RESHAPE. add: ADD. pad: STRIDED_SLICE, PAD.
 *   maxpool: MAX_POOL_2D, a PADV2 with the lowest code in front.
 *   table: CAST, ADD of 128, GATHER, exact in every kernel, as QUANTIZE is not; MAXIMUM and MINIMUM
 *   where it only limits.
 *
 * Grids of fewer than 256 codes are a MAXIMUM and a MINIMUM behind it. The last tensor of a node
 * has the node's name. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/tflite/tflite_walk.h"

#include <stdio.h>

#include "exchange/tflite/tflite_walker.h"

dt_status dt_tflite_no_memory(dt_tflite_walker *w)
{
    return dt_fail(w->err, DT_ERR_NOMEM, NULL, "no memory for the TFLite model");
}

dt_shape dt_tflite_shape(const dt_tflite_walker *w, int value, int64_t H, int64_t W)
{
    return DT_SHAPE(1, H, W, w->model->value[value].C);
}

/* A tensor on the grid of `value`. */
int dt_tflite_codes(dt_tflite_walker *w, const char *name, const char *part, int value,
                    dt_shape shape)
{
    const dt_lower_grid *g = &w->model->value[value].grid;
    char text[320];
    snprintf(text, sizeof text, "%s%s", name, part);
    return dt_tflite_tensor(w->m, &(dt_tfl_tensor){ .name = text,
                                                    .type = DT_TFL_S8,
                                                    .shape = shape,
                                                    .scale = &g->scale,
                                                    .scales = 1,
                                                    .zero_point = g->zero_point - DT_TFL_ZERO });
}

/* One code, as a constant on the grid of `value`. */
int dt_tflite_code(dt_tflite_walker *w, const char *name, const char *part, int value, int code)
{
    const dt_lower_grid *g = &w->model->value[value].grid;
    const signed char byte = (signed char)(code - DT_TFL_ZERO);
    char text[320];
    snprintf(text, sizeof text, "%s%s", name, part);
    return dt_tflite_tensor(w->m, &(dt_tfl_tensor){ .name = text,
                                                    .type = DT_TFL_S8,
                                                    .shape = DT_SHAPE(1),
                                                    .data = &byte,
                                                    .scale = &g->scale,
                                                    .scales = 1,
                                                    .zero_point = g->zero_point - DT_TFL_ZERO });
}

int dt_tflite_ints(dt_tflite_walker *w, const char *name, const char *part, dt_shape shape,
                   const int32_t *data)
{
    char text[320];
    snprintf(text, sizeof text, "%s%s", name, part);
    return dt_tflite_tensor(
        w->m, &(dt_tfl_tensor){ .name = text, .type = DT_TFL_S32, .shape = shape, .data = data });
}

/* Runs `op` into the node's codes, within low..high of its grid. What `op` gives already lies in
 * 0..255; a limit that is that needs nothing. */
void dt_tflite_end(dt_tflite_walker *w, const dt_int_node *n, dt_tfl_op op, const int *in,
                   int in_count, const int *options)
{
    const dt_int_value *v = &w->model->value[n->out];
    const dt_shape shape = dt_tflite_shape(w, n->out, v->H, v->W);
    bool low = v->grid.low > 0, high = v->grid.high < DT_CODES - 1;
    int at = dt_tflite_codes(w, n->name, low || high ? "/raw" : "", n->out, shape);
    dt_tflite_node(w->m, op, in, in_count, at, options);
    if (low) {
        int limit = dt_tflite_code(w, n->name, ".low", n->out, v->grid.low);
        int out = dt_tflite_codes(w, n->name, high ? "/low" : "", n->out, shape);
        dt_tflite_node(w->m, DT_TFL_MAXIMUM, (int[]){ at, limit }, 2, out, NULL);
        at = out;
    }
    if (high) {
        int limit = dt_tflite_code(w, n->name, ".high", n->out, v->grid.high);
        int out = dt_tflite_codes(w, n->name, "", n->out, shape);
        dt_tflite_node(w->m, DT_TFL_MINIMUM, (int[]){ at, limit }, 2, out, NULL);
        at = out;
    }
    w->tensor[n->out] = at;
}

/* [before, after] of each dimension of [N,H,W,C]. */
int dt_tflite_pad(dt_tflite_walker *w, const dt_int_node *n, dt_tfl_op op, int x, int value,
                  const int32_t pads[8], int64_t H, int64_t W)
{
    int in[] = { x, dt_tflite_ints(w, n->name, ".pads", DT_SHAPE(4, 2), pads), 0 };
    int out = dt_tflite_codes(w, n->name, "/padded", value, dt_tflite_shape(w, value, H, W));
    if (op == DT_TFL_PADV2)
        in[2] = dt_tflite_code(w, n->name, ".fill", value, w->model->value[value].grid.low);
    dt_tflite_node(w->m, op, in, op == DT_TFL_PADV2 ? 3 : 2, out, NULL);
    return out;
}

/* Is TFLite's DT_TFL_SAME the padding before, with as many outputs? */
static bool is_same(int64_t size, int64_t kernel, int64_t stride, int64_t pad, int64_t outputs)
{
    int64_t total = (outputs - 1) * stride + kernel - size;
    return outputs == (size + stride - 1) / stride && (total > 0 ? total / 2 : 0) == pad;
}

/* The input of a window operator, padded where neither DT_TFL_SAME nor DT_TFL_VALID will do. */
int dt_tflite_window(dt_tflite_walker *w, const dt_int_node *n, dt_tfl_op op, int *out_padding)
{
    const dt_conv_shape *s = &n->shape;
    const dt_int_value *x = &w->model->value[n->in[0]], *y = &w->model->value[n->out];
    int at = w->tensor[n->in[0]];
    const int32_t top = (int32_t)s->PH, left = (int32_t)s->PW;
    const int64_t KH = dt_conv_reach(s->KH, s->DH), KW = dt_conv_reach(s->KW, s->DW);
    const int32_t below = (int32_t)dt_conv_pad_end(x->H, KH, s->SH, s->PH, y->H);
    const int32_t right = (int32_t)dt_conv_pad_end(x->W, KW, s->SW, s->PW, y->W);
    bool pads = top || left || below || right;
    bool same = op == DT_TFL_PAD && is_same(x->H, KH, s->SH, s->PH, y->H) &&
                is_same(x->W, KW, s->SW, s->PW, y->W);
    *out_padding = same && pads ? DT_TFL_SAME : DT_TFL_VALID;
    if (*out_padding == DT_TFL_SAME || !pads) return at;
    const int32_t before_after[8] = { 0, 0, top, below, left, right, 0, 0 };
    return dt_tflite_pad(w, n, op, at, n->in[0], before_after, x->H + top + below,
                         x->W + left + right);
}

dt_status dt_tflite_gather(dt_tflite_walker *w, const dt_int_node *n, const uint8_t *table,
                           int64_t tables)
{
    const dt_int_value *v = &w->model->value[n->out];
    const dt_lower_grid *g = &v->grid;
    const dt_shape shape = dt_tflite_shape(w, n->out, v->H, v->W);
    char text[320];
    int wide[2];
    signed char *codes = dt_arena_get(w->arena, (size_t)(tables * DT_CODES));
    int32_t *first = dt_arena_get(w->arena, (size_t)tables * sizeof *first);
    if (!codes || !first) return dt_tflite_no_memory(w);
    for (int64_t i = 0; i < tables * DT_CODES; i++)
        codes[i] = (signed char)(table[i] - DT_TFL_ZERO);
    for (int64_t c = 0; c < tables; c++)
        first[c] = (int32_t)(c * DT_CODES + DT_TFL_ZERO);
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof text, "%s/%s", n->name, i ? "index" : "int32");
        wide[i] = dt_tflite_tensor(
            w->m, &(dt_tfl_tensor){ .name = text, .type = DT_TFL_S32, .shape = shape });
    }
    snprintf(text, sizeof text, "%s.table", n->name);
    int rows =
        dt_tflite_tensor(w->m, &(dt_tfl_tensor){ .name = text,
                                                 .type = DT_TFL_S8,
                                                 .shape = DT_SHAPE(tables * DT_CODES),
                                                 .data = codes,
                                                 .scale = &g->scale,
                                                 .scales = 1,
                                                 .zero_point = g->zero_point - DT_TFL_ZERO });
    int add = dt_tflite_ints(w, n->name, ".shift", DT_SHAPE(tables), first);
    dt_tflite_node(w->m, DT_TFL_CAST, &w->tensor[n->in[0]], 1, wide[0], NULL);
    dt_tflite_node(w->m, DT_TFL_ADD, (int[]){ wide[0], add }, 2, wide[1], (int[]){ DT_TFL_NONE });
    w->tensor[n->out] = dt_tflite_codes(w, n->name, "", n->out, shape);
    dt_tflite_node(w->m, DT_TFL_GATHER, (int[]){ rows, wide[1] }, 2, w->tensor[n->out],
                   (int[]){ 0, 0 });
    return DT_OK;
}

/* Sums are part of the requantisations that read them. */
static dt_status emit(dt_tflite_walker *w, const dt_int_node *n)
{
    const dt_int_node *sums = dt_int_sums(w->model, n), *of = sums ? sums : n;
    if (w->model->value[n->out].is_sum) return DT_OK;
    if (!of->form->tflite) return dt_form_refuse(of->form, of->name, "TFLite", w->err);
    return of->form->tflite(w, of, n);
}

/* [N,classes], under its name. */
static int output_tensor(dt_tflite_walker *w, int value, const char *name)
{
    int classes = (int)w->model->value[value].C;
    const int32_t shape[] = { -1, classes };
    int in[] = { w->tensor[value], dt_tflite_ints(w, name, ".shape", DT_SHAPE(2), shape) };
    int out = dt_tflite_codes(w, name, "", value, DT_SHAPE(1, classes));
    dt_tflite_node(w->m, DT_TFL_RESHAPE, in, 2, out, NULL);
    return out;
}

/* In the order of a sample. What goes in are codes, so each input has one grid. */
static dt_status input_tensors(const dt_tflite_walker *w, dt_tflite_ends *out)
{
    const dt_int_model *m = w->model;
    const dt_int_node *n;
    out->inputs = 0;
    for (int64_t at = 0; (n = dt_int_input_at(m, at)) != NULL; at += dt_int_count(&m->value[n->out])) {
        out->in_name[out->inputs] = n->port;
        out->input[out->inputs++] = w->tensor[n->out];
    }
    if (out->inputs == 1) out->in_name[0] = "input"; /* whatever its port is called */
    if (out->inputs == dt_int_inputs(m)) return DT_OK;
    return dt_fail(w->err, DT_ERR_UNSUPPORTED, NULL,
                   "the inputs of a TFLite file are codes, so each is quantized in one way; this "
                   "net quantizes %d inputs in %d; quant.share=yes makes them one each, and "
                   "--format onnx, qoperator and qonnx have several",
                   out->inputs, dt_int_inputs(m));
}

dt_status dt_tflite_walk(const dt_int_model *model, bool halves, dt_arena *arena, dt_tflite *m,
                         dt_tflite_ends *out, dt_error *err)
{
    dt_tflite_walker w = { .model = model, .halves = halves, .m = m, .arena = arena, .err = err };
    size_t values = (size_t)model->value_count;
    w.tensor = dt_arena_get(arena, values * sizeof *w.tensor);
    w.sums = dt_arena_get(arena, values * sizeof *w.sums);
    if (!w.tensor || !w.sums) return dt_tflite_no_memory(&w);
    for (int i = 0; i < model->node_count; i++)
        DT_TRY(emit(&w, &model->node[i]));
    DT_TRY(input_tensors(&w, out));
    out->outputs = model->outputs;
    for (int k = 0; k < model->outputs; k++)
        out->output[k] = output_tensor(&w, model->output[k], out->name[k]);
    return DT_OK;
}
