/* Limits of a value, a ReLU for one: they take effect on the codes of the grid behind it, since
 * rounding never falls. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "autograd/query.h"
#include "exchange/onnx/onnx_walker.h"
#include "integer/builder.h"

static dt_status lower(dt_int_builder *b, const dt_node *n)
{
    dt_int_state x = b->state[n->in[0]];
    double low, high;
    if (!x.end || (!x.codes && !x.node)) /* float, or the picture */
        return dt_int_refuse(b, n, "its input has no integer form");
    n->op->limits(n->conf, &low, &high);
    if (!isinf(low) && (!x.has_low || low > x.low)) x.low = low;
    if (!isinf(high) && (!x.has_high || high < x.high)) x.high = high;
    x.has_low = x.has_low || !isinf(low);
    x.has_high = x.has_high || !isinf(high); /* one behind it leaves a cap where it is */
    b->state[n->out[0]] = x;
    if (!x.codes) return DT_OK;
    int codes;
    DT_TRY(dt_int_end(b, n, &x, b->m->value[x.in[0]].grid, &codes));
    dt_int_set_codes(b, n, codes);
    return DT_OK;
}

static dt_status onnx_relu(dt_onnx_walker *w, const dt_node *node)
{
    if (!dt_onnx_is_limit(w, node)) return dt_onnx_simple(w, node, "Relu", NULL);
    dt_onnx_pass(w, node);
    return DT_OK;
}

/* Of codes, which lie on the grid of `site`: a Clip of them. */
static dt_status on_codes(dt_onnx_walker *w, const dt_node *node, const dt_node *site, double low,
                          double high)
{
    const dt_lower_grid *grid = w->l->grid[dt_query_index(w->src->graph, site)];
    const char *l = isinf(low) ? "" : dt_onnx_text(w->m, "%s.low", node->name);
    const char *h = isinf(high) ? "" : dt_onnx_text(w->m, "%s.high", node->name);
    const char *in[] = { w->value[node->in[0]]->codes, l, h, NULL };
    const char *out = dt_onnx_out(w, node, "Clip");
    if (*l) dt_onnx_byte(w, l, dt_grid_encode(grid, (float)low));
    if (*h) dt_onnx_byte(w, h, dt_grid_encode(grid, (float)high));
    dt_onnx_node(w->m, "Clip", in, out, NULL);
    return dt_onnx_set_codes(w, node, site->name, grid->scale, out);
}

/* Quantizers that follow end at the codes of the limits (dt_lower_cap); a Relu fuses into more
 * kernels than a Clip does. */
static dt_status onnx(dt_onnx_walker *w, const dt_node *node)
{
    double low, high;
    node->op->limits(node->conf, &low, &high);
    bool quantized = dt_onnx_is_only_quantized(w, node->out[0]) && !w->params->symmetric;
    const dt_onnx_value *x = w->value[node->in[0]];
    if (quantized && x->deferred) {
        dt_onnx_pass(w, node);
        return DT_OK;
    }
    const dt_node *site = dt_query_site(w->src->graph, node->in[0]);
    if (site && x->codes && !x->move && !w->params->symmetric)
        return on_codes(w, node, site, low, high);
    if (low == 0 && (isinf(high) || dt_onnx_is_only_quantized(w, node->out[0])))
        return onnx_relu(w, node);
    if (quantized) {
        dt_onnx_pass(w, node);
        return DT_OK;
    }
    const float ends[] = { (float)low, (float)high };
    const char *l = isinf(low) ? "" : dt_onnx_text(w->m, "%s.low", node->name);
    const char *h = isinf(high) ? "" : dt_onnx_text(w->m, "%s.high", node->name);
    const char *in[] = { dt_onnx_floats(w, node->in[0]), l, h, NULL };
    const char *out = dt_onnx_out(w, node, "Clip");
    if (*l) dt_onnx_constant(w->m, l, DT_ONNX_FLOAT, &dt_onnx_scalar, &ends[0]);
    if (*h) dt_onnx_constant(w->m, h, DT_ONNX_FLOAT, &dt_onnx_scalar, &ends[1]);
    dt_onnx_node(w->m, "Clip", in, out, NULL);
    return dt_onnx_set(w, node, out);
}

const dt_form dt_form_limit = { .name = "limit", .lower = lower, .onnx = onnx };
