/* One function for each op of the graph. Activations are [N,H,W,C] in the graph and [N,C,H,W] in
 * ONNX; nothing else depends on the layout. The forms below are those that onnxruntime fuses into
 * QLinearConv, QLinearAdd, QLinearGlobalAveragePool and QGemm: activations are always uint8, a
 * relu is followed by a zero point of 0, sub-byte grids are an integer Clip between Q and DQ. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_batchnorm.h"
#include "autograd/op_conv2d.h"
#include "autograd/op_maxpool.h"
#include "autograd/op_pad_channels.h"
#include "autograd/op_relu6.h"
#include "autograd/quantizer.h"
#include "autograd/query.h"
#include "exchange/onnx/onnx_parts.h"

#include <math.h>
#include <string.h>

/* A node with one input and one output that takes the place of a graph node. */
static dt_status simple(dt_onnx_walker *w, const dt_node *node, const char *op,
                        const dt_onnx_attr *attr)
{
    const char *x = dt_onnx_floats(w, node->in[0]);
    return dt_onnx_set(w, node, dt_onnx_unary(w, op, x, dt_onnx_out(w, node, op), attr));
}

/* Is a ReLU the lower limit of the codes behind it? Runtimes join a ReLU with its operator where
 * the zero point is the lowest code; with another one this says the same in integers. */
static bool is_limit(const dt_onnx_walker *w, const dt_node *relu)
{
    const dt_graph *g = w->src->graph;
    double low, high;
    if (!relu->op->limits || relu->out[0] == w->src->logits || w->params->symmetric) return false;
    relu->op->limits(relu->conf, &low, &high);
    bool is = low == 0 && isinf(high);
    for (int i = 0; is && i < g->node_count; i++)
        for (int k = 0; w->needed[i] && k < g->node[i].in_count; k++)
            if (g->node[i].in[k] == relu->out[0])
                is = is && w->l->grid[i] && w->l->grid[i]->zero_point > w->l->grid[i]->low;
    return is;
}

/* *x within the values of a grid: in float, for int8 codes that a grid does not use. */
static dt_status limit(dt_onnx_walker *w, const dt_node *node, const dt_lower_grid *g,
                       const char **x)
{
    const float low = (float)(g->low - g->zero_point) * g->scale;
    const float high = (float)(g->high - g->zero_point) * g->scale;
    if (g->high - g->zero_point > 127 || g->low - g->zero_point < -128)
        return dt_fail(w->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = node->name },
                       "codes %d..%d around zero point %d do not fit int8", g->low, g->high,
                       g->zero_point);
    if (g->high - g->zero_point == 127 && g->low - g->zero_point == -128) return DT_OK;
    const char *in[] = { *x, dt_onnx_text(w->m, "%s.least", node->name),
                         dt_onnx_text(w->m, "%s.most", node->name), NULL };
    dt_onnx_constant(w->m, in[1], DT_ONNX_FLOAT, &dt_onnx_scalar, &low);
    dt_onnx_constant(w->m, in[2], DT_ONNX_FLOAT, &dt_onnx_scalar, &high);
    *x = dt_onnx_text(w->m, "%s/Limit", node->name);
    dt_onnx_node(w->m, "Clip", in, *x, NULL);
    return DT_OK;
}

/* onnxruntime's fused softmax multiplies in 32 bits by the inverse of the step. Above 128 times the
 * length of a row, rounded up to a power of two, that wraps and gives any code (measured for rows
 * of 8, 65 and 197). A float limit in front of the quantizer keeps such a softmax in float. */
static bool is_beyond_softmax(const dt_onnx_walker *w, int value, const dt_lower_grid *g)
{
    const dt_value *v = &w->src->graph->value[value];
    const dt_node *maker = dt_query_maker(w->src->graph, value);
    bool softmax = maker && maker->op->row_shares;
    int64_t row = v->shape.dim[v->shape.rank - 1];
    return !w->params->symmetric && softmax && (double)g->scale * 100 * (double)row < 1;
}

/* A value that is quantized already is quantized again through a Clip even when that changes
 * nothing: onnxruntime joins bare Q-DQ-Q-DQ chains into one with a scale of its own making. */
