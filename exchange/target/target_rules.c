/* Rules of targets. Sources: onnxruntime, core/optimizer/qdq_transformer; TFLite's quantization
 * specification; TensorRT's operator pages (Quantize, explicit quantization) and NVIDIA's notes on
 * residual connections; FINN, transformation/qonnx/qonnx_activation_handlers.py; OpenVINO,
 * low_precision/quantization_details.hpp. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/quantizer.h"
#include "autograd/query.h"
#include "exchange/target/target.h"

enum { ZERO = 128 }; /* of signed grids in unsigned codes */

/* The needed nodes of the graph, one after the other: `i` is where to go on. */
static const dt_node *next_node(const dt_target_net *net, int *i)
{
    while (*i < net->src->graph->node_count) {
        int at = (*i)++;
        if (net->needed[at]) return &net->src->graph->node[at];
    }
    return NULL;
}

/* The grid of an activation's quantizer; NULL: another node. */
static const dt_lower_grid *grid_of(const dt_target_net *net, const dt_node *n)
{
    return net->lower->grid[dt_query_index(net->src->graph, n)];
}

static void find_missing(const dt_target_net *net, dt_target_finding *f)
{
    char text[DT_LOWER_MISSING];
    int n = net->allow_float ? 0 : dt_lower_missing(net->src, net->needed, text, sizeof text);
    if (n == 0) return;
    dt_target_add(f, "%s", text);
    f->count = n;
}
const dt_target_rule dt_rule_complete = {
    .text = "every product, sum and pool has quantizers around it",
    .fix = "train with quant.placement: deploy; ort, openvino and trt take the rest in float with "
           "--allow-float",
    .find = find_missing,
};

static void find_activation_scales(const dt_target_net *net, dt_target_finding *f)
{
    int i = 0;
    for (const dt_node *n = next_node(net, &i); n; n = next_node(net, &i)) {
        const dt_fakequant_conf *c = dt_query_quantizer(n);
        if (c && !c->site.weight && c->site.groups != 1)
            dt_target_add(f, "%s has %lld", n->name, (long long)c->site.groups);
    }
}
const dt_target_rule dt_rule_activation_scale = {
    .text = "an activation has one scale",
    .fix = "quant.activations.granularity: tensor",
    .find = find_activation_scales,
};

static void find_weight_scales(const dt_target_net *net, dt_target_finding *f)
{
    int i = 0;
    for (const dt_node *n = next_node(net, &i); n; n = next_node(net, &i)) {
        const dt_fakequant_conf *c = dt_query_quantizer(n);
        if (!c || !c->site.weight) continue;
        int64_t outputs = net->src->graph->value[n->in[0]].shape.dim[0];
        if (c->site.groups > outputs)
            dt_target_add(f, "%s has %lld", n->name, (long long)c->site.groups);
    }
}
const dt_target_rule dt_rule_weight_scale = {
    .text = "a weight has one scale, or one for each output channel",
    .fix = "quant.weights.granularity: channel",
    .find = find_weight_scales,
};

static void find_wide(const dt_target_net *net, dt_target_finding *f)
{
    int i = 0;
    for (const dt_node *n = next_node(net, &i); n; n = next_node(net, &i)) {
        const dt_lower_product *p = net->lower->product[dt_query_index(net->src->graph, n)];
        int64_t lowest = 0;
        for (int64_t k = 0; p && p->quantized && k < p->O * p->K; k++)
            lowest += p->code[k] == -ZERO;
        if (lowest) dt_target_add(f, "%s has %lld codes of -128", n->name, (long long)lowest);
    }
}
const dt_target_rule dt_rule_narrow = {
    .text = "weight codes lie in -127..127",
    .fix = "narrow: yes at the weights of those layers, and train",
    .lowered = true,
    .find = find_wide,
};

/* Signed grids are 128 higher here; any other zero point is an offset. */
static void find_offsets(const dt_target_net *net, dt_target_finding *f)
{
    int i = 0;
    for (const dt_node *n = next_node(net, &i); n; n = next_node(net, &i)) {
        const dt_lower_grid *g = grid_of(net, n);
        if (g && g->zero_point != 0 && g->zero_point != ZERO)
            dt_target_add(f, "%s has %d", n->name, g->zero_point);
    }
}
const dt_target_rule dt_rule_no_offset = {
    .text = "zero points are 0",
    .fix = "a quantizer without offset, as quant.activations.method: lsq",
    .lowered = true,
    .find = find_offsets,
};

