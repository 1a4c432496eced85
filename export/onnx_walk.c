/* One function for each op of the graph. Activations are [N,H,W,C] in the graph and [N,C,H,W] in
 * ONNX; nothing else depends on the layout. The forms below are those that onnxruntime fuses into
 * QLinearConv, QLinearAdd, QLinearGlobalAveragePool and QGemm: activations are always uint8, a
 * relu is followed by a zero point of 0, sub-byte grids are an integer Clip between Q and DQ. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "export/onnx_walk.h"

#include "autograd/op_batchnorm.h"
#include "autograd/op_conv2d.h"
#include "autograd/op_maxpool.h"
#include "autograd/op_pad_channels.h"
#include "autograd/op_relu6.h"
#include "autograd/quantizer.h"
#include "export/layout.h"
#include "integer/lower.h"

typedef struct walk {
    const dt_onnx_walk_params *params;
    const dt_lowered *l;
    const dt_lower_source *src;
    const bool *needed;
    dt_onnx *m;
    const char **name; /* by value: the ONNX value that holds it; NULL: not yet */
    bool *pooled;      /* by value: still [N,C,1,1] in ONNX, to be flattened */
    dt_error *err;
} walk;

static const dt_shape scalar = { .rank = 0 };

/* Name of the value that a graph node gives. */
static const char *out_name(walk *w, const dt_node *node, const char *op)
{
    if (node->out[0] == w->src->logits) return "logits";
    return dt_onnx_text(w->m, "%s/%s", node->name, op);
}

/* A node with one input and one output that takes the place of a graph node. */
static void simple(walk *w, const dt_node *node, const char *op, const dt_onnx_attr *attr)
{
    const char *in[] = { w->name[node->in[0]], NULL }, *out = out_name(w, node, op);
    dt_onnx_node(w->m, op, in, out, attr);
    w->name[node->out[0]] = out;
}

static void flatten(walk *w, const char *in, const char *out)
{
    dt_onnx_node(w->m, "Flatten", (const char *[]){ in, NULL }, out,
                 (dt_onnx_attr[]){ { .name = "axis", .i = 1 }, { .name = NULL } });
}

/* A code: unsigned, or signed where zero points are 0. */
static void byte_constant(walk *w, const char *name, int value)
{
    unsigned char byte = (unsigned char)value;
    dt_onnx_constant(w->m, name, w->params->symmetric ? DT_ONNX_S8 : DT_ONNX_U8, &scalar, &byte);
}

/* x -> Q -> [Clip] -> [Flatten] -> DQ -> out with the constants of `site`; `node` names the parts.
 */
static void quantize(walk *w, const char *site, const char *node, const char *x, bool clip,
                     bool flat, const char *out)
{
    dt_onnx *m = w->m;
    const char *s = dt_onnx_text(m, "%s.scale", site);
    const char *z = dt_onnx_text(m, "%s.zero_point", site);
    const char *codes = dt_onnx_text(m, "%s/QuantizeLinear", node);
    dt_onnx_node(m, "QuantizeLinear", (const char *[]){ x, s, z, NULL }, codes, NULL);
    if (clip) {
        const char *low = dt_onnx_text(m, "%s.low", site), *high = dt_onnx_text(m, "%s.high", site);
        const char *clipped = dt_onnx_text(m, "%s/Clip", node);
        dt_onnx_node(m, "Clip", (const char *[]){ codes, low, high, NULL }, clipped, NULL);
        codes = clipped;
    }
    if (flat) {
        const char *rows = dt_onnx_text(m, "%s/Flatten", node);
        flatten(w, codes, rows);
        codes = rows;
    }
    dt_onnx_node(m, "DequantizeLinear", (const char *[]){ codes, s, z, NULL }, out, NULL);
}

/* Is a ReLU the lower limit of the codes behind it? Runtimes join a ReLU with its operator where
 * the zero point is the lowest code; with another one this says the same in integers. */
static bool is_limit(const walk *w, const dt_node *relu)
{
    const dt_graph *g = w->src->graph;
    bool is = dt_lower_is(relu, "relu") && relu->out[0] != w->src->logits && !w->params->symmetric;
    for (int i = 0; is && i < g->node_count; i++)
        for (int k = 0; w->needed[i] && k < g->node[i].in_count; k++)
            if (g->node[i].in[k] == relu->out[0])
                is = is && w->l->grid[i] && w->l->grid[i]->zero_point > w->l->grid[i]->low;
    return is;
}

