/* ONNX in the QOperator form: every node of the integer model is an operator on uint8 codes,
 * QLinearConv of ONNX itself, the others of onnxruntime's domain com.microsoft. Nothing is left for
 * a runtime to fuse, and only onnxruntime runs it.
 *
 *   input    QuantizeLinear              product, requant   QLinearConv; QGemm behind the pool
 *   add      QLinearAdd                  mean, requant      QLinearGlobalAveragePool, Flatten
 *   table    DequantizeLinear, QuantizeLinear               maxpool  MaxPool on codes
 *   pad      QLinearConv, 1x1, strided, with the codes 0 and 1
 *
 * Grids of fewer than 256 codes are a Clip behind it. Rounding is that of the contract fp32. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "exchange/layout.h"
#include "exchange/onnx/onnx_file.h"

typedef struct walk {
    const dt_int_model *model;
    dt_onnx *m;
    const char **codes; /* by value: the ONNX value that holds it */
    bool *flat;         /* by value: [N,C], not [N,C,H,W] */
    dt_error *err;
} walk;

static const dt_shape scalar = { .rank = 0 };

static dt_status no_memory(walk *w)
{
    return dt_fail(w->err, DT_ERR_NOMEM, NULL, "no memory for the ONNX model");
}

static const char *part(walk *w, const dt_int_node *n, const char *what)
{
    return dt_onnx_text(w->m, "%s%s", n->name, what);
}

static const char *byte_constant(walk *w, const char *name, int value)
{
    unsigned char byte = (unsigned char)value;
    dt_onnx_constant(w->m, name, DT_ONNX_U8, &scalar, &byte);
    return name;
}

/* Scale and zero point of a value are named after the node that makes it. */
static const char *scale_of(walk *w, int value)
{
    return part(w, dt_int_producer(w->model, value), ".scale");
}

static const char *zero_of(walk *w, int value)
{
    return part(w, dt_int_producer(w->model, value), ".zero_point");
}

static void add_grid(walk *w, const dt_int_node *n)
{
    const dt_lower_grid *g = &w->model->value[n->out].grid;
    dt_onnx_constant(w->m, scale_of(w, n->out), DT_ONNX_FLOAT, &scalar, &g->scale);
    byte_constant(w, zero_of(w, n->out), g->zero_point);
}

/* The codes of a node are `raw`, within the limits of its grid. */
static void finish(walk *w, const dt_int_node *n, const char *raw)
{
    const dt_lower_grid *g = &w->model->value[n->out].grid;
    w->codes[n->out] = raw;
    if (g->low == 0 && g->high == 255) return;
    const char *low = byte_constant(w, part(w, n, ".low"), g->low);
    const char *high = byte_constant(w, part(w, n, ".high"), g->high);
    w->codes[n->out] = part(w, n, "/Clip");
    dt_onnx_node(w->m, "Clip", (const char *[]){ raw, low, high, NULL }, w->codes[n->out], NULL);
}

static dt_status emit_input(walk *w, const dt_int_node *n)
{
    const char *raw = part(w, n, "/QuantizeLinear");
    add_grid(w, n);
    dt_onnx_node(w->m, "QuantizeLinear",
                 (const char *[]){ "input", scale_of(w, n->out), zero_of(w, n->out), NULL }, raw,
                 NULL);
    finish(w, n, raw);
    return DT_OK;
}

/* Is every scale the same? One number then. */
static bool per_tensor(const dt_int_node *n)
{
    for (int64_t o = 1; o < n->shape.O; o++)
        if (n->w_scale[o] != n->w_scale[0]) return false;
    return true;
}

/* Weight, its scale and zero point, and bias of a product. Codes beyond 64 become uint8: pairs of
 * products of uint8 with int8 may saturate on processors without VNNI. */
static dt_status add_constants(walk *w, const dt_int_node *n)
{
    const dt_conv_shape *s = &n->shape;
    const dt_shape ohwi = DT_SHAPE(s->O, s->KH, s->KW, s->C / s->G);
    size_t count = (size_t)dt_shape_count(&ohwi), groups = per_tensor(n) ? 1 : (size_t)s->O;
    unsigned char *byte = dt_arena_get(dt_onnx_arena(w->m), count);
    unsigned char *foreign = dt_arena_get(dt_onnx_arena(w->m), count);
    unsigned char *zero = dt_arena_get(dt_onnx_arena(w->m), groups);
    bool wide = false;
    if (!byte || !foreign || !zero) return no_memory(w);
    for (size_t i = 0; i < count; i++)
        wide = wide || abs(n->weight[i]) > 64;
    for (size_t i = 0; i < count; i++)
        byte[i] = (unsigned char)(wide ? n->weight[i] + 128 : n->weight[i]);
    for (size_t i = 0; i < groups; i++)
        zero[i] = wide ? 128 : 0;
    dt_layout_to_foreign(&ohwi, 1, byte, foreign);
    const dt_onnx_type type = wide ? DT_ONNX_U8 : DT_ONNX_S8;
    const dt_shape each = groups > 1 ? DT_SHAPE(s->O) : scalar;
    const dt_shape flat = DT_SHAPE(s->O, s->C), oihw = DT_SHAPE(s->O, s->C / s->G, s->KH, s->KW);
    const dt_shape outputs = DT_SHAPE(s->O);
    dt_onnx_weight(w->m, part(w, n, ".weight"), type, w->flat[n->in[0]] ? &flat : &oihw, foreign,
                   n->bits);
    dt_onnx_constant(w->m, part(w, n, ".weight.scale"), DT_ONNX_FLOAT, &each, n->w_scale);
    dt_onnx_constant(w->m, part(w, n, ".weight.zero_point"), type, &each, zero);
    dt_onnx_constant(w->m, part(w, n, ".bias"), DT_ONNX_S32, &outputs, n->bias);
    if (n->gain > 1)
        dt_onnx_meta(w->m, dt_onnx_text(w->m, "detent.gain.%s", n->name),
                     dt_onnx_text(w->m, "%d", n->gain));
    return DT_OK;
}

