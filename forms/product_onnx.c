/* Products in the three kinds of ONNX. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "autograd/op_conv2d.h"
#include "autograd/query.h"
#include "exchange/layout.h"
#include "forms/product.h"

/* ---- ONNX ---- */

/* With the batch norm that is part of it. */
static dt_status onnx_product(dt_onnx_walker *w, const dt_node *node, const char *op,
                              const dt_onnx_attr *attr)
{
    const dt_node *norm = dt_query_norm(w->src->graph, w->needed, node), *last = norm ? norm : node;
    const dt_lower_product *p = w->l->product[dt_query_index(w->src->graph, node)];
    const char *x = dt_onnx_floats(w, node->in[0]), *out = dt_onnx_out(w, last, op);
    DT_TRY(dt_onnx_product(w, node->name, p, op, x, out, attr));
    return dt_onnx_set(w, last, out);
}

static dt_status onnx_conv(dt_onnx_walker *w, const dt_node *node)
{
    const dt_conv2d_conf *c = node->conf;
    const dt_shape *k = &w->src->graph->value[node->in[1]].shape; /* [O,KH,KW,I] */
    const dt_onnx_attr attr[] = {
        { .name = "group", .i = c->groups },
        { .name = "kernel_shape", .count = 2, .ints = { k->dim[1], k->dim[2] } },
        { .name = "pads",
          .count = 4,
          .ints = { c->pad_h, c->pad_w, c->pad_h + c->more_h, c->pad_w + c->more_w } },
        { .name = "strides", .count = 2, .ints = { c->stride_h, c->stride_w } },
        dt_onnx_dilations(c->skip_h, c->skip_w),
        { .name = NULL },
    };
    return onnx_product(w, node, "Conv", attr);
}

/* Are all readers slices, which write their part of the layer themselves? */
static bool is_sliced(const dt_onnx_walker *w, int value)
{
    const dt_graph *g = w->src->graph;
    for (int i = 0; i < g->node_count; i++)
        for (int k = 0; w->needed[i] && k < g->node[i].in_count; k++)
            if (g->node[i].in[k] == value && !g->node[i].op->part) return false;
    return !dt_lower_is_output(w->src, value);
}

static dt_status onnx_linear(dt_onnx_walker *w, const dt_node *node)
{
    if (is_sliced(w, node->out[0])) return DT_OK;
    const dt_onnx_attr attr[] = { { .name = "transB", .i = 1 }, { .name = NULL } };
    return onnx_product(w, node, "Gemm", attr);
}

dt_status dt_product_onnx(dt_onnx_walker *w, const dt_node *node)
{
    bool rows = w->src->graph->value[node->in[node->op->product->w]].shape.rank == 2;
    return rows ? onnx_linear(w, node) : onnx_conv(w, node);
}

/* ---- QOperator ---- */

/* Is every scale the same? One number then. */
static bool per_tensor(const dt_int_node *n)
{
    for (int64_t o = 1; o < n->shape.O; o++)
        if (n->w_scale[o] != n->w_scale[0]) return false;
    return true;
}

/* Weight, its scale and zero point, and bias of a product. Codes beyond 64 become uint8: pairs of
 * products of uint8 with int8 may saturate on processors without VNNI. */
static dt_status add_constants(dt_qoperator_walk *w, const dt_int_node *n)
{
    const dt_conv_shape *s = &n->shape;
    const dt_shape ohwi = DT_SHAPE(s->O, s->KH, s->KW, s->C / s->G);
    size_t count = (size_t)dt_shape_count(&ohwi), groups = per_tensor(n) ? 1 : (size_t)s->O;
    unsigned char *byte = dt_arena_get(dt_onnx_arena(w->m), count);
    unsigned char *foreign = dt_arena_get(dt_onnx_arena(w->m), count);
    unsigned char *zero = dt_arena_get(dt_onnx_arena(w->m), groups);
    bool wide = false;
    if (!byte || !foreign || !zero) return dt_qoperator_no_memory(w);
    for (size_t i = 0; i < count; i++)
        wide = wide || abs(n->weight[i]) > 64;
    for (size_t i = 0; i < count; i++)
        byte[i] = (unsigned char)(wide ? n->weight[i] + 128 : n->weight[i]);
    for (size_t i = 0; i < groups; i++)
        zero[i] = wide ? 128 : 0;
    dt_layout_to_foreign(&ohwi, 1, byte, foreign);
    const dt_onnx_type type = wide ? DT_ONNX_U8 : DT_ONNX_S8;
    const dt_shape each = groups > 1 ? DT_SHAPE(s->O) : dt_onnx_scalar;
    const dt_shape flat = DT_SHAPE(s->O, s->C), oihw = DT_SHAPE(s->O, s->C / s->G, s->KH, s->KW);
    const dt_shape outputs = DT_SHAPE(s->O);
    dt_onnx_weight(w->m, dt_qoperator_part(w, n, ".weight"), type,
                   w->flat[n->in[0]] ? &flat : &oihw, foreign, n->bits);
    dt_onnx_constant(w->m, dt_qoperator_part(w, n, ".weight.scale"), DT_ONNX_FLOAT, &each,
                     n->w_scale);
    dt_onnx_constant(w->m, dt_qoperator_part(w, n, ".weight.zero_point"), type, &each, zero);
    dt_onnx_constant(w->m, dt_qoperator_part(w, n, ".bias"), DT_ONNX_S32, &outputs, n->bias);
    if (n->gain > 1)
        dt_onnx_meta(w->m, dt_onnx_text(w->m, "detent.gain.%s", n->name),
                     dt_onnx_text(w->m, "%d", n->gain));
    return DT_OK;
}

