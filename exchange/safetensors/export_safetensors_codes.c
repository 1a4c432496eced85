/* safetensors with the integers: of every quantized layer the trained codes in torch's layout, with
 * batch norm folded into their scales, and the grid of every quantized activation, so that tools
 * without our quantizers can compute the net.
 *
 *   LAYER.codes       I8 [O,I,KH,KW] or [O,I]; negated in channels of negative norm,
 *                     unless training folded it
 *   LAYER.scale       F32 [O] or [1]: weight = scale * code
 *   LAYER.bias        F32 [O], norm and bias together
 *   LAYER.bias_codes  I32 [O], where the input is quantized: bias = bias_codes * bias_scale
 *   LAYER.bias_scale  F32 [O] or [1]: exactly the input's scale * LAYER.scale
 *   SITE.scale        F32 [1]: value = scale * (code - zero_point)
 *   SITE.grid         I32 [3]: zero point, lowest and highest code of an unsigned byte
 *
 * Layers without quantizers have LAYER.weight, F32. Metadata has the bits of each layer. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "autograd/query.h"
#include "exchange/exporter.h"
#include "exchange/layout.h"
#include "exchange/safetensors/safetensors.h"
#include "exchange/usage.h"

static dt_status add(dt_tensors *set, const char *owner, const char *what, dt_dtype type,
                     int64_t count, const void *data, dt_error *err)
{
    const char *name = dt_arena_printf(set->arena, "%s.%s", owner, what);
    if (!name) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    return dt_tensors_add(set, name, type, &DT_SHAPE(count), data, err);
}

/* Codes or float weights, [O][K] in the engine's layout. */
static dt_status add_weights(const dt_value *v, const char *owner, const dt_lower_product *p,
                             dt_tensors *set, dt_error *err)
{
    const void *data = p->quantized ? (const void *)p->code : p->weight;
    bool moved = v->layout == DT_LAYOUT_OIHW;
    dt_dtype type = p->quantized ? DT_S8 : DT_F32;
    dt_shape shape = dt_layout_shape(v);
    const char *name =
        dt_arena_printf(set->arena, "%s.%s", owner, p->quantized ? "codes" : "weight");
    if (!name) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    DT_TRY(dt_tensors_add(set, name, type, &shape, moved ? NULL : data, err));
    if (moved)
        dt_layout_to_foreign(&v->shape, dt_dtype_size(type), data,
                             dt_tensors_data(set, set->count - 1));
    return DT_OK;
}

static dt_status add_product(const dt_graph *g, const dt_node *n, const dt_lower_product *p,
                             dt_tensors *set, dt_error *err)
{
    char bits[DT_EXPORT_KIND_TEXT];
    int weight = dt_query_latent(g, n->in[n->op->product->w]);
    DT_TRY(add_weights(&g->value[weight], n->name, p, set, err));
    if (p->quantized) DT_TRY(add(set, n->name, "scale", DT_F32, p->scales, p->scale, err));
    if (p->has_bias) DT_TRY(add(set, n->name, "bias", DT_F32, p->O, p->bias, err));
    if (p->quantized && p->bias_code) {
        DT_TRY(add(set, n->name, "bias_codes", DT_I32, p->O, p->bias_code, err));
        DT_TRY(add(set, n->name, "bias_scale", DT_F32, p->scales, p->bias_scale, err));
    }
    const char *key = dt_arena_printf(set->arena, "bits.%s", n->name);
    if (!key) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    dt_export_bits(g, n, bits);
    return dt_tensors_set_attr(set, key, bits, err);
}

static dt_status add_grid(const dt_node *n, const dt_lower_grid *grid, dt_tensors *set,
                          dt_error *err)
{
    DT_TRY(add(set, n->name, "grid", DT_I32, 3, NULL, err));
    int32_t *to = dt_tensors_data(set, set->count - 1);
    to[0] = grid->zero_point;
    to[1] = grid->low;
    to[2] = grid->high;
    return add(set, n->name, "scale", DT_F32, 1, &grid->scale, err);
}

static dt_status add_all(const dt_export_source *src, const dt_lowered *l, dt_tensors *set,
                         dt_export_report *report, dt_error *err)
{
    const dt_graph *g = src->graph;
    const dt_usage_ends ends = dt_usage_of_lowered(l, "NCHW");
    DT_TRY(dt_tensors_set_attr(set, "name", src->name, err));
    for (size_t i = 0; i < src->attr_count; i++)
        DT_TRY(dt_tensors_set_attr(set, src->attr[i].key, src->attr[i].value, err));
    DT_TRY(dt_usage_add(src, &ends, set, err));
    for (int i = 0; i < g->node_count; i++) {
        const dt_lower_product *p = l->product[i];
        if (l->grid[i]) DT_TRY(add_grid(&g->node[i], l->grid[i], set, err));
        if (!p) continue;
        DT_TRY(add_product(g, &g->node[i], p, set, err));
        if (!p->quantized) continue;
        report->weight_bytes += (size_t)(p->O * p->K);
        report->trained_bytes += dt_export_low_bytes((size_t)(p->O * p->K), p->bits);
    }
    return DT_OK;
}

static dt_status write(const dt_export_source *src, const void *options, const char *path,
                       dt_export_report *out_report, dt_error *err)
{
    (void)options;
    dt_tensors set;
    dt_lowered *l;
    dt_export_report report = { 0 };
    dt_lower_source low = dt_export_lower(src);
    low.no_gain = true;
    DT_TRY(dt_lower_new(&low, &l, err));
    dt_status st = dt_tensors_init(&set, src->alloc, err);
    if (st == DT_OK) {
        st = add_all(src, l, &set, &report, err);
        report.missing = l->missing;
        if (st == DT_OK && path) st = dt_safetensors_write(path, &set, src->alloc, err);
        if (st == DT_OK) dt_export_describe_tensors(src, &set, "safetensors, integers", &report);
        dt_tensors_fini(&set);
    }
    dt_lower_free(l);
    if (st == DT_OK && out_report) *out_report = report;
    return st;
}

const dt_exporter dt_exporter_safetensors_codes = {
    .row = { "safetensors_codes",
             "integer codes of weights, scales, biases and grids of activations", NULL, 0 },
    .extension = "safetensors",
    .no_gain = true,
    .write = write,
};
