/* QuantizeLinear and DequantizeLinear. Constants between them are codes, and then parameters with a
 * site, which start from what was rounded where the file has that; of values the pair is a site. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "autograd/query.h"
#include "exchange/onnx/reader/onnx_fold.h"
#include "exchange/onnx/reader/onnx_grid.h"
#include "exchange/onnx/reader/onnx_order.h"

/* The range of what QuantizeLinear gives: the zero point's type, or the one that is named. */
static dt_status range_of_type(dt_ox_walk *w, dt_ox_grid *g)
{
    enum { U8 = 2, S8 = 3, U4 = 21, S4 = 22 };
    int64_t type = dt_ox_int(w->node, "output_dtype", 0);
    if (g->zero) {
        g->low = g->zero->low;
        g->high = g->zero->high;
        if (g->low == g->high) return dt_ox_refuse(w, "codes of more than 8 bits are not read");
        return DT_OK;
    }
    if (type != 0 && type != U8 && type != S8 && type != U4 && type != S4)
        return dt_ox_refuse(w, "codes of the type %lld are not read; of 4 and 8 bits are",
                            (long long)type);
    int bits = type == U4 || type == S4 ? 4 : 8;
    g->low = type == S8 || type == S4 ? -(1 << (bits - 1)) : 0;
    g->high = g->low + (1 << bits) - 1;
    return DT_OK;
}

static dt_status fold_quantize(dt_ox_walk *w, dt_ox_tensor **out)
{
    const dt_ox_tensor *t;
    dt_ox_grid *g = dt_arena_get(w->file->arena, sizeof *g);
    if (!g) return dt_ox_no_memory(w);
    DT_TRY(dt_ox_reals(w, 0, &t));
    DT_TRY(dt_ox_grid_read(w, 1, 2, t->rank, t->dim, g));
    DT_TRY(range_of_type(w, g));
    out[0] = dt_ox_make(w, true, t->rank, t->dim);
    DT_TRY(dt_ox_made(w, out[0]));
    for (int64_t i = 0; i < t->count; i++) {
        int64_t group = dt_ox_grid_group(g, t, i);
        float q = rintf(t->x[i] / dt_ox_grid_scale(g, group)) + (float)dt_ox_grid_zero(g, group);
        if (!isfinite(t->x[i])) return dt_ox_refuse(w, "its input has numbers that are not finite");
        out[0]->n[i] = (int64_t)fminf(fmaxf(q, (float)g->low), (float)g->high);
    }
    out[0]->name = t->name;
    out[0]->low = g->low;
    out[0]->high = g->high;
    out[0]->latent = t;
    out[0]->grid = g;
    return DT_OK;
}

/* The layer's name without what names the node alone. */
static const char *stem_of(dt_ox_walk *w)
{
    static const char end[] = "_QuantizeLinear";
    size_t n = strlen(w->layer), tail = sizeof end - 1;
    char *name = dt_arena_strdup(w->file->arena, w->layer);
    if (name && n > tail && strcmp(w->layer + n - tail, end) == 0) name[n - tail] = '\0';
    return name;
}

static dt_status build_quantize(dt_ox_walk *w)
{
    const dt_ox_value *v;
    DT_TRY(dt_ox_need(w, 0, &v));
    if (v->constant)
        return dt_ox_refuse(w, "its scale is computed; it is read where it is constant");
    if (!v->padded) DT_TRY(dt_ox_need_elements(w, 0, &v));
    dt_ox_codes *c = dt_arena_get(w->file->arena, sizeof *c);
    dt_ox_value out = *v;
    if (!c || !(c->layer = stem_of(w))) return dt_ox_no_memory(w);
    DT_TRY(dt_ox_grid_read(w, 1, 2, v->rank, v->dim, &c->grid));
    DT_TRY(range_of_type(w, &c->grid));
    out.codes = c;
    return dt_ox_set(w, 0, &out);
}

