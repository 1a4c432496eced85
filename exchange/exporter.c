/* The table of exporters, and what they share. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/exporter.h"

#include <stdio.h>
#include <string.h>

#include "autograd/quantizer.h"
#include "autograd/query.h"
#include "integer/lower.h"

#define DT_EXPORTER(name, folder) extern const dt_exporter dt_exporter_##name;
#include "exchange/exporters.def"
#undef DT_EXPORTER

#define DT_EXPORTER(name, folder) &dt_exporter_##name.row,
static const dt_row *const rows[] = {
#include "exchange/exporters.def"
    NULL,
};
#undef DT_EXPORTER

const dt_table dt_exporters = { .kind = "exporter", .rows = rows };

const dt_exporter *dt_exporter_of(const dt_row *row)
{
    return (const dt_exporter *)(const void *)row;
}

dt_lower_source dt_export_lower(const dt_export_source *src)
{
    return (dt_lower_source){ src->graph,  src->state, src->input,
                              src->logits, src->alloc, .no_gain = false };
}

static bool has_site(const dt_lowered *l)
{
    for (int i = 0; i < l->src.graph->node_count; i++)
        if (l->grid[i]) return true;
    return false;
}

dt_status dt_export_check_integer(const dt_export_source *src, const dt_lowered *l, dt_error *err)
{
    const dt_where where = { .file = src->name };
    if (l->missing == 0) return DT_OK;
    if (!has_site(l))
        return dt_fail(
            err, DT_ERR_UNSUPPORTED, &where,
            "is a float network, there is no integer model of it; --format onnx --allow-float "
            "writes it in float");
    return dt_fail(
        err, DT_ERR_UNSUPPORTED, &where,
        "%d sites have no quantizer (%s%s); --format onnx --allow-float writes them in float",
        l->missing, l->missing_text, l->missing > 6 ? ", ..." : "");
}

dt_status dt_export_model(const dt_export_source *src, const dt_lowered *l, const char *contract,
                          dt_int_model **out, dt_error *err)
{
    const dt_contract *c;
    DT_TRY(dt_export_check_integer(src, l, err));
    DT_TRY(dt_contract_get(contract, "--rounding", &c, err));
    return dt_int_model_new(l, c, src->alloc, out, err);
}

size_t dt_export_low_bytes(size_t count, int bits)
{
    return (count * (size_t)bits + 7) / 8;
}

void dt_export_tally(dt_export_count *list, int *count, const char *name)
{
    int i = 0;
    while (i < *count && strcmp(list[i].name, name) != 0)
        i++;
    if (i == DT_EXPORT_KINDS) return;
    if (i == *count) {
        snprintf(list[i].name, sizeof list[i].name, "%s", name);
        list[i].count = 0;
        (*count)++;
    }
    list[i].count++;
}

static void side_bits(char *text, size_t size, char side, const dt_node *site)
{
    const dt_fakequant_conf *c = site ? site->conf : NULL;
    if (c)
        snprintf(text, size, "%c%d", side, c->site.bits);
    else
        snprintf(text, size, "%c-float", side);
}

void dt_export_bits(const dt_graph *g, const dt_node *layer, char text[DT_EXPORT_KIND_TEXT])
{
    char w[12], a[12];
    const dt_node *weight = dt_query_site(g, layer->in[1]), *input = dt_query_site(g, layer->in[0]);
    side_bits(w, sizeof w, 'w', weight);
    side_bits(a, sizeof a, 'a', input);
    if (weight || input)
        snprintf(text, DT_EXPORT_KIND_TEXT, "%s %s", w, a);
    else
        snprintf(text, DT_EXPORT_KIND_TEXT, "float");
}

void dt_export_count_layers(const dt_export_source *src, dt_export_report *report)
{
    char text[DT_EXPORT_KIND_TEXT];
    for (int i = 0; i < src->graph->node_count; i++) {
        if (!src->graph->node[i].op->product) continue;
        dt_export_bits(src->graph, &src->graph->node[i], text);
        dt_export_tally(report->layer, &report->layer_count, text);
    }
}

void dt_export_describe_tensors(const dt_export_source *src, const dt_tensors *set,
                                const char *format, dt_export_report *report)
{
    snprintf(report->format, sizeof report->format, "%s", format);
    for (size_t i = 0; i < set->count; i++) {
        const dt_named_tensor *t = &set->item[i];
        dt_export_tally(report->part, &report->part_count, dt_dtype_name(t->dtype));
        report->bytes += dt_dtype_size(t->dtype) * (size_t)dt_shape_count(&t->shape);
    }
    dt_export_count_layers(src, report);
}
