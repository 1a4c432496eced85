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
#include <string.h>

enum { ZERO = 128, VALID = 1, SAME = 0, NONE = 0 };

typedef struct walk {
    const dt_int_model *model;
    bool halves;
    dt_tflite *m;
    dt_arena *arena;
    int *tensor; /* by value: the tensor of its codes */
    dt_error *err;
} walk;

static dt_status no_memory(walk *w)
{
    return dt_fail(w->err, DT_ERR_NOMEM, NULL, "no memory for the TFLite model");
}

static dt_shape shape_of(const walk *w, int value, int64_t H, int64_t W)
{
    return DT_SHAPE(1, H, W, w->model->value[value].C);
}

/* A tensor on the grid of `value`. */
static int codes_tensor(walk *w, const char *name, const char *part, int value, dt_shape shape)
{
    const dt_lower_grid *g = &w->model->value[value].grid;
    char text[320];
    snprintf(text, sizeof text, "%s%s", name, part);
    return dt_tflite_tensor(w->m, &(dt_tfl_tensor){ .name = text,
                                                    .type = DT_TFL_S8,
                                                    .shape = shape,
                                                    .scale = &g->scale,
                                                    .scales = 1,
                                                    .zero_point = g->zero_point - ZERO });
}

/* One code, as a constant on the grid of `value`. */
static int code_constant(walk *w, const char *name, const char *part, int value, int code)
{
    const dt_lower_grid *g = &w->model->value[value].grid;
    const signed char byte = (signed char)(code - ZERO);
    char text[320];
    snprintf(text, sizeof text, "%s%s", name, part);
    return dt_tflite_tensor(w->m, &(dt_tfl_tensor){ .name = text,
                                                    .type = DT_TFL_S8,
                                                    .shape = DT_SHAPE(1),
                                                    .data = &byte,
                                                    .scale = &g->scale,
                                                    .scales = 1,
                                                    .zero_point = g->zero_point - ZERO });
}

static int ints_constant(walk *w, const char *name, const char *part, dt_shape shape,
                         const int32_t *data)
{
    char text[320];
    snprintf(text, sizeof text, "%s%s", name, part);
    return dt_tflite_tensor(
        w->m, &(dt_tfl_tensor){ .name = text, .type = DT_TFL_S32, .shape = shape, .data = data });
}

/* Runs `op` into the node's codes, within low..high of its grid. What `op` gives already lies in
 * 0..255; a limit that is that needs nothing. */
static void end_node(walk *w, const dt_int_node *n, dt_tfl_op op, const int *in, int in_count,
                     const int *options)
{
    const dt_int_value *v = &w->model->value[n->out];
    const dt_shape shape = shape_of(w, n->out, v->H, v->W);
    bool low = v->grid.low > 0, high = v->grid.high < DT_CODES - 1;
    int at = codes_tensor(w, n->name, low || high ? "/raw" : "", n->out, shape);
    dt_tflite_node(w->m, op, in, in_count, at, options);
    if (low) {
        int limit = code_constant(w, n->name, ".low", n->out, v->grid.low);
        int out = codes_tensor(w, n->name, high ? "/low" : "", n->out, shape);
        dt_tflite_node(w->m, DT_TFL_MAXIMUM, (int[]){ at, limit }, 2, out, NULL);
        at = out;
    }
    if (high) {
        int limit = code_constant(w, n->name, ".high", n->out, v->grid.high);
        int out = codes_tensor(w, n->name, "", n->out, shape);
        dt_tflite_node(w->m, DT_TFL_MINIMUM, (int[]){ at, limit }, 2, out, NULL);
        at = out;
    }
    w->tensor[n->out] = at;
}

static dt_status emit_input(walk *w, const dt_int_node *n)
{
    const dt_int_value *v = &w->model->value[n->out];
    w->tensor[n->out] = codes_tensor(w, n->name, "", n->out, shape_of(w, n->out, v->H, v->W));
    return DT_OK;
}

/* [before, after] of each dimension of [N,H,W,C]. */
static int pad_node(walk *w, const dt_int_node *n, dt_tfl_op op, int x, int value,
                    const int32_t pads[8], int64_t H, int64_t W)
{
    int in[] = { x, ints_constant(w, n->name, ".pads", DT_SHAPE(4, 2), pads), 0 };
    int out = codes_tensor(w, n->name, "/padded", value, shape_of(w, value, H, W));
    if (op == DT_TFL_PADV2)
        in[2] = code_constant(w, n->name, ".fill", value, w->model->value[value].grid.low);
    dt_tflite_node(w->m, op, in, op == DT_TFL_PADV2 ? 3 : 2, out, NULL);
    return out;
}