/* *x within the values of a grid: in float, for int8 codes that a grid does not use. */
static dt_status limit(walk *w, const dt_node *node, const dt_lower_grid *g, const char **x)
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
    dt_onnx_constant(w->m, in[1], DT_ONNX_FLOAT, &scalar, &low);
    dt_onnx_constant(w->m, in[2], DT_ONNX_FLOAT, &scalar, &high);
    *x = dt_onnx_text(w->m, "%s/Limit", node->name);
    dt_onnx_node(w->m, "Clip", in, *x, NULL);
    return DT_OK;
}

/* A value that is quantized already is quantized again through a Clip even when that changes
 * nothing: onnxruntime joins bare Q-DQ-Q-DQ chains into one with a scale of its own making. */
static dt_status emit_fakequant(walk *w, const dt_node *node)
{
    const dt_fakequant_conf *c = node->conf;
    if (c->site.weight) return DT_OK; /* part of its conv or linear */
    dt_lower_grid g = *w->l->grid[dt_lower_index(w->src->graph, node)];
    int producer = w->src->graph->value[node->in[0]].producer;
    if (producer >= 0 && is_limit(w, &w->src->graph->node[producer])) g.low = g.zero_point;
    const char *x = w->name[node->in[0]];
    bool again = dt_lower_site(w->src->graph, node->in[0]) != NULL;
    bool clip = !w->params->symmetric && (g.low > 0 || g.high < 255 || again);
    dt_onnx_constant(w->m, dt_onnx_text(w->m, "%s.scale", node->name), DT_ONNX_FLOAT, &scalar,
                     &g.scale);
    byte_constant(w, dt_onnx_text(w->m, "%s.zero_point", node->name),
                  w->params->symmetric ? 0 : g.zero_point);
    if (clip) {
        byte_constant(w, dt_onnx_text(w->m, "%s.low", node->name), g.low);
        byte_constant(w, dt_onnx_text(w->m, "%s.high", node->name), g.high);
    }
    if (w->params->symmetric) DT_TRY(limit(w, node, &g, &x));
    const char *out = out_name(w, node, "DequantizeLinear");
    quantize(w, node->name, node->name, x, clip, w->pooled[node->in[0]], out);
    w->name[node->out[0]] = out;
    return DT_OK;
}

/* Weights [O,KH,KW,I] as ONNX has them, [O,I,KH,KW]. NULL: no memory. */
static const void *foreign_weights(walk *w, const dt_lower_product *p, const void *from,
                                   size_t size)
{
    if (p->shape.rank != 4) return from;
    void *to = dt_arena_get(dt_onnx_arena(w->m), (size_t)(p->O * p->K) * size);
    if (to) dt_layout_to_foreign(&p->shape, size, from, to);
    return to;
}

static dt_shape foreign_shape(const dt_shape *s)
{
    return s->rank == 4 ? DT_SHAPE(s->dim[0], s->dim[3], s->dim[1], s->dim[2]) : *s;
}

/* How the codes of a product are stored: int8, uint8 with zero point 128 when they are wide, or
 * half a byte and without the gain. */
static dt_onnx_type weight_type(const walk *w, const dt_lower_product *p)
{
    bool halves = w->params->packed;
    for (int64_t i = 0; halves && i < p->O * p->K; i++)
        halves = p->code[i] / p->gain >= -8 && p->code[i] / p->gain <= 7;
    return halves ? DT_ONNX_S4 : p->wide && !w->params->symmetric ? DT_ONNX_U8 : DT_ONNX_S8;
}

static const void *pack_codes(walk *w, const dt_lower_product *p, dt_onnx_type type)
{
    size_t n = (size_t)(p->O * p->K);
    int gain = type == DT_ONNX_S4 ? p->gain : 1, zero = type == DT_ONNX_U8 ? 128 : 0;
    unsigned char *byte = dt_arena_get(dt_onnx_arena(w->m), n);
    for (size_t i = 0; byte && i < n; i++)
        byte[i] = (unsigned char)(p->code[i] / gain + zero);
    return byte ? foreign_weights(w, p, byte, 1) : NULL;
}

/* Their scales; the gain is a power of two. NULL: no memory. */
static const float *weight_scales(walk *w, const dt_lower_product *p, dt_onnx_type type)
{
    if (type != DT_ONNX_S4) return p->scale;
    float *scale = dt_arena_get(dt_onnx_arena(w->m), (size_t)p->scales * sizeof *scale);
    for (int64_t i = 0; scale && i < p->scales; i++)
        scale[i] = p->scale[i] * (float)p->gain;
    return scale;
}

