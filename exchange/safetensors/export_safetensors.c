/* safetensors: all parameters, buffers and quantizer state in float32 and torch's layouts and
 * names, for tools that keep their own model code. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "autograd/op_fakequant.h"
#include "autograd/quantizer.h"
#include "core/file.h"
#include "core/text.h"
#include "exchange/exporter.h"
#include "exchange/grid_text.h"
#include "exchange/layout.h"
#include "exchange/safetensors/safetensors.h"
#include "exchange/usage.h"
#include "fakequant/kind.h"
#include "integer/lower.h"

/* Under "grid.<site>". */
static dt_status add_grid(const dt_export_source *src, const dt_node *site, dt_tensors *set,
                          dt_error *err)
{
    dt_text text = { .alloc = src->alloc };
    dt_grid_say(site, src->state, &text);
    if (!text.bytes && !text.failed) return DT_OK;
    const char *key = dt_arena_printf(set->arena, "grid.%s", site->name);
    dt_status st = key && !text.failed ? dt_tensors_set_attr(set, key, text.bytes, err)
                                       : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to export");
    dt_text_fini(&text);
    return st;
}

static dt_status add_texts(const dt_export_source *src, dt_tensors *set, dt_error *err)
{
    const dt_graph *g = src->graph;
    DT_TRY(dt_tensors_set_attr(set, "name", src->name, err));
    for (size_t i = 0; i < src->attr_count; i++)
        DT_TRY(dt_tensors_set_attr(set, src->attr[i].key, src->attr[i].value, err));
    DT_TRY(dt_usage_add(src, &(dt_usage_ends){ .layout = "NCHW" }, set, err));
    DT_TRY(dt_kind_tell(g, set, err));
    for (int i = 0; i < g->node_count; i++) {
        char bits[DT_EXPORT_KIND_TEXT];
        if (g->node[i].op->quantizes) DT_TRY(add_grid(src, &g->node[i], set, err));
        if (!g->node[i].op->product) continue;
        const char *key = dt_arena_printf(set->arena, "bits.%s", g->node[i].name);
        if (!key) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
        dt_export_bits(g, &g->node[i], bits);
        DT_TRY(dt_tensors_set_attr(set, key, bits, err));
    }
    return DT_OK;
}

/* A copy of one of the set's tensors in its place, which only borrows it. */
static real *own(dt_tensors *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++) {
        dt_named_tensor *t = &set->item[i];
        if (strcmp(t->name, name) != 0) continue;
        size_t bytes = (size_t)dt_shape_count(&t->shape) * sizeof(real);
        real *copy = dt_arena_get(set->arena, bytes);
        if (copy) t->data = memcpy(copy, t->data, bytes);
        return copy;
    }
    return NULL;
}

/* Learned numbers beyond what their quantizer reads become what it reads. */
static dt_status settle(const dt_export_source *src, const dt_node *site, dt_tensors *set,
                        dt_error *err)
{
    const dt_fakequant_conf *c = site->conf;
    real *data[DT_QUANT_MAX_PARAMS], p[DT_QUANT_MAX_PARAMS];
    for (int i = 0; i < c->quantizer->param_count; i++) {
        data[i] = own(set, src->graph->value[site->in[1 + i]].name);
        if (!data[i]) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to export");
    }
    for (int64_t g = 0; g < c->site.groups; g++) {
        for (int i = 0; i < c->quantizer->param_count; i++)
            p[i] = data[i][g];
        c->quantizer->settle(c->options, &c->site, p);
        for (int i = 0; i < c->quantizer->param_count; i++)
            data[i][g] = p[i];
    }
    return DT_OK;
}

static dt_status write(const dt_export_source *src, const void *options, const char *path,
                       dt_export_report *out_report, dt_error *err)
{
    (void)options;
    dt_tensors set;
    dt_export_report report = { 0 };
    DT_TRY(dt_tensors_init(&set, src->alloc, err));
    dt_status st = dt_layout_collect(src->graph, src->state, false, &set, err);
    for (int i = 0; st == DT_OK && i < src->graph->node_count; i++) {
        const dt_node *n = &src->graph->node[i];
        const dt_fakequant_conf *c = n->conf;
        if (n->op->quantizes && c->quantizer->settle) st = settle(src, n, &set, err);
    }
    if (st == DT_OK) st = add_texts(src, &set, err);
    if (st == DT_OK && path) st = dt_safetensors_write(path, &set, src->alloc, err);
    if (st == DT_OK) dt_export_describe_tensors(src, &set, "safetensors, torch's layouts", &report);
    dt_tensors_fini(&set);
    if (st == DT_OK && out_report) *out_report = report;
    return st;
}

const dt_exporter dt_exporter_safetensors = {
    .row = { "safetensors", "all tensors in float32, torch's names and layouts", NULL, 0 },
    .extension = "safetensors",
    .write = write,
};