static dt_status emit_fakequant(dt_onnx_walker *w, const dt_node *node)
{
    const dt_fakequant_conf *c = node->conf;
    if (c->site.weight) return DT_OK; /* part of its conv or linear */
    dt_lower_grid g = *w->l->grid[dt_query_index(w->src->graph, node)];
    int producer = w->src->graph->value[node->in[0]].producer;
    if (producer >= 0 && is_limit(w, &w->src->graph->node[producer])) g.low = g.zero_point;
    const char *x = dt_onnx_raw(w, node->in[0]);
    bool again = dt_query_site(w->src->graph, node->in[0]) != NULL;
    bool clip = !w->params->symmetric && (g.low > 0 || g.high < 255 || again);
    dt_onnx_constant(w->m, dt_onnx_text(w->m, "%s.scale", node->name), DT_ONNX_FLOAT,
                     &dt_onnx_scalar, &g.scale);
    dt_onnx_byte(w, dt_onnx_text(w->m, "%s.zero_point", node->name),
                 w->params->symmetric ? 0 : g.zero_point);
    if (clip) {
        dt_onnx_byte(w, dt_onnx_text(w->m, "%s.low", node->name), g.low);
        dt_onnx_byte(w, dt_onnx_text(w->m, "%s.high", node->name), g.high);
    }
    if (w->params->symmetric || is_beyond_softmax(w, node->in[0], &g))
        DT_TRY(limit(w, node, &g, &x));
    const dt_onnx_site site = { node->name, g.scale, clip };
    return dt_onnx_quantize(w, &site, node, x, w->value[node->in[0]]);
}

/* With the batch norm that is part of it. */
static dt_status emit_product(dt_onnx_walker *w, const dt_node *node, const char *op,
                              const dt_onnx_attr *attr)
{
    const dt_node *norm = dt_query_norm(w->src->graph, w->needed, node), *last = norm ? norm : node;
    const dt_lower_product *p = w->l->product[dt_query_index(w->src->graph, node)];
    const char *x = dt_onnx_floats(w, node->in[0]), *out = dt_onnx_out(w, last, op);
    DT_TRY(dt_onnx_product(w, node->name, p, op, x, out, attr));
    return dt_onnx_set(w, last, out);
}

static dt_status emit_conv(dt_onnx_walker *w, const dt_node *node)
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
        { .name = NULL },
    };
    return emit_product(w, node, "Conv", attr);
}

/* Are all readers slices, which write their part of the layer themselves? */
static bool is_sliced(const dt_onnx_walker *w, int value)
{
    const dt_graph *g = w->src->graph;
    for (int i = 0; i < g->node_count; i++)
        for (int k = 0; w->needed[i] && k < g->node[i].in_count; k++)
            if (g->node[i].in[k] == value && !g->node[i].op->part) return false;
    return value != w->src->logits;
}

static dt_status emit_linear(dt_onnx_walker *w, const dt_node *node)
{
    if (is_sliced(w, node->out[0])) return DT_OK;
    const dt_onnx_attr attr[] = { { .name = "transB", .i = 1 }, { .name = NULL } };
    return emit_product(w, node, "Gemm", attr);
}

static dt_status emit_batchnorm(dt_onnx_walker *w, const dt_node *node)
{
    if (w->value[node->out[0]]) return DT_OK; /* folded into its conv */
    const dt_batchnorm_conf *c = node->conf;
    const char *in[DT_ONNX_MAX_IN + 1] = { dt_onnx_floats(w, node->in[0]) };
    for (int i = 1; i <= DT_BN_VAR; i++) {
        const dt_value *v = &w->src->graph->value[node->in[i]];
        dt_onnx_constant(w->m, v->name, DT_ONNX_FLOAT, &v->shape, w->src->state->data[node->in[i]]);
        in[i] = v->name;
    }
    const char *out = dt_onnx_out(w, node, "BatchNormalization");
    const dt_onnx_attr attr[] = { { .name = "epsilon", .is_float = true, .f = (float)c->eps },
                                  { .name = NULL } };
    dt_onnx_node(w->m, "BatchNormalization", in, out, attr);
    return dt_onnx_set(w, node, out);
}

static dt_status emit_relu(dt_onnx_walker *w, const dt_node *node)
{
    if (is_limit(w, node)) {
        dt_onnx_pass(w, node);
        return DT_OK;
    }
    return simple(w, node, "Relu", NULL);
}

/* Does every reader quantize the value? */
static bool is_only_quantized(const dt_onnx_walker *w, int value)
{
    const dt_graph *g = w->src->graph;
    for (int i = 0; i < g->node_count; i++)
        for (int k = 0; w->needed[i] && k < g->node[i].in_count; k++)
            if (g->node[i].in[k] == value && !g->node[i].op->quantizes) return false;
    return value != w->src->logits;
}