/* Numbers of codes; a type that has more bits than codes have (biases) is numbers alone. */
static dt_status fold_dequantize(dt_ox_walk *w, dt_ox_tensor **out)
{
    const dt_ox_tensor *t;
    dt_ox_grid *g = dt_arena_get(w->file->arena, sizeof *g);
    if (!g) return dt_ox_no_memory(w);
    DT_TRY(dt_ox_wholes(w, 0, &t));
    DT_TRY(dt_ox_grid_read(w, 1, 2, t->rank, t->dim, g));
    if (t->wide) return dt_ox_refuse(w, "codes of 16 bits are not read; of 4 and 8 are");
    out[0] = dt_ox_make(w, false, t->rank, t->dim);
    DT_TRY(dt_ox_made(w, out[0]));
    for (int64_t i = 0; i < t->count; i++) {
        int64_t group = dt_ox_grid_group(g, t, i);
        out[0]->x[i] = (float)(t->n[i] - dt_ox_grid_zero(g, group)) * dt_ox_grid_scale(g, group);
    }
    out[0]->name = t->name;
    g->low = t->low;
    g->high = t->high;
    if (t->low == t->high) return DT_OK;
    out[0]->grid = g;
    if (t->latent && dt_ox_grid_is_alike(g, t->grid)) out[0]->latent = t->latent;
    return DT_OK;
}

/* Codes that begin at 0 stand for a ReLU, which tools leave out in front of them; without it the
 * net would be another one wherever its quantizers are left out. */
static int with_relu(dt_ox_walk *w, const dt_ox_codes *c, int x)
{
    const dt_graph *g = w->b->graph;
    const dt_value *v = &g->value[x];
    if (c->grid.low != dt_ox_grid_zero(&c->grid, 0) || v->nonneg || v->kind == DT_VALUE_INPUT)
        return x;
    DT_QUERY_EACH_USE(u, g, x)
    {
        const dt_node *n = &g->node[u->node];
        double low, high;
        if (!n->op->limits) continue;
        n->op->limits(n->conf, &low, &high);
        if (low == 0 && isinf(high)) return n->out[0];
    }
    return dt_layer_relu(w->b, dt_layer_name(w->b, "%s.relu", c->layer), x);
}

static dt_status build_dequantize(dt_ox_walk *w)
{
    const dt_ox_value *v;
    dt_ox_grid g;
    DT_TRY(dt_ox_need(w, 0, &v));
    if (v->constant)
        return dt_ox_refuse(w, "its scale is computed; it is read where it is constant");
    if (!v->codes)
        return dt_ox_refuse(w, "its input is no codes of QuantizeLinear; integer operators before "
                               "it are not read, the QDQ form is");
    DT_TRY(dt_ox_grid_read(w, 1, 2, v->rank, v->dim, &g));
    if (!dt_ox_grid_is_alike(&g, &v->codes->grid))
        return dt_ox_refuse(w,
                            "its scale or zero point is not that of the QuantizeLinear before it");
    dt_ox_value out = *v;
    out.codes = NULL;
    out.value = with_relu(w, v->codes, v->value);
    DT_TRY(dt_ox_built(w));
    if (!w->sites) return dt_ox_set(w, 0, &out);
    const char *layer = v->codes->layer;
    const char *site = dt_layer_name(w->b, "%s_quant", layer);
    out.value = dt_ox_site(w, layer, site, out.value, false, &v->codes->grid);
    DT_TRY(dt_ox_built(w));
    return dt_ox_set(w, 0, &out);
}

#define MICROSOFT "com.microsoft" /* onnxruntime's, the same of more types */

const dt_ox_op dt_ox_op_QuantizeLinear = { .name = "QuantizeLinear",
                                           .domain = MICROSOFT,
                                           .in_min = 2,
                                           .in_max = 3,
                                           .fold = fold_quantize,
                                           .build = build_quantize };
const dt_ox_op dt_ox_op_DequantizeLinear = { .name = "DequantizeLinear",
                                             .domain = MICROSOFT,
                                             .in_min = 2,
                                             .in_max = 3,
                                             .fold = fold_dequantize,
                                             .build = build_dequantize,
                                             .quantizes = true,
                                             .takes_codes = true };