/* Is TFLite's SAME the padding before, with as many outputs? */
static bool is_same(int64_t size, int64_t kernel, int64_t stride, int64_t pad, int64_t outputs)
{
    int64_t total = (outputs - 1) * stride + kernel - size;
    return outputs == (size + stride - 1) / stride && (total > 0 ? total / 2 : 0) == pad;
}

/* The input of a window operator, padded where neither SAME nor VALID will do. */
static int pad_window(walk *w, const dt_int_node *n, dt_tfl_op op, int *out_padding)
{
    const dt_conv_shape *s = &n->shape;
    const dt_int_value *x = &w->model->value[n->in[0]], *y = &w->model->value[n->out];
    int at = w->tensor[n->in[0]];
    const int32_t top = (int32_t)s->PH, left = (int32_t)s->PW;
    const int32_t below = (int32_t)dt_conv_pad_end(x->H, s->KH, s->SH, s->PH, y->H);
    const int32_t right = (int32_t)dt_conv_pad_end(x->W, s->KW, s->SW, s->PW, y->W);
    bool pads = top || left || below || right;
    bool same = op == DT_TFL_PAD && is_same(x->H, s->KH, s->SH, s->PH, y->H) &&
                is_same(x->W, s->KW, s->SW, s->PW, y->W);
    *out_padding = same && pads ? SAME : VALID;
    if (*out_padding == SAME || !pads) return at;
    const int32_t before_after[8] = { 0, 0, top, below, left, right, 0, 0 };
    return pad_node(w, n, op, at, n->in[0], before_after, x->H + top + below, x->W + left + right);
}

/* Depthwise weights are [1,KH,KW,O]. */
static bool is_depthwise(const dt_conv_shape *s)
{
    return s->G > 1 && s->G == s->C;
}

static const signed char *weight_codes(walk *w, const dt_int_node *n, bool depthwise)
{
    const dt_conv_shape *s = &n->shape;
    if (!depthwise) return n->weight;
    size_t K = (size_t)(s->KH * s->KW), O = (size_t)s->O;
    signed char *to = dt_arena_get(w->arena, O * K);
    for (size_t o = 0; to && o < O; o++)
        for (size_t k = 0; k < K; k++)
            to[k * O + o] = n->weight[o * K + k];
    return to;
}

/* Four bits where the codes fit; there is no depthwise kernel that keeps a contract for them. */
static dt_tfl_type weight_type(const walk *w, const dt_int_node *n)
{
    const dt_conv_shape *s = &n->shape;
    size_t count = (size_t)(s->O * s->KH * s->KW * (s->C / s->G));
    bool fits = w->halves && !is_depthwise(s);
    for (size_t i = 0; fits && i < count; i++)
        fits = n->weight[i] >= -8 && n->weight[i] <= 7;
    return fits ? DT_TFL_S4 : DT_TFL_S8;
}

static dt_status check_codes(walk *w, const dt_int_node *n)
{
    const dt_conv_shape *s = &n->shape;
    size_t count = (size_t)(s->O * s->KH * s->KW * (s->C / s->G));
    for (size_t i = 0; i < count; i++)
        if (n->weight[i] < -127)
            return dt_fail(w->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = n->name },
                           "has the weight code -128, TFLite has -127..127; train its weights with "
                           "narrow: yes");
    return DT_OK;
}

/* Tensors of weight and bias, in[1] and in[2]. */
static dt_status add_constants(walk *w, const dt_int_node *n, int in[3])
{
    const dt_conv_shape *s = &n->shape;
    bool depthwise = is_depthwise(s), each = false;
    const signed char *codes = weight_codes(w, n, depthwise);
    float *units = dt_arena_get(w->arena, (size_t)s->O * sizeof *units);
    char text[320];
    if (!codes || !units) return no_memory(w);
    for (int64_t o = 0; o < s->O; o++) {
        units[o] = n->x_scale * n->w_scale[o];
        each = each || n->w_scale[o] != n->w_scale[0];
    }
    snprintf(text, sizeof text, "%s.weight", n->name);
    in[1] = dt_tflite_tensor(
        w->m, &(dt_tfl_tensor){ .name = text,
                                .type = weight_type(w, n),
                                .shape = depthwise ? DT_SHAPE(1, s->KH, s->KW, s->O)
                                                   : DT_SHAPE(s->O, s->KH, s->KW, s->C / s->G),
                                .data = codes,
                                .scale = n->w_scale,
                                .scales = each ? s->O : 1,
                                .axis = depthwise ? 3 : 0,
                                .bits = n->bits });
    snprintf(text, sizeof text, "%s.bias", n->name);
    in[2] = dt_tflite_tensor(w->m, &(dt_tfl_tensor){ .name = text,
                                                     .type = DT_TFL_S32,
                                                     .shape = DT_SHAPE(s->O),
                                                     .data = n->bias,
                                                     .scale = units,
                                                     .scales = each ? s->O : 1 });
    return DT_OK;
}