/* Quantizers that follow end at the code of 6 (dt_lower_cap); a Relu fuses into more kernels than a
 * Clip does. */
static dt_status emit_relu6(dt_onnx_walker *w, const dt_node *node)
{
    const float low = 0, high = DT_RELU6_HIGH;
    if (is_only_quantized(w, node->out[0])) return emit_relu(w, node);
    const char *l = dt_onnx_text(w->m, "%s.low", node->name);
    const char *h = dt_onnx_text(w->m, "%s.high", node->name);
    const char *in[] = { dt_onnx_floats(w, node->in[0]), l, h, NULL };
    const char *out = dt_onnx_out(w, node, "Clip");
    dt_onnx_constant(w->m, l, DT_ONNX_FLOAT, &dt_onnx_scalar, &low);
    dt_onnx_constant(w->m, h, DT_ONNX_FLOAT, &dt_onnx_scalar, &high);
    dt_onnx_node(w->m, "Clip", in, out, NULL);
    return dt_onnx_set(w, node, out);
}

static dt_status emit_add(dt_onnx_walker *w, const dt_node *node)
{
    const char *in[] = { dt_onnx_floats(w, node->in[0]), dt_onnx_floats(w, node->in[1]), NULL };
    const char *out = dt_onnx_out(w, node, "Add");
    dt_onnx_node(w->m, "Add", in, out, NULL);
    return dt_onnx_set(w, node, out);
}

static const char *flatten_pixel(dt_onnx_walker *w, const dt_node *node, const char *prefix,
                                 const char *x, const char *zero, const char *out)
{
    (void)node;
    (void)zero;
    return dt_onnx_flatten(w, x, out ? out : dt_onnx_text(w->m, "%s/Flatten", prefix));
}

/* [N,C,H,W] -> [N,C,1,1], [N,C] after the move. */
static dt_status emit_gap(dt_onnx_walker *w, const dt_node *node)
{
    const char *pool = dt_onnx_text(w->m, "%s/GlobalAveragePool", node->name);
    dt_onnx_unary(w, "GlobalAveragePool", dt_onnx_floats(w, node->in[0]), pool, NULL);
    return dt_onnx_set_moved(w, node, pool, flatten_pixel);
}

/* Behind nodes that keep a grid, the same grid again, so that they run on codes. */
static dt_status requantize(dt_onnx_walker *w, const dt_node *node, const char *y)
{
    const dt_node *site = dt_query_site(w->src->graph, node->in[0]);
    DT_TRY(dt_onnx_set(w, node, y));
    if (!site) return DT_OK;
    const dt_lower_grid *grid = w->l->grid[dt_query_index(w->src->graph, site)];
    const dt_onnx_site same = { site->name, grid->scale, false };
    return dt_onnx_quantize(w, &same, node, y, w->value[node->out[0]]);
}

static dt_status emit_maxpool(dt_onnx_walker *w, const dt_node *node)
{
    const dt_maxpool_conf *c = node->conf;
    const dt_onnx_attr attr[] = {
        { .name = "kernel_shape", .count = 2, .ints = { c->kernel, c->kernel } },
        { .name = "pads", .count = 4, .ints = { c->pad, c->pad, c->pad, c->pad } },
        { .name = "strides", .count = 2, .ints = { c->stride, c->stride } },
        { .name = NULL },
    };
    DT_TRY(simple(w, node, "MaxPool", attr));
    return requantize(w, node, w->value[node->out[0]]->floats);
}