static void conv_node(walk *w, const dt_conv_shape *s, const char *const *in, const char *out)
{
    const dt_onnx_attr attr[] = {
        { .name = "group", .i = s->G },
        { .name = "kernel_shape", .count = 2, .ints = { s->KH, s->KW } },
        dt_onnx_pads(s),
        { .name = "strides", .count = 2, .ints = { s->SH, s->SW } },
        { .name = NULL },
    };
    dt_onnx_node(w->m, "QLinearConv", in, out, attr);
}

/* Sums are no value of the file: the operator ends on codes, once for each reader of the sums. */
static dt_status emit_product(walk *w, const dt_int_node *product, const dt_int_node *n)
{
    const char *x = w->codes[product->in[0]], *xs = scale_of(w, product->in[0]);
    const char *xz = zero_of(w, product->in[0]), *bias = part(w, product, ".bias"), *raw;
    const char *weight = part(w, product, ".weight"), *ws = part(w, product, ".weight.scale");
    const char *wz = part(w, product, ".weight.zero_point");
    const char *ys = scale_of(w, n->out), *yz = zero_of(w, n->out);
    if (!w->codes[product->out]) DT_TRY(add_constants(w, product));
    w->codes[product->out] = weight;
    if (w->flat[product->in[0]]) {
        const dt_onnx_attr attr[] = { { .name = "transB", .i = 1 }, { .name = NULL } };
        const char *in[] = { x, xs, xz, weight, ws, wz, bias, ys, yz, NULL };
        raw = part(w, n, "/QGemm");
        dt_onnx_node(w->m, "com.microsoft:QGemm", in, raw, attr);
    } else {
        const char *in[] = { x, xs, xz, weight, ws, wz, ys, yz, bias, NULL };
        conv_node(w, &product->shape, in, raw = part(w, n, "/QLinearConv"));
    }
    w->flat[n->out] = w->flat[product->in[0]];
    finish(w, n, raw);
    return DT_OK;
}

static dt_status emit_mean(walk *w, const dt_int_node *mean, const dt_int_node *n)
{
    const char *raw = part(w, n, "/QLinearGlobalAveragePool"), *rows = part(w, n, "/Flatten");
    const char *in[] = { w->codes[mean->in[0]], scale_of(w, mean->in[0]), zero_of(w, mean->in[0]),
                         scale_of(w, n->out),   zero_of(w, n->out),       NULL };
    const dt_onnx_attr first[] = { { .name = "channels_last", .i = 0 }, { .name = NULL } };
    const dt_onnx_attr axis[] = { { .name = "axis", .i = 1 }, { .name = NULL } };
    dt_onnx_node(w->m, "com.microsoft:QLinearGlobalAveragePool", in, raw, first);
    dt_onnx_node(w->m, "Flatten", (const char *[]){ raw, NULL }, rows, axis);
    w->flat[n->out] = true;
    finish(w, n, rows);
    return DT_OK;
}

static dt_status emit_requant(walk *w, const dt_int_node *n)
{
    const dt_int_node *from = dt_int_producer(w->model, n->in[0]);
    add_grid(w, n);
    return from->kind == DT_INT_MEAN ? emit_mean(w, from, n) : emit_product(w, from, n);
}

static dt_status emit_add(walk *w, const dt_int_node *n)
{
    const char *raw = part(w, n, "/QLinearAdd");
    add_grid(w, n);
    const char *in[] = { w->codes[n->in[0]],  scale_of(w, n->in[0]), zero_of(w, n->in[0]),
                         w->codes[n->in[1]],  scale_of(w, n->in[1]), zero_of(w, n->in[1]),
                         scale_of(w, n->out), zero_of(w, n->out),    NULL };
    dt_onnx_node(w->m, "com.microsoft:QLinearAdd", in, raw, NULL);
    w->flat[n->out] = w->flat[n->in[0]];
    finish(w, n, raw);
    return DT_OK;
}

