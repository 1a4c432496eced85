/* A quantizer: what waits for a grid ends on this one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/quantizer.h"
#include "autograd/query.h"
#include "exchange/onnx/onnx_walker.h"
#include "integer/builder.h"
#include "integer/shares.h"

static dt_status lower(dt_int_builder *b, const dt_node *n)
{
    const dt_fakequant_conf *c = n->conf;
    const dt_int_state *x = &b->state[n->in[0]];
    int codes;
    if (c->site.weight) return DT_OK; /* part of its conv or linear */
    if (!x->end) return dt_int_refuse(b, n, "quantizes a value that was computed in float");
    DT_TRY(dt_int_end(b, n, x, *b->l->grid[dt_query_index(b->g, n)], &codes));
    dt_int_set_codes(b, n, codes);
    return DT_OK;
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

/* *x up to the largest value of a grid, which keeps onnxruntime from joining an operator with its
 * quantizer. Of a Clip it drops what changes no code. */
static const char *keep_apart(dt_onnx_walker *w, const dt_node *node, const dt_lower_grid *g,
                              const char *x)
{
    const float high = (float)(g->high - g->zero_point) * g->scale;
    const char *in[] = { x, dt_onnx_text(w->m, "%s.most", node->name), NULL };
    const char *out = dt_onnx_text(w->m, "%s/Limit", node->name);
    dt_onnx_constant(w->m, in[1], DT_ONNX_FLOAT, &dt_onnx_scalar, &high);
    dt_onnx_node(w->m, "Min", in, out, NULL);
    return out;
}

/* onnxruntime's fused softmax (integer/shares.h) gives any code where its products are no numbers of
 * float32: such a softmax stays in float. */
static bool is_beyond_softmax(const dt_onnx_walker *w, int value, const dt_lower_grid *g)
{
    const dt_value *v = &w->src->graph->value[value];
    const dt_node *maker = dt_query_maker(w->src->graph, value);
    bool softmax = maker && maker->op->row_shares;
    return !w->params->symmetric && softmax && !dt_shares_fit(g, v->shape.dim[v->shape.rank - 1]);
}

/* Is it on a grid, or a part of what is? */
static bool is_of_codes(const dt_graph *g, int value)
{
    const dt_node *maker = dt_query_maker(g, value);
    return dt_query_site(g, value) || (maker && maker->op->part && dt_query_site(g, maker->in[0]));
}

/* A value that is quantized already is quantized again through a Clip even when that changes
 * nothing: onnxruntime joins bare Q-DQ-Q-DQ chains into one with a scale of its own making. */
static dt_status onnx(dt_onnx_walker *w, const dt_node *node)
{
    const dt_fakequant_conf *c = node->conf;
    if (c->site.weight) return DT_OK; /* part of its conv or linear */
    dt_lower_grid g = *w->l->grid[dt_query_index(w->src->graph, node)];
    int producer = w->src->graph->value[node->in[0]].producer;
    if (producer >= 0 && dt_onnx_is_limit(w, &w->src->graph->node[producer])) g.low = g.zero_point;
    bool again = is_of_codes(w->src->graph, node->in[0]);
    bool clip = !w->params->symmetric && (g.low > 0 || g.high < 255 || again);
    dt_onnx_constant(w->m, dt_onnx_text(w->m, "%s.scale", node->name), DT_ONNX_FLOAT,
                     &dt_onnx_scalar, &g.scale);
    dt_onnx_byte(w, dt_onnx_text(w->m, "%s.zero_point", node->name),
                 w->params->symmetric ? 0 : g.zero_point);
    if (clip) {
        dt_onnx_byte(w, dt_onnx_text(w->m, "%s.low", node->name), g.low);
        dt_onnx_byte(w, dt_onnx_text(w->m, "%s.high", node->name), g.high);
    }
    const dt_node *deferred = w->value[node->in[0]]->deferred;
    if (deferred && !w->params->symmetric)
        return dt_form_of(deferred->op)->onnx_deferred(w, deferred, node, &g);
    const char *x = dt_onnx_raw(w, node->in[0]);
    if (w->params->symmetric) DT_TRY(limit(w, node, &g, &x));
    if (is_beyond_softmax(w, node->in[0], &g)) x = keep_apart(w, node, &g, x);
    const dt_onnx_site site = { node->name, g.scale, clip };
    return dt_onnx_quantize(w, &site, node, x, w->value[node->in[0]]);
}

const dt_form dt_form_site = { .name = "site", .lower = lower, .onnx = onnx };
