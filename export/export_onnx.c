/* ONNX. Quantized networks are written in the QDQ form with every activation in uint8; see
 * onnx_walk.c for the graph and lower.h for the integers. What has no quantizer would run in float:
 * such a network is refused unless `allow_float`. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "autograd/quantizer.h"
#include "core/file.h"
#include "export/onnx_walk.h"
#include "integer/lower.h"

typedef struct conf {
    bool allow_float;
} conf;

static const dt_opt opts[] = {
    DT_OPT_BOOL(conf, allow_float, 0, "write parts without quantizers in float"),
    DT_OPT_END,
};

static bool has_site(const dt_lowered *l)
{
    for (int i = 0; i < l->src.graph->node_count; i++)
        if (l->grid[i]) return true;
    return false;
}

static dt_status check_integer(const dt_export_source *src, const dt_lowered *l, const conf *c,
                               dt_export_report *report, dt_error *err)
{
    const dt_where where = { .file = src->name };
    report->missing = l->missing;
    if (report->missing == 0 || c->allow_float) return DT_OK;
    if (!has_site(l))
        return dt_fail(err, DT_ERR_UNSUPPORTED, &where,
                       "is a float network, there is no integer model of it; --allow-float "
                       "writes it in float");
    return dt_fail(err, DT_ERR_UNSUPPORTED, &where,
                   "%d sites have no quantizer (%s%s); --allow-float writes them in float",
                   report->missing, l->missing_text, report->missing > 6 ? ", ..." : "");
}

static void add_numbers(dt_onnx *m, const char *key, const float *v)
{
    dt_onnx_meta(m, key,
                 dt_onnx_text(m, "%.9g %.9g %.9g", (double)v[0], (double)v[1], (double)v[2]));
}

static void add_meta(const dt_export_source *src, const bool *needed, int missing, dt_onnx *m)
{
    const dt_graph *g = src->graph;
    dt_onnx_meta(m, "detent.name", src->name);
    for (size_t i = 0; i < src->attr_count; i++)
        dt_onnx_meta(m, dt_onnx_text(m, "detent.%s", src->attr[i].key), src->attr[i].value);
    dt_onnx_meta(m, "detent.arithmetic", missing ? "float parts" : "integer");
    dt_onnx_meta(m, "detent.rounding", "fp32-RNE");
    if (src->mean) add_numbers(m, "detent.input.mean", src->mean);
    if (src->std) add_numbers(m, "detent.input.std", src->std);
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *n = &g->node[i];
        char bits[DT_EXPORT_KIND_TEXT];
        if (!needed[i]) continue;
        if (dt_lower_is_product(n)) {
            dt_export_bits(g, n, bits);
            dt_onnx_meta(m, dt_onnx_text(m, "detent.bits.%s", n->name), bits);
        } else if (dt_lower_is(n, "fakequant")) {
            const dt_fakequant_conf *c = n->conf;
            dt_onnx_meta(m, dt_onnx_text(m, "detent.quantizer.%s", n->name),
                         dt_onnx_text(m, "%s %s%d", c->quantizer->row.name,
                                      c->site.is_signed ? "s" : "u", c->site.bits));
        }
    }
}

static dt_status build(const dt_export_source *src, const dt_lowered *l, const conf *c,
                       const char *path, dt_onnx *m, dt_export_report *report, dt_error *err)
{
    unsigned char *bytes;
    DT_TRY(check_integer(src, l, c, report, err));
    DT_TRY(dt_onnx_walk(l, m, err));
    add_meta(src, l->needed, report->missing, m);
    DT_TRY(dt_onnx_pack(m, src->name, src->version, &bytes, &report->bytes, err));
    dt_onnx_describe(m, report);
    dt_status st = path ? dt_file_write(path, bytes, report->bytes, err) : DT_OK;
    dt_put(src->alloc, bytes);
    return st;
}

static dt_status write(const dt_export_source *src, const void *options, const char *path,
                       dt_export_report *out_report, dt_error *err)
{
    dt_export_report report = { 0 };
    const dt_lower_source low = dt_export_lower(src);
    dt_lowered *l;
    DT_TRY(dt_lower_new(&low, &l, err));
    dt_onnx *m = dt_onnx_new(src->alloc);
    dt_status st = m ? build(src, l, options, path, m, &report, err)
                     : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the ONNX model");
    if (m) dt_onnx_free(m);
    dt_lower_free(l);
    if (st != DT_OK) return st;
    dt_export_count_layers(src, &report);
    if (out_report) *out_report = report;
    return DT_OK;
}

const dt_exporter dt_exporter_onnx = {
    .row = { "onnx", "ONNX, QDQ form: integer models for onnxruntime and others", opts,
             sizeof(conf) },
    .extension = "onnx",
    .write = write,
};
