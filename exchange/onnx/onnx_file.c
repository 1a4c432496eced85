/* From a lowering to an ONNX file. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/onnx_file.h"

#include "autograd/quantizer.h"
#include "core/atomic.h"
#include "exchange/usage.h"

/* Measured by bench/ort_levels.py, see docs/export.md; of integer nets no logit differs there. */
static const char depends_on_level[] = "results of float parts depend on onnxruntime's "
                                       "optimisation level: verified with ORT_ENABLE_ALL; "
                                       "EXTENDED gives the same, at BASIC and DISABLE_ALL 310 of "
                                       "320 logits of an untrained ViT differ";

static const char *depends(const dt_lowered *l)
{
    return l->missing || l->floats ? depends_on_level : NULL;
}

/* How the file is used: as metadata, and in words beside input and output. */
static dt_status add_usage(const dt_export_source *src, const dt_lowered *l, dt_onnx *m,
                           dt_error *err)
{
    const dt_usage_ends ends = dt_usage_of_lowered(l, "NCHW");
    dt_usage u;
    DT_TRY(dt_usage_make(src, &ends, dt_onnx_arena(m), &u, err));
    for (int i = 0; i < u.count; i++)
        dt_onnx_meta(m, dt_onnx_text(m, "detent.%s", u.text[i].key), u.text[i].value);
    const char *mean = dt_usage_get(&u, "input.mean"), *std = dt_usage_get(&u, "input.std");
    const char *classes = dt_usage_get(&u, "class.names");
    if (mean && std)
        dt_onnx_doc_input(m,
                          dt_onnx_text(m, "pictures, %s: (level%s - mean) / std, mean %s, std %s",
                                       dt_usage_get(&u, "input.layout"),
                                       src->levels ? "" : " / 255", mean, std));
    if (classes)
        dt_onnx_doc_output(m, src->class_output,
                           dt_onnx_text(m, "a score for each class:\n%s", classes));
    return DT_OK;
}

static void add_meta(const dt_export_source *src, const dt_lowered *l, dt_onnx *m)
{
    const bool *needed = l->needed;
    const dt_graph *g = src->graph;
    dt_onnx_meta(m, "detent.name", src->name);
    for (size_t i = 0; i < src->attr_count; i++)
        dt_onnx_meta(m, dt_onnx_text(m, "detent.%s", src->attr[i].key), src->attr[i].value);
    dt_onnx_meta(m, "detent.arithmetic", depends(l) ? "float parts" : "integer");
    if (depends(l)) dt_onnx_meta(m, "detent.optimization", depends(l));
    dt_onnx_meta(m, "detent.rounding", "fp32-RNE");
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *n = &g->node[i];
        char bits[DT_EXPORT_KIND_TEXT];
        if (!needed[i]) continue;
        if (n->op->product) {
            dt_export_bits(g, n, bits);
            dt_onnx_meta(m, dt_onnx_text(m, "detent.bits.%s", n->name), bits);
        } else if (n->op->quantizes) {
            const dt_fakequant_conf *c = n->conf;
            dt_onnx_meta(m, dt_onnx_text(m, "detent.quantizer.%s", n->name),
                         dt_onnx_text(m, "%s %s%d", c->quantizer->row.name,
                                      c->site.is_signed ? "s" : "u", c->site.bits));
        }
    }
}

static dt_status fill(const dt_export_source *src, const dt_lowered *l, const dt_onnx_form *form,
                      const char *path, dt_onnx *m, dt_export_report *report, dt_error *err)
{
    unsigned char *bytes;
    DT_TRY(form->build(src, l, form->arg, m, err));
    add_meta(src, l, m);
    DT_TRY(add_usage(src, l, m, err));
    DT_TRY(dt_onnx_pack(m, src->name, src->version, &bytes, &report->bytes, err));
    dt_onnx_describe(m, report);
    dt_status st =
        path ? dt_file_write_checked(NULL, path, bytes, report->bytes, dt_onnx_check, m, err)
             : DT_OK;
    dt_put(src->alloc, bytes);
    return st;
}

dt_status dt_onnx_write(const dt_export_source *src, const dt_onnx_form *form, const char *path,
                        dt_export_report *out_report, dt_error *err)
{
    dt_export_report report = { 0 };
    const dt_lower_source low = dt_export_lower(src);
    dt_lowered *l;
    DT_TRY(dt_lower_new(&low, &l, err));
    dt_onnx *m = dt_onnx_new(src->alloc);
    dt_status st = m ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the ONNX model");
    if (st == DT_OK && !form->allow_float) st = dt_export_check_integer(src, l, err);
    if (st == DT_OK) st = fill(src, l, form, path, m, &report, err);
    report.missing = l->missing;
    report.floats = l->floats;
    report.integer_macs = l->integer_macs;
    report.depends = depends(l);
    dt_onnx_free(m);
    dt_lower_free(l);
    if (st != DT_OK) return st;
    dt_export_count_layers(src, &report);
    if (out_report) *out_report = report;
    return DT_OK;
}

const dt_opt dt_onnx_opts[] = {
    DT_OPT_BOOL(dt_onnx_conf, allow_float, 0, "write parts without quantizers in float"),
    DT_OPT_END,
};

static dt_status build_qdq(const dt_export_source *src, const dt_lowered *l, const void *arg,
                           dt_onnx *m, dt_error *err)
{
    (void)src;
    return dt_onnx_walk(l, arg, m, err);
}

dt_status dt_onnx_write_qdq(const dt_export_source *src, const dt_onnx_walk_params *params,
                            const dt_onnx_conf *conf, const char *path,
                            dt_export_report *out_report, dt_error *err)
{
    const dt_onnx_form form = { build_qdq, params, conf->allow_float };
    return dt_onnx_write(src, &form, path, out_report, err);
}

typedef struct model_form {
    const char *contract;
    dt_onnx_build_model *build;
} model_form;

static dt_status build_model(const dt_export_source *src, const dt_lowered *l, const void *arg,
                             dt_onnx *m, dt_error *err)
{
    const model_form *f = arg;
    dt_int_model *model;
    DT_TRY(dt_export_model(src, l, f->contract, &model, err));
    dt_status st = f->build(src, model, m, err);
    dt_int_model_free(model);
    return st;
}

dt_status dt_onnx_write_model(const dt_export_source *src, const char *contract,
                              dt_onnx_build_model *build, const char *path,
                              dt_export_report *out_report, dt_error *err)
{
    const model_form f = { contract, build };
    return dt_onnx_write(src, &(dt_onnx_form){ .build = build_model, .arg = &f }, path, out_report,
                         err);
}
