/* QONNX, for FINN and hls4ml: float operators on whole numbers, and Quant nodes of any width
 * (domain qonnx.custom_op.general). Between two Quant nodes a value is code - zero point, so
 * products and sums are exact in float32 below 2^24, and what a Quant node rounds is the sum times
 * the float32 multiplier of the contract: whoever executes it gets our codes.
 *
 *   input    Div by the scale, Quant     product  Conv, MatMul and Add with whole biases
 *   requant  Mul by M, Quant             mean     GlobalAveragePool, M times the pixels
 *   add      Mul and Add as in the contract `unfused`, Quant
 *   table    Mul, Div, Quant             maxpool  MaxPool        pad  Conv with zeros and ones
 *
 * A weight's Quant has its trained bits and the gain as scale. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "exchange/layout.h"
#include "exchange/onnx/onnx_file.h"

enum { EXACT = 1 << 24 }; /* whole numbers that float32 can count */

typedef struct walk {
    const dt_int_model *model;
    dt_onnx *m;
    const char **whole; /* by value: the ONNX value that holds code - zero point, or the sum */
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

/* One number, as a constant. */
static const char *number(walk *w, const dt_int_node *n, const char *what, double value)
{
    const char *name = part(w, n, what);
    float v = (float)value;
    dt_onnx_constant(w->m, name, DT_ONNX_FLOAT, &scalar, &v);
    return name;
}

/* x op a number. */
static const char *apply(walk *w, const dt_int_node *n, const char *op, const char *what,
                         const char *x, double value)
{
    const char *out = dt_onnx_text(w->m, "%s%s/%s", n->name, what, op);
    const char *in[] = { x, number(w, n, what, value), NULL };
    dt_onnx_node(w->m, op, in, out, NULL);
    return out;
}

typedef struct width {
    int bits;
    bool is_signed, narrow, clipped; /* clipped: the range is no power of two */
} width;

static int bits_for(int count)
{
    int bits = 1;
    while (1 << bits < count)
        bits++;
    return bits;
}

/* The Quant that has the codes of a grid: unsigned from the zero point up (behind a ReLU), or
 * signed around it. Quant adds a zero point of its own before it rounds, which moves ties; so it
 * stays 0, and an offset is part of a wider signed range. */
static width width_of(const dt_lower_grid *g)
{
    int below = g->zero_point - g->low, above = g->high - g->zero_point;
    int bits = bits_for(2 * (below > above + 1 ? below : above + 1)), half = 1 << (bits - 1);
    if (below == 0) {
        bits = bits_for(above + 1);
        return (width){ .bits = bits, .clipped = above + 1 != 1 << bits };
    }
    bool narrow = below == half - 1 && above == half - 1;
    return (width){ .bits = bits,
                    .is_signed = true,
                    .narrow = narrow,
                    .clipped = !narrow && (below != half || above != half - 1) };
}

static void quant_node(walk *w, const char *name, const char *x, const char *scale, width q,
                       const char *out)
{
    const float zero = 0, bits = (float)q.bits;
    const char *z = dt_onnx_text(w->m, "%s.zero_point", name);
    const char *b = dt_onnx_text(w->m, "%s.bits", name);
    dt_onnx_constant(w->m, z, DT_ONNX_FLOAT, &scalar, &zero);
    dt_onnx_constant(w->m, b, DT_ONNX_FLOAT, &scalar, &bits);
    const dt_onnx_attr attr[] = { { .name = "signed", .i = q.is_signed },
                                  { .name = "narrow", .i = q.narrow },
                                  { .name = "rounding_mode", .text = "ROUND" },
                                  { .name = NULL } };
    dt_onnx_node(w->m, "qonnx.custom_op.general:Quant", (const char *[]){ x, scale, z, b, NULL },
                 out, attr);
}

/* Ends a node on its grid. */
static void end_node(walk *w, const dt_int_node *n, const char *x)
{
    const dt_lower_grid *g = &w->model->value[n->out].grid;
    const width q = width_of(g);
    const char *out = part(w, n, "/Quant");
    quant_node(w, n->name, x, number(w, n, ".unit", 1), q, out);
    w->whole[n->out] = out;
    if (!q.clipped) return;
    const char *in[] = { out, number(w, n, ".low", g->low - g->zero_point),
                         number(w, n, ".high", g->high - g->zero_point), NULL };
    w->whole[n->out] = part(w, n, "/Clip");
    dt_onnx_node(w->m, "Clip", in, w->whole[n->out], NULL);
}

static dt_status emit_input(walk *w, const dt_int_node *n)
{
    double scale = (double)w->model->value[n->out].grid.scale;
    end_node(w, n, apply(w, n, "Div", ".scale", "input", scale));
    return DT_OK;
}

/* The fewest bits, at least those trained, that hold all codes without the gain. */
static width weight_width(const dt_int_node *n, size_t count)
{
    int low = 0, high = 0, bits = n->bits;
    for (size_t i = 0; i < count; i++) {
        int code = n->weight[i] / n->gain;
        if (code < low) low = code;
        if (code > high) high = code;
    }
    while (low < -(1 << (bits - 1)) || high >= 1 << (bits - 1))
        bits++;
    return (width){ .bits = bits, .is_signed = true };
}

/* Weights behind a Quant; [O,I,KH,KW], or [I,O] for a MatMul. NULL: no memory. */
static const char *weight_value(walk *w, const dt_int_node *n, bool linear)
{
    const dt_conv_shape *s = &n->shape;
    const dt_shape ohwi = DT_SHAPE(s->O, s->KH, s->KW, s->C / s->G);
    const dt_shape shape =
        linear ? DT_SHAPE(s->C, s->O) : DT_SHAPE(s->O, s->C / s->G, s->KH, s->KW);
    size_t count = (size_t)dt_shape_count(&ohwi);
    float *codes = dt_arena_get(dt_onnx_arena(w->m), count * sizeof *codes);
    float *foreign = dt_arena_get(dt_onnx_arena(w->m), count * sizeof *foreign);
    if (!codes || !foreign) return NULL;
    for (size_t i = 0; i < count; i++)
        codes[i] = n->weight[i];
    dt_layout_to_foreign(&ohwi, sizeof *codes, codes, foreign);
    for (int64_t o = 0; linear && o < s->O; o++)
        for (int64_t i = 0; i < s->C; i++)
            foreign[i * s->O + o] = codes[o * s->C + i];
    const char *name = part(w, n, ".weight"), *out = part(w, n, ".weight/Quant");
    dt_onnx_constant(w->m, name, DT_ONNX_FLOAT, &shape, foreign);
    quant_node(w, name, name, number(w, n, ".weight.scale", n->gain), weight_width(n, count), out);
    return out;
}

/* A row of numbers by output, [O] or [1,O,1,1]. NULL: no memory. */
static float *row(walk *w, int64_t count)
{
    return dt_arena_get(dt_onnx_arena(w->m), (size_t)count * sizeof(float));
}

static dt_status emit_product(walk *w, const dt_int_node *n)
{
    const dt_conv_shape *s = &n->shape;
    const dt_int_value *y = &w->model->value[n->out];
    bool linear = w->flat[n->in[0]], exact = true;
    const char *weight = weight_value(w, n, linear), *bias = part(w, n, ".bias");
    const dt_shape outputs = DT_SHAPE(s->O);
    float *whole = row(w, s->O);
    if (!weight || !whole) return no_memory(w);
    for (int64_t o = 0; o < s->O; o++) {
        whole[o] = (float)n->bias[o];
        exact = exact && y->low[o] >= -EXACT && y->high[o] <= EXACT;
    }
    dt_onnx_constant(w->m, bias, DT_ONNX_FLOAT, &outputs, whole);
    if (!exact)
        dt_onnx_meta(w->m, dt_onnx_text(w->m, "detent.inexact.%s", n->name),
                     "sums may pass 2^24, which float32 does not count one by one");
    w->flat[n->out] = linear;
    w->whole[n->out] = part(w, n, linear ? "/Add" : "/Conv");
    if (linear) {
        const char *sums = part(w, n, "/MatMul");
        dt_onnx_node(w->m, "MatMul", (const char *[]){ w->whole[n->in[0]], weight, NULL }, sums,
                     NULL);
        dt_onnx_node(w->m, "Add", (const char *[]){ sums, bias, NULL }, w->whole[n->out], NULL);
        return DT_OK;
    }
    const dt_onnx_attr attr[] = {
        { .name = "group", .i = s->G },
        { .name = "kernel_shape", .count = 2, .ints = { s->KH, s->KW } },
        dt_onnx_pads(s),
        { .name = "strides", .count = 2, .ints = { s->SH, s->SW } },
        { .name = NULL },
    };
    dt_onnx_node(w->m, "Conv", (const char *[]){ w->whole[n->in[0]], weight, bias, NULL },
                 w->whole[n->out], attr);
    return DT_OK;
}

static dt_status emit_mean(walk *w, const dt_int_node *n)
{
    const char *pool = part(w, n, "/GlobalAveragePool"), *out = part(w, n, "/Flatten");
    const dt_onnx_attr axis[] = { { .name = "axis", .i = 1 }, { .name = NULL } };
    dt_onnx_node(w->m, "GlobalAveragePool", (const char *[]){ w->whole[n->in[0]], NULL }, pool,
                 NULL);
    dt_onnx_node(w->m, "Flatten", (const char *[]){ pool, NULL }, out, axis);
    w->whole[n->out] = out;
    w->flat[n->out] = true;
    return DT_OK;
}

static dt_status emit_requant(walk *w, const dt_int_node *n)
{
    const dt_int_node *from = dt_int_producer(w->model, n->in[0]);
    int64_t C = w->model->value[n->out].C;
    bool flat = w->flat[n->in[0]];
    const dt_shape shape = flat ? DT_SHAPE(C) : DT_SHAPE(1, C, 1, 1);
    const char *m = part(w, n, ".multiplier"), *scaled = part(w, n, "/Mul");
    float *M = row(w, C);
    if (!M) return no_memory(w);
    for (int64_t c = 0; c < C; c++)
        M[c] = n->multiplier[c].f * (from->kind == DT_INT_MEAN ? (float)from->pixels : 1);
    dt_onnx_constant(w->m, m, DT_ONNX_FLOAT, &shape, M);
    dt_onnx_node(w->m, "Mul", (const char *[]){ w->whole[n->in[0]], m, NULL }, scaled, NULL);
    w->flat[n->out] = flat;
    end_node(w, n, scaled);
    return DT_OK;
}

/* fixed + a a_ratio + b b_ratio with the codes themselves, from left to right; see contract.c. */
static dt_status emit_add(walk *w, const dt_int_node *n)
{
    const dt_adder *r = &n->adder;
    const char *a = w->whole[n->in[0]], *b = w->whole[n->in[1]], *sum = part(w, n, "/Add");
    if (r->a.zero_point) a = apply(w, n, "Add", ".a.zero_point", a, r->a.zero_point);
    if (r->b.zero_point) b = apply(w, n, "Add", ".b.zero_point", b, r->b.zero_point);
    a = apply(w, n, "Mul", ".a.ratio", a, (double)r->a_ratio);
    b = apply(w, n, "Mul", ".b.ratio", b, (double)r->b_ratio);
    if (r->fixed != 0) a = apply(w, n, "Add", ".fixed", a, (double)r->fixed);
    dt_onnx_node(w->m, "Add", (const char *[]){ a, b, NULL }, sum, NULL);
    if (r->y.zero_point) sum = apply(w, n, "Sub", ".zero", sum, r->y.zero_point);
    w->flat[n->out] = w->flat[n->in[0]];
    end_node(w, n, sum);
    return DT_OK;
}

static dt_status emit_table(walk *w, const dt_int_node *n)
{
    const dt_lower_grid *x = &w->model->value[n->in[0]].grid, *y = &w->model->value[n->out].grid;
    const char *value = apply(w, n, "Mul", ".from", w->whole[n->in[0]], (double)x->scale);
    w->flat[n->out] = w->flat[n->in[0]];
    end_node(w, n, apply(w, n, "Div", ".to", value, (double)y->scale));
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
    w->whole[n->out] = part(w, n, "/MaxPool");
    dt_onnx_node(w->m, "MaxPool", (const char *[]){ w->whole[n->in[0]], NULL }, w->whole[n->out],
                 attr);
    return DT_OK;
}

static dt_status emit_pad(walk *w, const dt_int_node *n)
{
    int64_t I = w->model->value[n->in[0]].C, O = w->model->value[n->out].C;
    const dt_shape shape = DT_SHAPE(O, I, 1, 1);
    const char *weight = part(w, n, ".weight"), *out = part(w, n, ".weight/Quant");
    float *ones = row(w, O * I);
    if (!ones) return no_memory(w);
    for (int64_t i = 0; i < I; i++)
        ones[(n->before + i) * I + i] = 1;
    dt_onnx_constant(w->m, weight, DT_ONNX_FLOAT, &shape, ones);
    quant_node(w, weight, weight, number(w, n, ".weight.scale", 1),
               (width){ .bits = 2, .is_signed = true }, out);
    const dt_onnx_attr attr[] = {
        { .name = "kernel_shape", .count = 2, .ints = { 1, 1 } },
        { .name = "strides", .count = 2, .ints = { n->shape.SH, n->shape.SW } },
        { .name = NULL },
    };
    w->whole[n->out] = part(w, n, "/Conv");
    dt_onnx_node(w->m, "Conv", (const char *[]){ w->whole[n->in[0]], out, NULL }, w->whole[n->out],
                 attr);
    return DT_OK;
}

static dt_status (*const emitters[DT_INT_KINDS])(walk *w, const dt_int_node *n) = {
    [DT_INT_INPUT] = emit_input,     [DT_INT_PRODUCT] = emit_product, [DT_INT_MEAN] = emit_mean,
    [DT_INT_REQUANT] = emit_requant, [DT_INT_ADD] = emit_add,         [DT_INT_TABLE] = emit_table,
    [DT_INT_MAXPOOL] = emit_maxpool, [DT_INT_PAD] = emit_pad,
};

static dt_status walk_model(const dt_export_source *src, const dt_int_model *model, dt_onnx *m,
                            dt_error *err)
{
    walk state = { .model = model, .m = m, .err = err }, *w = &state;
    size_t values = (size_t)model->value_count;
    w->whole = dt_arena_get(dt_onnx_arena(w->m), values * sizeof *w->whole);
    w->flat = dt_arena_get(dt_onnx_arena(w->m), values * sizeof *w->flat);
    if (!w->whole || !w->flat) return no_memory(w);
    const dt_shape *x = &src->graph->value[src->input].shape;
    const dt_shape picture = DT_SHAPE(x->dim[0], x->dim[3], x->dim[1], x->dim[2]);
    dt_onnx_input(w->m, "input", &picture);
    dt_onnx_output(w->m, "logits", &src->graph->value[src->logits].shape);
    for (int i = 0; i < model->node_count; i++) {
        const dt_int_node *n = &model->node[i];
        if (!emitters[n->kind])
            return dt_fail(w->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = n->name },
                           "'%s' has no QONNX form here; --format onnx has",
                           dt_int_kind_name[n->kind]);
        DT_TRY(emitters[n->kind](w, n));
    }
    const float scale = model->value[model->logits].grid.scale;
    dt_onnx_constant(w->m, "logits.scale", DT_ONNX_FLOAT, &scalar, &scale);
    dt_onnx_node(w->m, "Mul", (const char *[]){ w->whole[model->logits], "logits.scale", NULL },
                 "logits", NULL);
    return DT_OK;
}

static dt_status write(const dt_export_source *src, const void *options, const char *path,
                       dt_export_report *out_report, dt_error *err)
{
    (void)options;
    return dt_onnx_write_model(src, "unfused", walk_model, path, out_report, err);
}

const dt_exporter dt_exporter_qonnx = {
    .row = { "qonnx", "QONNX, Quant nodes of any width: for FINN and hls4ml" },
    .extension = "onnx",
    .write = write,
};