/* Sums are no value of the file: the operator ends on codes, once for each reader of the sums. */
dt_status dt_product_qoperator(dt_qoperator_walk *w, const dt_int_node *product,
                               const dt_int_node *n)
{
    const char *x = w->codes[product->in[0]], *xs = dt_qoperator_scale(w, product->in[0]);
    const char *xz = dt_qoperator_zero(w, product->in[0]),
               *bias = dt_qoperator_part(w, product, ".bias"), *raw;
    const char *weight = dt_qoperator_part(w, product, ".weight"),
               *ws = dt_qoperator_part(w, product, ".weight.scale");
    const char *wz = dt_qoperator_part(w, product, ".weight.zero_point");
    const char *ys = dt_qoperator_scale(w, n->out), *yz = dt_qoperator_zero(w, n->out);
    if (!w->codes[product->out]) DT_TRY(add_constants(w, product));
    w->codes[product->out] = weight;
    if (w->flat[product->in[0]]) {
        const dt_onnx_attr attr[] = { { .name = "transB", .i = 1 }, { .name = NULL } };
        const char *in[] = { x, xs, xz, weight, ws, wz, bias, ys, yz, NULL };
        raw = dt_qoperator_part(w, n, "/QGemm");
        dt_onnx_node(w->m, product->form->ort_rows, in, raw, attr);
    } else {
        const char *in[] = { x, xs, xz, weight, ws, wz, ys, yz, bias, NULL };
        dt_qoperator_conv(w, &product->shape, in, raw = dt_qoperator_part(w, n, "/QLinearConv"));
    }
    w->flat[n->out] = w->flat[product->in[0]];
    dt_qoperator_finish(w, n, raw);
    return DT_OK;
}

/* ---- QONNX ---- */

enum { EXACT = 1 << 24 }; /* whole numbers that float32 can count */

/* The fewest bits, at least those trained, that hold all codes without the gain. */
static dt_qonnx_width weight_width(const dt_int_node *n, size_t count)
{
    int low = 0, high = 0, bits = n->bits;
    for (size_t i = 0; i < count; i++) {
        int code = n->weight[i] / n->gain;
        if (code < low) low = code;
        if (code > high) high = code;
    }
    while (low < -(1 << (bits - 1)) || high >= 1 << (bits - 1))
        bits++;
    return (dt_qonnx_width){ .bits = bits, .is_signed = true };
}

/* Weights behind a Quant; [O,I,KH,KW], or [I,O] for a MatMul. NULL: no memory. */
static const char *weight_value(dt_qonnx_walk *w, const dt_int_node *n, bool linear)
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
    const char *name = dt_qonnx_part(w, n, ".weight"), *out = dt_qonnx_part(w, n, ".weight/Quant");
    dt_onnx_constant(w->m, name, DT_ONNX_FLOAT, &shape, foreign);
    dt_qonnx_quant(w, name, name, dt_qonnx_number(w, n, ".weight.scale", n->gain),
                   weight_width(n, count), out);
    return out;
}

dt_status dt_product_qonnx(dt_qonnx_walk *w, const dt_int_node *n)
{
    const dt_conv_shape *s = &n->shape;
    const dt_int_value *y = &w->model->value[n->out];
    bool linear = w->flat[n->in[0]], exact = true;
    const char *weight = weight_value(w, n, linear), *bias = dt_qonnx_part(w, n, ".bias");
    const dt_shape outputs = DT_SHAPE(s->O);
    float *whole = dt_qonnx_row(w, s->O);
    if (!weight || !whole) return dt_qonnx_no_memory(w);
    for (int64_t o = 0; o < s->O; o++) {
        whole[o] = (float)n->bias[o];
        exact = exact && y->low[o] >= -EXACT && y->high[o] <= EXACT;
    }
    dt_onnx_constant(w->m, bias, DT_ONNX_FLOAT, &outputs, whole);
    if (!exact)
        dt_onnx_meta(w->m, dt_onnx_text(w->m, "detent.inexact.%s", n->name),
                     "sums may pass 2^24, which float32 does not count one by one");
    w->flat[n->out] = linear;
    w->whole[n->out] = dt_qonnx_part(w, n, linear ? "/Add" : "/Conv");
    if (linear) {
        const char *sums = dt_qonnx_part(w, n, "/MatMul");
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
        dt_onnx_dilations(s->DH, s->DW),
        { .name = NULL },
    };
    dt_onnx_node(w->m, "Conv", (const char *[]){ w->whole[n->in[0]], weight, bias, NULL },
                 w->whole[n->out], attr);
    return DT_OK;
}