static void find_unsigned(const dt_target_net *net, dt_target_finding *f)
{
    int i = 0;
    for (const dt_node *n = next_node(net, &i); n; n = next_node(net, &i)) {
        const dt_lower_grid *g = grid_of(net, n);
        if (g && g->zero_point == 0 && g->high > ZERO - 1)
            dt_target_add(f, "%s goes to %d", n->name, g->high);
    }
}
/* Methods without an offset have their codes before they have a scale. */
static bool codes_of(const dt_node *n, dt_grid *out)
{
    const dt_fakequant_conf *c = dt_query_quantizer(n);
    real param[DT_QUANT_MAX_PARAMS];
    if (!c || c->site.weight || !c->quantizer->uniform || !c->quantizer->grid) return false;
    if (!c->quantizer->uniform(c->options, &c->site)) return false;
    for (int i = 0; i < DT_QUANT_MAX_PARAMS; i++)
        param[i] = 1;
    return c->quantizer->grid(c->options, &c->site, param, NULL, out);
}

static void find_unsigned_early(const dt_target_net *net, dt_target_finding *f)
{
    int i = 0;
    for (const dt_node *n = next_node(net, &i); n; n = next_node(net, &i)) {
        dt_grid g;
        if (codes_of(n, &g) && g.qmin >= 0 && g.qmax > ZERO - 1)
            dt_target_add(f, "%s goes to %d", n->name, g.qmax);
    }
}
const dt_target_rule dt_rule_unsigned_7 = {
    .text = "activations are int8, so behind a ReLU codes go to 127",
    .fix =
        "7 bits or fewer there: quant.activations.bits, quant.residual.bits and last.activations",
    .lowered = true,
    .find = find_unsigned,
    .find_early = find_unsigned_early,
};

static void find_many_thresholds(const dt_target_net *net, dt_target_finding *f)
{
    int i = 0;
    for (const dt_node *n = next_node(net, &i); n; n = next_node(net, &i)) {
        const dt_lower_grid *g = grid_of(net, n);
        if (g && g->high - g->low > 15) dt_target_add(f, "%s has %d", n->name, g->high - g->low);
    }
}
const dt_target_rule dt_rule_few_thresholds = {
    .text = "an activation becomes a comparison for each code above the lowest, in each channel",
    .fix = "4 bits or fewer",
    .note = true,
    .lowered = true,
    .find = find_many_thresholds,
};

static void find_other_widths(const dt_target_net *net, dt_target_finding *f)
{
    int i = 0;
    for (const dt_node *n = next_node(net, &i); n; n = next_node(net, &i)) {
        const dt_lower_grid *g = grid_of(net, n);
        int levels = g ? g->high - g->low + 1 : 256;
        if (levels != 15 && levels != 16 && levels != 255 && levels != 256)
            dt_target_add(f, "%s has %d", n->name, levels);
    }
}
const dt_target_rule dt_rule_levels = {
    .text = "integer kernels are chosen for 15, 16, 255 or 256 levels, others run in float",
    .fix = "4 or 8 bits",
    .note = true,
    .lowered = true,
    .find = find_other_widths,
};

static void find_both_addends(const dt_target_net *net, dt_target_finding *f)
{
    int i = 0;
    const dt_graph *g = net->src->graph;
    for (const dt_node *n = next_node(net, &i); n; n = next_node(net, &i))
        if (n->op->sum && dt_query_site(g, n->in[0]) && dt_query_site(g, n->in[1]))
            dt_target_add(f, "%s", n->name);
}
const dt_target_rule dt_rule_skip_only = {
    .text = "an addition joins its convolution when only the skip branch is quantized",
    .fix = "none here: the placement deploy quantizes both, and trains so",
    .note = true,
    .find = find_both_addends,
};

/* As the runtime computes it, in float32. */
static void find_pool_ratios(const dt_target_net *net, dt_target_finding *f)
{
    const float least = 0x1p-32f, most = 256;
    const dt_graph *g = net->src->graph;
    int i = 0;
    for (const dt_node *n = next_node(net, &i); n; n = next_node(net, &i)) {
        const dt_node *from = n->op->window_mean ? dt_query_site(g, n->in[0]) : NULL, *to = NULL;
        if (!from || dt_query_readers(g, net->needed, n->out[0], &to) != 1) continue;
        const dt_lower_grid *x = grid_of(net, from),
                            *y = dt_query_quantizer(to) ? grid_of(net, to) : NULL;
        const dt_shape *shape = &g->value[n->in[0]].shape;
        float pixels = (float)(shape->dim[1] * shape->dim[2]);
        float ratio = x && y ? x->scale / (y->scale * pixels) : 1;
        if (!(ratio >= least && ratio < most))
            dt_target_add(f, "%s has %g, of %g / (%g x %g)", n->name, (double)ratio,
                          (double)x->scale, (double)y->scale, (double)pixels);
    }
}
const dt_target_rule dt_rule_pool_ratio = {
    .text =
        "the scale before an average pool over the scale behind it times the pixels is at least "
        "2^-32 and less than 256, or the runtime stops there",
    .fix = "train again with a lower train.optimizer.lr or train.quant_lr, or --calibrate",
    .stops = true,
    .lowered = true,
    .find = find_pool_ratios,
};