static dt_status emit_table(walk *w, const dt_int_node *n)
{
    const char *value = part(w, n, "/DequantizeLinear"), *raw = part(w, n, "/QuantizeLinear");
    add_grid(w, n);
    dt_onnx_node(
        w->m, "DequantizeLinear",
        (const char *[]){ w->codes[n->in[0]], scale_of(w, n->in[0]), zero_of(w, n->in[0]), NULL },
        value, NULL);
    dt_onnx_node(w->m, "QuantizeLinear",
                 (const char *[]){ value, scale_of(w, n->out), zero_of(w, n->out), NULL }, raw,
                 NULL);
    w->flat[n->out] = w->flat[n->in[0]];
    finish(w, n, raw);
    return DT_OK;
}

static dt_status emit_maxpool(walk *w, const dt_int_node *n)
{
    const dt_conv_shape *s = &n->shape;
    const dt_onnx_attr attr[] = {
        { .name = "kernel_shape", .count = 2, .ints = { s->KH, s->KW } },
        dt_onnx_pads(s),
        { .name = "strides", .count = 2, .ints = { s->SH, s->SW } },
        { .name = NULL },
    };
    add_grid(w, n);
    w->codes[n->out] = part(w, n, "/MaxPool");
    dt_onnx_node(w->m, "MaxPool", (const char *[]){ w->codes[n->in[0]], NULL }, w->codes[n->out],
                 attr);
    return DT_OK;
}

static dt_status emit_pad(walk *w, const dt_int_node *n)
{
    const dt_int_value *x = &w->model->value[n->in[0]], *y = &w->model->value[n->out];
    const char *one = part(w, n, ".weight.scale"), *zero = part(w, n, ".weight.zero_point");
    const char *weight = part(w, n, ".weight"), *raw = part(w, n, "/QLinearConv");
    const dt_shape shape = DT_SHAPE(y->C, x->C, 1, 1);
    signed char *bytes = dt_arena_get(dt_onnx_arena(w->m), (size_t)(y->C * x->C)), none = 0;
    const float unit = 1;
    if (!bytes) return no_memory(w);
    for (int64_t i = 0; i < x->C; i++)
        bytes[(n->before + i) * x->C + i] = 1;
    add_grid(w, n);
    dt_onnx_constant(w->m, weight, DT_ONNX_S8, &shape, bytes);
    dt_onnx_constant(w->m, one, DT_ONNX_FLOAT, &scalar, &unit);
    dt_onnx_constant(w->m, zero, DT_ONNX_S8, &scalar, &none);
    const dt_conv_shape s = { .H = x->H,
                              .W = x->W,
                              .OH = y->H,
                              .OW = y->W,
                              .KH = 1,
                              .KW = 1,
                              .SH = n->shape.SH,
                              .SW = n->shape.SW,
                              .G = 1 };
    const char *in[] = { w->codes[n->in[0]],
                         scale_of(w, n->in[0]),
                         zero_of(w, n->in[0]),
                         weight,
                         one,
                         zero,
                         scale_of(w, n->out),
                         zero_of(w, n->out),
                         NULL };
    conv_node(w, &s, in, raw);
    w->codes[n->out] = raw; /* inside the input's limits, as the zero point is */
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
                   "'%s' has no QOperator form here; --format onnx has", dt_int_kind_name[n->kind]);
}

static dt_status walk_model(const dt_export_source *src, const dt_int_model *model, dt_onnx *m,
                            dt_error *err)
{
    walk w = { .model = model, .m = m, .err = err };
    size_t values = (size_t)model->value_count;
    w.codes = dt_arena_get(dt_onnx_arena(m), values * sizeof *w.codes);
    w.flat = dt_arena_get(dt_onnx_arena(m), values * sizeof *w.flat);
    if (!w.codes || !w.flat) return no_memory(&w);
    const dt_shape *x = &src->graph->value[src->input].shape;
    const dt_shape picture = DT_SHAPE(x->dim[0], x->dim[3], x->dim[1], x->dim[2]);
    dt_onnx_input(m, "input", &picture);
    dt_onnx_output(m, "logits", &src->graph->value[src->logits].shape);
    for (int i = 0; i < model->node_count; i++)
        DT_TRY(emit(&w, &model->node[i]));
    dt_onnx_node(m, "DequantizeLinear",
                 (const char *[]){ w.codes[model->logits], scale_of(&w, model->logits),
                                   zero_of(&w, model->logits), NULL },
                 "logits", NULL);
    return DT_OK;
}

static dt_status write(const dt_export_source *src, const void *options, const char *path,
                       dt_export_report *out_report, dt_error *err)
{
    (void)options;
    return dt_onnx_write_model(src, "fp32", walk_model, path, out_report, err);
}

const dt_exporter dt_exporter_qoperator = {
    .row = { "qoperator", "ONNX, integer operators (com.microsoft): for onnxruntime alone" },
    .extension = "onnx",
    .write = write,
};