/* Weight of the 1x1 conv that subsamples and adds zero channels: code 1 at [before + i, i]. */
static const char *identity_weight(dt_onnx_walker *w, const dt_node *node, bool codes)
{
    const dt_pad_channels_conf *c = node->conf;
    dt_onnx *m = w->m;
    int64_t I = w->src->graph->value[node->in[0]].shape.dim[3];
    const dt_shape shape = DT_SHAPE(c->before + I + c->after, I, 1, 1);
    const char *name = dt_onnx_text(m, "%s.weight", node->name);
    size_t n = (size_t)dt_shape_count(&shape);
    float *ones = dt_arena_get(dt_onnx_arena(m), n * sizeof *ones), one = 1;
    signed char *bytes = dt_arena_get(dt_onnx_arena(m), n), zero = 0;
    if (!ones || !bytes) return NULL;
    for (int64_t i = 0; i < I; i++)
        ones[(c->before + i) * I + i] = bytes[(c->before + i) * I + i] = 1;
    dt_onnx_constant(m, name, codes ? DT_ONNX_S8 : DT_ONNX_FLOAT, &shape,
                     codes ? (const void *)bytes : ones);
    if (!codes) return name;
    const char *s = dt_onnx_text(m, "%s.scale", name), *z = dt_onnx_text(m, "%s.zero_point", name);
    const char *out = dt_onnx_text(m, "%s/DequantizeLinear", name);
    dt_onnx_constant(m, s, DT_ONNX_FLOAT, &dt_onnx_scalar, &one);
    dt_onnx_constant(m, z, DT_ONNX_S8, &dt_onnx_scalar, &zero);
    dt_onnx_node(m, "DequantizeLinear", (const char *[]){ name, s, z, NULL }, out, NULL);
    return out;
}

static dt_status emit_pad_channels(dt_onnx_walker *w, const dt_node *node)
{
    const dt_pad_channels_conf *c = node->conf;
    const char *weight =
        identity_weight(w, node, dt_query_site(w->src->graph, node->in[0]) != NULL);
    if (!weight) return dt_onnx_no_memory(w->err);
    const char *in[] = { dt_onnx_floats(w, node->in[0]), weight, NULL };
    const char *y = dt_onnx_text(w->m, "%s/Conv", node->name);
    const dt_onnx_attr attr[] = {
        { .name = "kernel_shape", .count = 2, .ints = { 1, 1 } },
        { .name = "strides", .count = 2, .ints = { c->stride, c->stride } },
        { .name = NULL },
    };
    dt_onnx_node(w->m, "Conv", in, y, attr);
    return requantize(w, node, y);
}

/* Around the quantizer of a weight: part of its convolution. */
static dt_status emit_fold(dt_onnx_walker *w, const dt_node *node)
{
    (void)w;
    (void)node;
    return DT_OK;
}

static const dt_onnx_emitter emitters[] = {
    { "add", emit_add },
    { "batchnorm", emit_batchnorm },
    { "conv2d", emit_conv },
    { "fakequant", emit_fakequant },
    { "fold_norm", emit_fold },
    { "gap", emit_gap },
    { "linear", emit_linear },
    { "maxpool", emit_maxpool },
    { "pad_channels", emit_pad_channels },
    { "relu", emit_relu },
    { "relu6", emit_relu6 },
    { NULL, NULL },
};

static dt_status emit(dt_onnx_walker *w, const dt_node *node)
{
    const dt_onnx_emitter *const lists[] = { emitters, dt_onnx_token_emitters };
    for (size_t k = 0; k < DT_ARRAY_LEN(lists); k++) {
        const dt_onnx_emitter *e = dt_op_row(node->op, lists[k], sizeof *e);
        if (e) return e->emit(w, node);
    }
    return dt_fail(w->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = node->name },
                   "operation '%s' has no ONNX form here", node->op->name);
}

/* The logits under their name. */
static void finish(dt_onnx_walker *w)
{
    const char *y = dt_onnx_floats(w, w->src->logits);
    if (strcmp(y, "logits") != 0) dt_onnx_unary(w, "Identity", y, "logits", NULL);
}

dt_status dt_onnx_walk(const dt_lowered *l, const dt_onnx_walk_params *params, dt_onnx *m,
                       dt_error *err)
{
    const dt_lower_source *src = &l->src;
    const dt_graph *g = src->graph;
    dt_onnx_value input = { .floats = "input", .maker = "input" };
    dt_onnx_walker w = {
        .params = params, .l = l, .src = src, .needed = l->needed, .m = m, .err = err
    };
    w.value = dt_arena_get(dt_onnx_arena(m), (size_t)g->value_count * sizeof *w.value);
    if (!w.value) return dt_onnx_no_memory(err);
    const dt_shape *x = &g->value[src->input].shape;
    const dt_shape picture = DT_SHAPE(x->dim[0], x->dim[3], x->dim[1], x->dim[2]);
    dt_onnx_input(m, "input", &picture);
    dt_onnx_output(m, "logits", &g->value[src->logits].shape);
    w.value[src->input] = &input;
    for (int i = 0; i < g->node_count; i++)
        if (w.needed[i]) DT_TRY(emit(&w, &g->node[i]));
    finish(&w);
    return DT_OK;
}