static dt_status emit_product(walk *w, const dt_int_node *product, const dt_int_node *n)
{
    const dt_conv_shape *s = &product->shape;
    int in[3] = { w->tensor[product->in[0]] }, padding = VALID;
    DT_TRY(check_codes(w, product));
    DT_TRY(add_constants(w, product, in));
    in[0] = pad_window(w, product, DT_TFL_PAD, &padding);
    const int sw = (int)s->SW, sh = (int)s->SH, times = (int)(s->O / s->G);
    if (is_depthwise(s))
        end_node(w, n, DT_TFL_DEPTHWISE_CONV_2D, in, 3,
                 (int[]){ padding, sw, sh, times, NONE, 1, 1 });
    else
        end_node(w, n, DT_TFL_CONV_2D, in, 3, (int[]){ padding, sw, sh, NONE, 1, 1 });
    return DT_OK;
}

static dt_status emit_requant(walk *w, const dt_int_node *n)
{
    const dt_int_node *from = dt_int_producer(w->model, n->in[0]);
    if (from->kind == DT_INT_PRODUCT) return emit_product(w, from, n);
    const dt_int_value *v = &w->model->value[n->out];
    const int32_t pixels[] = { 1, 2 }, shape[] = { -1, 1, 1, (int32_t)v->C };
    int axes = ints_constant(w, from->name, ".axes", DT_SHAPE(2), pixels);
    int rows = codes_tensor(w, n->name, "/rows", n->out, DT_SHAPE(1, v->C));
    int in[] = { rows, ints_constant(w, n->name, ".shape", DT_SHAPE(4), shape) };
    dt_tflite_node(w->m, DT_TFL_MEAN, (int[]){ w->tensor[from->in[0]], axes }, 2, rows,
                   (int[]){ false });
    end_node(w, n, DT_TFL_RESHAPE, in, 2, NULL);
    return DT_OK;
}

static dt_status emit_add(walk *w, const dt_int_node *n)
{
    end_node(w, n, DT_TFL_ADD, (int[]){ w->tensor[n->in[0]], w->tensor[n->in[1]] }, 2,
             (int[]){ NONE });
    return DT_OK;
}

/* Does the table only keep codes within the limits of its output? */
static bool only_limits(const walk *w, const dt_int_node *n)
{
    const dt_lower_grid *x = &w->model->value[n->in[0]].grid, *y = &w->model->value[n->out].grid;
    bool same = x->scale == y->scale && x->zero_point == y->zero_point;
    for (int i = x->low; same && i <= x->high; i++)
        same = n->table[i] == (i < y->low ? y->low : i > y->high ? y->high : i);
    return same;
}

static dt_status emit_table(walk *w, const dt_int_node *n)
{
    const dt_int_value *v = &w->model->value[n->out];
    const dt_lower_grid *g = &v->grid;
    const int32_t shift = ZERO;
    signed char codes[DT_CODES];
    char text[320];
    const dt_shape shape = shape_of(w, n->out, v->H, v->W);
    if (only_limits(w, n)) {
        int low = code_constant(w, n->name, ".least", n->out, g->low);
        end_node(w, n, DT_TFL_MAXIMUM, (int[]){ w->tensor[n->in[0]], low }, 2, NULL);
        return DT_OK;
    }
    for (int i = 0; i < DT_CODES; i++)
        codes[i] = (signed char)(n->table[i] - ZERO);
    int wide[2];
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof text, "%s/%s", n->name, i ? "index" : "int32");
        wide[i] = dt_tflite_tensor(
            w->m, &(dt_tfl_tensor){ .name = text, .type = DT_TFL_S32, .shape = shape });
    }
    snprintf(text, sizeof text, "%s.table", n->name);
    int table = dt_tflite_tensor(w->m, &(dt_tfl_tensor){ .name = text,
                                                         .type = DT_TFL_S8,
                                                         .shape = DT_SHAPE(DT_CODES),
                                                         .data = codes,
                                                         .scale = &g->scale,
                                                         .scales = 1,
                                                         .zero_point = g->zero_point - ZERO });
    int add = ints_constant(w, n->name, ".shift", DT_SHAPE(1), &shift);
    dt_tflite_node(w->m, DT_TFL_CAST, &w->tensor[n->in[0]], 1, wide[0], NULL);
    dt_tflite_node(w->m, DT_TFL_ADD, (int[]){ wide[0], add }, 2, wide[1], (int[]){ NONE });
    w->tensor[n->out] = codes_tensor(w, n->name, "", n->out, shape);
    dt_tflite_node(w->m, DT_TFL_GATHER, (int[]){ table, wide[1] }, 2, w->tensor[n->out], NULL);
    return DT_OK;
}

