/* ONNX in the QOperator form: every node of the integer model is an operator on uint8 codes,
 * QLinearConv of ONNX itself, the others of onnxruntime's domain com.microsoft. Nothing is left for
 * a runtime to fuse, and only onnxruntime runs it.
 *
 *   input    QuantizeLinear              product, requant   QLinearConv; QGemm behind the pool
 *   add      QLinearAdd                  mean, requant      QLinearGlobalAveragePool, Flatten
 *   table    DequantizeLinear, QuantizeLinear               maxpool  MaxPool on codes
 *   pad      QLinearConv, 1x1, strided, with the codes 0 and 1
 *
 * Grids of fewer than 256 codes are a Clip behind it. Rounding is that of the contract fp32. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/onnx_file.h"
#include "exchange/onnx/onnx_walker.h"
#include "exchange/onnx/qoperator.h"

dt_status dt_qoperator_no_memory(dt_qoperator_walk *w)
{
    return dt_fail(w->err, DT_ERR_NOMEM, NULL, "no memory for the ONNX model");
}

const char *dt_qoperator_part(dt_qoperator_walk *w, const dt_int_node *n, const char *what)
{
    return dt_onnx_text(w->m, "%s%s", n->name, what);
}

static const char *byte_constant(dt_qoperator_walk *w, const char *name, int value)
{
    unsigned char byte = (unsigned char)value;
    dt_onnx_constant(w->m, name, DT_ONNX_U8, &dt_onnx_scalar, &byte);
    return name;
}

/* Scale and zero point of a value are named after the node that makes it. */
const char *dt_qoperator_scale(dt_qoperator_walk *w, int value)
{
    return dt_qoperator_part(w, dt_int_producer(w->model, value), ".scale");
}

const char *dt_qoperator_zero(dt_qoperator_walk *w, int value)
{
    return dt_qoperator_part(w, dt_int_producer(w->model, value), ".zero_point");
}

void dt_qoperator_grid(dt_qoperator_walk *w, const dt_int_node *n)
{
    const dt_lower_grid *g = &w->model->value[n->out].grid;
    dt_onnx_constant(w->m, dt_qoperator_scale(w, n->out), DT_ONNX_FLOAT, &dt_onnx_scalar,
                     &g->scale);
    byte_constant(w, dt_qoperator_zero(w, n->out), g->zero_point);
}

/* The codes of a node are `raw`, within the limits of its grid. */
void dt_qoperator_finish(dt_qoperator_walk *w, const dt_int_node *n, const char *raw)
{
    const dt_lower_grid *g = &w->model->value[n->out].grid;
    w->codes[n->out] = raw;
    if (g->low == 0 && g->high == 255) return;
    const char *low = byte_constant(w, dt_qoperator_part(w, n, ".low"), g->low);
    const char *high = byte_constant(w, dt_qoperator_part(w, n, ".high"), g->high);
    w->codes[n->out] = dt_qoperator_part(w, n, "/Clip");
    dt_onnx_node(w->m, "Clip", (const char *[]){ raw, low, high, NULL }, w->codes[n->out], NULL);
}

void dt_qoperator_conv(dt_qoperator_walk *w, const dt_conv_shape *s, const char *const *in,
                       const char *out)
{
    const dt_onnx_attr attr[] = {
        { .name = "group", .i = s->G },
        { .name = "kernel_shape", .count = 2, .ints = { s->KH, s->KW } },
        dt_onnx_pads(s),
        { .name = "strides", .count = 2, .ints = { s->SH, s->SW } },
        dt_onnx_dilations(s->DH, s->DW),
        { .name = NULL },
    };
    dt_onnx_node(w->m, "QLinearConv", in, out, attr);
}

/* Sums are part of the requantisations that read them. */
static dt_status emit(dt_qoperator_walk *w, const dt_int_node *n)
{
    const dt_int_node *sums = dt_int_sums(w->model, n), *of = sums ? sums : n;
    if (w->model->value[n->out].is_sum) return DT_OK;
    if (!of->form->qoperator) return dt_form_refuse(of->form, of->name, "QOperator", w->err);
    dt_qoperator_grid(w, n);
    return of->form->qoperator(w, of, n);
}

static dt_status walk_model(const dt_export_source *src, const dt_int_model *model, dt_onnx *m,
                            dt_error *err)
{
    dt_qoperator_walk w = { .model = model, .m = m, .err = err };
    size_t values = (size_t)model->value_count;
    w.codes = dt_arena_get(dt_onnx_arena(m), values * sizeof *w.codes);
    w.flat = dt_arena_get(dt_onnx_arena(m), values * sizeof *w.flat);
    if (!w.codes || !w.flat) return dt_qoperator_no_memory(&w);
    int outputs[DT_GRAPH_PORTS];
    dt_graph_wanted(src->graph, src->logits, outputs);
    dt_onnx_ports(m, src->graph, src->logits);
    dt_int_mark_rows(model, src->graph, w.flat);
    for (int i = 0; i < model->node_count; i++)
        DT_TRY(emit(&w, &model->node[i]));
    for (int k = 0; k < model->outputs; k++)
        dt_onnx_node(m, "DequantizeLinear",
                     (const char *[]){ w.codes[model->output[k]],
                                       dt_qoperator_scale(&w, model->output[k]),
                                       dt_qoperator_zero(&w, model->output[k]), NULL },
                     dt_onnx_output_name(src->graph, outputs[k]), NULL);
    return DT_OK;
}

static dt_status write(const dt_export_source *src, const void *options, const char *path,
                       dt_export_report *out_report, dt_error *err)
{
    (void)options;
    return dt_onnx_write_model(src, "fp32", walk_model, path, out_report, err);
}

const dt_exporter dt_exporter_qoperator = {
    .row = { "qoperator", "ONNX, integer operators (com.microsoft): for onnxruntime alone" },
    .extension = "onnx",
    .write = write,
};