static const dt_onnx_attr along_outputs[] = { { .name = "axis", .i = 0 }, { .name = NULL } };

/* The weight of a conv or linear as a float value. */
static const char *weight_value(walk *w, const char *layer, const dt_lower_product *p)
{
    dt_onnx *m = w->m;
    const char *codes = dt_onnx_text(m, "%s.weight", layer);
    const dt_shape shape = foreign_shape(&p->shape);
    if (!p->quantized) {
        const void *floats = foreign_weights(w, p, p->weight, sizeof *p->weight);
        if (!floats) return NULL;
        dt_onnx_constant(m, codes, DT_ONNX_FLOAT, &shape, floats);
        return codes;
    }
    const char *s = dt_onnx_text(m, "%s.weight.scale", layer);
    const char *z = dt_onnx_text(m, "%s.weight.zero_point", layer);
    const char *out = dt_onnx_text(m, "%s.weight/DequantizeLinear", layer);
    bool each = p->scales > 1;
    const dt_shape groups = each ? DT_SHAPE(p->scales) : scalar;
    dt_onnx_type type = weight_type(w, p);
    const void *bytes = pack_codes(w, p, type);
    const float *scales = weight_scales(w, p, type);
    unsigned char *zeros = dt_arena_get(dt_onnx_arena(m), (size_t)p->scales);
    if (!bytes || !scales || !zeros) return NULL;
    for (int64_t i = 0; type == DT_ONNX_U8 && i < p->scales; i++)
        zeros[i] = 128;
    if (type == DT_ONNX_S4) dt_onnx_require(m, 21);
    dt_onnx_weight(m, codes, type, &shape, bytes, p->bits);
    dt_onnx_constant(m, s, DT_ONNX_FLOAT, &groups, scales);
    dt_onnx_constant(m, z, type, &groups, zeros);
    dt_onnx_node(m, "DequantizeLinear", (const char *[]){ codes, s, z, NULL }, out,
                 each ? along_outputs : NULL);
    return out;
}

/* NULL: none. */
static const char *bias_value(walk *w, const char *layer, const dt_lower_product *p)
{
    dt_onnx *m = w->m;
    if (!p->has_bias) return NULL;
    const char *codes = dt_onnx_text(m, "%s.bias", layer);
    const dt_shape outputs = DT_SHAPE(p->O);
    if (!p->bias_code || w->params->symmetric) {
        dt_onnx_constant(m, codes, DT_ONNX_FLOAT, &outputs, p->bias);
        return codes;
    }
    const char *s = dt_onnx_text(m, "%s.bias.scale", layer);
    const char *out = dt_onnx_text(m, "%s.bias/DequantizeLinear", layer);
    bool each = p->scales > 1;
    const dt_shape groups = each ? DT_SHAPE(p->scales) : scalar;
    dt_onnx_constant(m, codes, DT_ONNX_S32, &outputs, p->bias_code);
    dt_onnx_constant(m, s, DT_ONNX_FLOAT, &groups, p->bias_scale);
    dt_onnx_node(m, "DequantizeLinear", (const char *[]){ codes, s, NULL }, out,
                 each ? along_outputs : NULL);
    return out;
}

static dt_status emit_product(walk *w, const dt_node *node, const dt_node *norm, const char *op,
                              const dt_onnx_attr *attr)
{
    const dt_node *last = norm ? norm : node;
    const dt_lower_product p = *w->l->product[dt_lower_index(w->src->graph, node)];
    if (p.quantized && p.gain > 1 && !w->params->packed)
        dt_onnx_meta(w->m, dt_onnx_text(w->m, "detent.gain.%s", node->name),
                     dt_onnx_text(w->m, "%d", p.gain));
    const char *out = out_name(w, last, op);
    const char *in[] = { w->name[node->in[0]], weight_value(w, node->name, &p),
                         bias_value(w, node->name, &p), NULL };
    if (!in[1]) return dt_fail(w->err, DT_ERR_NOMEM, NULL, "no memory for the ONNX model");
    dt_onnx_node(w->m, op, in, out, attr);
    w->name[last->out[0]] = out;
    return DT_OK;
}