static dt_status emit_maxpool(walk *w, const dt_int_node *n)
{
    const dt_conv_shape *s = &n->shape;
    const dt_int_value *v = &w->model->value[n->out];
    int padding, x = pad_window(w, n, DT_TFL_PADV2, &padding);
    w->tensor[n->out] = codes_tensor(w, n->name, "", n->out, shape_of(w, n->out, v->H, v->W));
    dt_tflite_node(w->m, DT_TFL_MAX_POOL_2D, &x, 1, w->tensor[n->out],
                   (int[]){ padding, (int)s->SW, (int)s->SH, (int)s->KW, (int)s->KH });
    return DT_OK;
}

static dt_status emit_pad(walk *w, const dt_int_node *n)
{
    enum { ALL = 15 }; /* from the first to the last in each of four dimensions */
    const dt_int_value *x = &w->model->value[n->in[0]], *y = &w->model->value[n->out];
    const int32_t none[4] = { 0 };
    const int32_t steps[4] = { 1, (int32_t)n->shape.SH, (int32_t)n->shape.SW, 1 };
    const int32_t after = (int32_t)(y->C - x->C - n->before);
    int in[] = { w->tensor[n->in[0]], ints_constant(w, n->name, ".begin", DT_SHAPE(4), none),
                 ints_constant(w, n->name, ".end", DT_SHAPE(4), none),
                 ints_constant(w, n->name, ".steps", DT_SHAPE(4), steps) };
    int few = codes_tensor(w, n->name, "/few", n->in[0], shape_of(w, n->in[0], y->H, y->W));
    dt_tflite_node(w->m, DT_TFL_STRIDED_SLICE, in, 4, few, (int[]){ ALL, ALL });
    const int32_t pads[8] = { 0, 0, 0, 0, 0, 0, n->before, after };
    int more[] = { few, ints_constant(w, n->name, ".pads", DT_SHAPE(4, 2), pads) };
    w->tensor[n->out] = codes_tensor(w, n->name, "", n->out, shape_of(w, n->out, y->H, y->W));
    dt_tflite_node(w->m, DT_TFL_PAD, more, 2, w->tensor[n->out], NULL);
    return DT_OK;
}

static dt_status (*const emitters[DT_INT_KINDS])(walk *w, const dt_int_node *n) = {
    [DT_INT_INPUT] = emit_input, [DT_INT_REQUANT] = emit_requant, [DT_INT_ADD] = emit_add,
    [DT_INT_TABLE] = emit_table, [DT_INT_MAXPOOL] = emit_maxpool, [DT_INT_PAD] = emit_pad,
};

/* Products and means are part of the requantisations that read them. */
static dt_status emit(walk *w, const dt_int_node *n)
{
    if (n->kind == DT_INT_PRODUCT || n->kind == DT_INT_MEAN) return DT_OK;
    if (emitters[n->kind]) return emitters[n->kind](w, n);
    return dt_fail(w->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = n->name },
                   "'%s' has no TFLite form here; --format onnx has", dt_int_kind_name[n->kind]);
}

/* [N,classes] */
static int logits_tensor(walk *w)
{
    int value = w->model->logits, classes = (int)w->model->value[value].C;
    const int32_t shape[] = { -1, classes };
    int in[] = { w->tensor[value], ints_constant(w, "logits", ".shape", DT_SHAPE(2), shape) };
    int out = codes_tensor(w, "logits", "", value, DT_SHAPE(1, classes));
    dt_tflite_node(w->m, DT_TFL_RESHAPE, in, 2, out, NULL);
    return out;
}

dt_status dt_tflite_walk(const dt_int_model *model, bool halves, dt_arena *arena, dt_tflite *m,
                         int *out_input, int *out_output, dt_error *err)
{
    walk w = { .model = model, .halves = halves, .m = m, .arena = arena, .err = err };
    w.tensor = dt_arena_get(arena, (size_t)model->value_count * sizeof *w.tensor);
    if (!w.tensor) return no_memory(&w);
    for (int i = 0; i < model->node_count; i++)
        DT_TRY(emit(&w, &model->node[i]));
    *out_input = w.tensor[model->node[0].out];
    *out_output = logits_tensor(&w);
    return DT_OK;
}
