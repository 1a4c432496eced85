/* The mean over windows, as the convolution that it is: a weight of 1 for every pixel of a
 * channel's window, with the scale 1 / pixels. So every executor, proof and format has it as a
 * product. Padding that is left out of the mean would want another divisor at the border, which no
 * product has. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_avgpool.h"

#include "autograd/query.h"
#include "exchange/onnx/onnx_walker.h"
#include "integer/builder.h"

enum { TRAINED_BITS = 2 }; /* that hold the code 1 */

static dt_conv_shape shape_of(const dt_graph *g, const dt_node *n)
{
    const dt_avgpool_conf *c = n->conf;
    return dt_window_shape(&c->window, &g->value[n->in[0]].shape, &g->value[n->out[0]].shape);
}

static bool is_even(const dt_graph *g, const dt_node *n)
{
    return dt_avgpool_is_even(n->conf, &g->value[n->in[0]].shape, &g->value[n->out[0]].shape);
}

static const char uneven[] = "averages windows without the padding in them, of which those at the "
                             "border have another divisor; with count_include_pad it has a form";

static dt_status lower(dt_int_builder *b, const dt_node *n)
{
    const dt_conv_shape s = shape_of(b->g, n);
    int x;
    DT_TRY(dt_int_codes_of(b, n, 0, "its input", &x));
    const dt_lower_grid grid = b->m->value[x].grid;
    if (!is_even(b->g, n)) return dt_int_refuse(b, n, uneven);
    if (dt_window_is_padded(&s) && (grid.zero_point < grid.low || grid.zero_point > grid.high))
        return dt_int_refuse(b, n, "it pads with zeros, which its input's codes cannot say");
    dt_int_node *node = dt_int_add_of(b, &dt_form_product, n, x);
    if (!node) return dt_int_no_memory(b->err);
    size_t O = (size_t)s.O, K = (size_t)(s.KH * s.KW);
    dt_arena *arena = b->m->arena;
    node->shape = s;
    node->x_scale = grid.scale;
    node->weight = dt_arena_get(arena, O * K);
    node->negated = dt_arena_get(arena, O * sizeof *node->negated);
    node->bias = dt_arena_get(arena, O * sizeof *node->bias);
    node->w_scale = dt_arena_get(arena, O * sizeof *node->w_scale);
    if (!node->weight || !node->negated || !node->bias || !node->w_scale)
        return dt_int_no_memory(b->err);
    for (size_t i = 0; i < O * K; i++)
        node->weight[i] = 1;
    for (size_t o = 0; o < O; o++)
        node->w_scale[o] = (float)(1 / (double)K);
    node->bits = TRAINED_BITS;
    node->gain = 1;
    DT_TRY(dt_int_set_reach(b, n, node, (int64_t)K));
    dt_int_set_waiting(b, n, &dt_form_requant, &node->out, 1);
    return DT_OK;
}

/* Weights [C,1,KH,KW] behind a DequantizeLinear. NULL: no memory. */
static const char *ones(dt_onnx_walker *w, const dt_node *n, const dt_conv_shape *s)
{
    const dt_shape shape = DT_SHAPE(s->C, 1, s->KH, s->KW);
    size_t count = (size_t)dt_shape_count(&shape);
    const float scale = (float)(1 / (double)(s->KH * s->KW));
    const signed char zero = 0;
    signed char *codes = dt_arena_get(dt_onnx_arena(w->m), count);
    for (size_t i = 0; codes && i < count; i++)
        codes[i] = 1;
    if (!codes) return NULL;
    const char *name = dt_onnx_text(w->m, "%s.weight", n->name);
    const char *in[] = { name, dt_onnx_text(w->m, "%s.scale", name),
                         dt_onnx_text(w->m, "%s.zero_point", name), NULL };
    const char *out = dt_onnx_text(w->m, "%s/DequantizeLinear", name);
    dt_onnx_constant(w->m, name, DT_ONNX_S8, &shape, codes);
    dt_onnx_constant(w->m, in[1], DT_ONNX_FLOAT, &dt_onnx_scalar, &scale);
    dt_onnx_constant(w->m, in[2], DT_ONNX_S8, &dt_onnx_scalar, &zero);
    dt_onnx_node(w->m, "DequantizeLinear", in, out, NULL);
    return out;
}

static dt_status in_float(dt_onnx_walker *w, const dt_node *n, const dt_conv_shape *s)
{
    const dt_avgpool_conf *c = n->conf;
    dt_onnx_attr pads = dt_onnx_pads(s);
    if (c->over_h || c->over_w) { /* what is beyond the padding makes ceil_mode of it again */
        pads.ints[2] = s->PH + c->window.more_h - c->over_h;
        pads.ints[3] = s->PW + c->window.more_w - c->over_w;
    }
    const dt_onnx_attr attr[] = {
        { .name = "ceil_mode", .i = c->over_h || c->over_w },
        { .name = "count_include_pad", .i = c->count_pad },
        { .name = "kernel_shape", .count = 2, .ints = { s->KH, s->KW } },
        pads,
        { .name = "strides", .count = 2, .ints = { s->SH, s->SW } },
        { .name = NULL },
    };
    return dt_onnx_simple(w, n, "AveragePool", attr);
}

static dt_status onnx(dt_onnx_walker *w, const dt_node *n)
{
    const dt_conv_shape s = shape_of(w->src->graph, n);
    if (!is_even(w->src->graph, n) || !dt_query_site(w->src->graph, n->in[0]))
        return in_float(w, n, &s);
    const dt_onnx_attr attr[] = {
        { .name = "group", .i = s.G },
        { .name = "kernel_shape", .count = 2, .ints = { s.KH, s.KW } },
        dt_onnx_pads(&s),
        { .name = "strides", .count = 2, .ints = { s.SH, s.SW } },
        { .name = NULL },
    };
    const char *in[] = { dt_onnx_floats(w, n->in[0]), ones(w, n, &s), NULL };
    const char *out = dt_onnx_out(w, n, "Conv");
    if (!in[1]) return dt_onnx_no_memory(w->err);
    dt_onnx_node(w->m, "Conv", in, out, attr);
    return dt_onnx_set(w, n, out);
}

const dt_form dt_form_avgpool = {
    .name = "avgpool",
    .lower = lower,
    .onnx = onnx,
};