static dt_status emit_conv(walk *w, const dt_node *node)
{
    const dt_conv2d_conf *c = node->conf;
    const dt_shape *k = &w->src->graph->value[node->in[1]].shape; /* [O,KH,KW,I] */
    const dt_onnx_attr attr[] = {
        { .name = "group", .i = c->groups },
        { .name = "kernel_shape", .count = 2, .ints = { k->dim[1], k->dim[2] } },
        { .name = "pads", .count = 4, .ints = { c->pad_h, c->pad_w, c->pad_h, c->pad_w } },
        { .name = "strides", .count = 2, .ints = { c->stride_h, c->stride_w } },
        { .name = NULL },
    };
    return emit_product(w, node, dt_lower_norm(w->src->graph, w->needed, node), "Conv", attr);
}

static dt_status emit_linear(walk *w, const dt_node *node)
{
    const dt_onnx_attr attr[] = { { .name = "transB", .i = 1 }, { .name = NULL } };
    return emit_product(w, node, NULL, "Gemm", attr);
}

static dt_status emit_batchnorm(walk *w, const dt_node *node)
{
    if (w->name[node->out[0]]) return DT_OK; /* folded into its conv */
    const dt_batchnorm_conf *c = node->conf;
    const char *in[DT_ONNX_MAX_IN + 1] = { w->name[node->in[0]] };
    for (int i = 1; i <= DT_BN_VAR; i++) {
        const dt_value *v = &w->src->graph->value[node->in[i]];
        dt_onnx_constant(w->m, v->name, DT_ONNX_FLOAT, &v->shape, w->src->state->data[node->in[i]]);
        in[i] = v->name;
    }
    const char *out = out_name(w, node, "BatchNormalization");
    const dt_onnx_attr attr[] = { { .name = "epsilon", .is_float = true, .f = (float)c->eps },
                                  { .name = NULL } };
    dt_onnx_node(w->m, "BatchNormalization", in, out, attr);
    w->name[node->out[0]] = out;
    return DT_OK;
}

static dt_status emit_relu(walk *w, const dt_node *node)
{
    if (is_limit(w, node)) {
        w->name[node->out[0]] = w->name[node->in[0]];
        return DT_OK;
    }
    simple(w, node, "Relu", NULL);
    return DT_OK;
}

/* Does every reader quantize the value? */
static bool is_only_quantized(const walk *w, int value)
{
    const dt_graph *g = w->src->graph;
    for (int i = 0; i < g->node_count; i++)
        for (int k = 0; w->needed[i] && k < g->node[i].in_count; k++)
            if (g->node[i].in[k] == value && !dt_lower_is(&g->node[i], "fakequant")) return false;
    return value != w->src->logits;
}

/* Quantizers that follow end at the code of 6 (dt_lower_cap); a Relu fuses into more kernels than a
 * Clip does. */
static dt_status emit_relu6(walk *w, const dt_node *node)
{
    const float low = 0, high = DT_RELU6_HIGH;
    if (is_only_quantized(w, node->out[0])) return emit_relu(w, node);
    const char *l = dt_onnx_text(w->m, "%s.low", node->name);
    const char *h = dt_onnx_text(w->m, "%s.high", node->name);
    const char *in[] = { w->name[node->in[0]], l, h, NULL }, *out = out_name(w, node, "Clip");
    dt_onnx_constant(w->m, l, DT_ONNX_FLOAT, &scalar, &low);
    dt_onnx_constant(w->m, h, DT_ONNX_FLOAT, &scalar, &high);
    dt_onnx_node(w->m, "Clip", in, out, NULL);
    w->name[node->out[0]] = out;
    return DT_OK;
}

static dt_status emit_add(walk *w, const dt_node *node)
{
    const char *in[] = { w->name[node->in[0]], w->name[node->in[1]], NULL };
    const char *out = out_name(w, node, "Add");
    dt_onnx_node(w->m, "Add", in, out, NULL);
    w->name[node->out[0]] = out;
    return DT_OK;
}

/* [N,C,H,W] -> [N,C,1,1]; made [N,C] behind the quantizer where one follows, so that the pool
 * stands directly between DQ and Q. */
static dt_status emit_gap(walk *w, const dt_node *node)
{
    int y = node->out[0];
    bool waits = is_only_quantized(w, y);
    const char *in[] = { w->name[node->in[0]], NULL };
    const char *pool = dt_onnx_text(w->m, "%s/GlobalAveragePool", node->name);
    dt_onnx_node(w->m, "GlobalAveragePool", in, pool, NULL);
    w->name[y] = pool;
    w->pooled[y] = waits;
    if (waits) return DT_OK;
    w->name[y] = out_name(w, node, "Flatten");
    flatten(w, pool, w->name[y]);
    return DT_OK;
}

/* Behind nodes that keep a grid, the same grid again, so that they run on codes. */
static void requantize(walk *w, const dt_node *node, const char *y)
{
    const dt_node *site = dt_lower_site(w->src->graph, node->in[0]);
    const char *out = y;
    if (site) {
        out = out_name(w, node, "DequantizeLinear");
        quantize(w, site->name, node->name, y, false, false, out);
    }
    w->name[node->out[0]] = out;
}

static dt_status emit_maxpool(walk *w, const dt_node *node)
{
    const dt_maxpool_conf *c = node->conf;
    const dt_onnx_attr attr[] = {
        { .name = "kernel_shape", .count = 2, .ints = { c->kernel, c->kernel } },
        { .name = "pads", .count = 4, .ints = { c->pad, c->pad, c->pad, c->pad } },
        { .name = "strides", .count = 2, .ints = { c->stride, c->stride } },
        { .name = NULL },
    };
    simple(w, node, "MaxPool", attr);
    requantize(w, node, w->name[node->out[0]]);
    return DT_OK;
}

/* Weight of the 1x1 conv that subsamples and adds zero channels: code 1 at [before + i, i]. */
static const char *identity_weight(walk *w, const dt_node *node, bool codes)
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
    dt_onnx_constant(m, s, DT_ONNX_FLOAT, &scalar, &one);
    dt_onnx_constant(m, z, DT_ONNX_S8, &scalar, &zero);
    dt_onnx_node(m, "DequantizeLinear", (const char *[]){ name, s, z, NULL }, out, NULL);
    return out;
}

static dt_status emit_pad_channels(walk *w, const dt_node *node)
{
    const dt_pad_channels_conf *c = node->conf;
    const char *weight =
        identity_weight(w, node, dt_lower_site(w->src->graph, node->in[0]) != NULL);
    if (!weight) return dt_fail(w->err, DT_ERR_NOMEM, NULL, "no memory for the ONNX model");
    const char *in[] = { w->name[node->in[0]], weight, NULL };
    const char *y = dt_onnx_text(w->m, "%s/Conv", node->name);
    const dt_onnx_attr attr[] = {
        { .name = "kernel_shape", .count = 2, .ints = { 1, 1 } },
        { .name = "strides", .count = 2, .ints = { c->stride, c->stride } },
        { .name = NULL },
    };
    dt_onnx_node(w->m, "Conv", in, y, attr);
    requantize(w, node, y);
    return DT_OK;
}

static const struct {
    const char *op;
    dt_status (*emit)(walk *w, const dt_node *node);
} emitters[] = {
    { "add", emit_add },         { "batchnorm", emit_batchnorm },
    { "conv2d", emit_conv },     { "fakequant", emit_fakequant },
    { "gap", emit_gap },         { "linear", emit_linear },
    { "maxpool", emit_maxpool }, { "pad_channels", emit_pad_channels },
    { "relu", emit_relu },       { "relu6", emit_relu6 },
};

static dt_status emit(walk *w, const dt_node *node)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(emitters); i++)
        if (dt_lower_is(node, emitters[i].op)) return emitters[i].emit(w, node);
    return dt_fail(w->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = node->name },
                   "operation '%s' has no ONNX form here", node->op->name);
}

dt_status dt_onnx_walk(const dt_lowered *l, const dt_onnx_walk_params *params, dt_onnx *m,
                       dt_error *err)
{
    const dt_lower_source *src = &l->src;
    const dt_graph *g = src->graph;
    walk w = { .params = params, .l = l, .src = src, .needed = l->needed, .m = m, .err = err };
    w.name = dt_arena_get(dt_onnx_arena(m), (size_t)g->value_count * sizeof *w.name);
    w.pooled = dt_arena_get(dt_onnx_arena(m), (size_t)g->value_count * sizeof *w.pooled);
    if (!w.name || !w.pooled)
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the ONNX model");
    const dt_shape *x = &g->value[src->input].shape;
    const dt_shape picture = DT_SHAPE(x->dim[0], x->dim[3], x->dim[1], x->dim[2]);
    dt_onnx_input(m, "input", &picture);
    dt_onnx_output(m, "logits", &g->value[src->logits].shape);
    w.name[src->input] = "input";
    for (int i = 0; i < g->node_count; i++)
        if (w.needed[i]) DT_TRY(emit(&w, &g->node[i]));
    return DT_OK;
}
