/* QONNX, for FINN and hls4ml: float operators on whole numbers, and Quant nodes of any width
 * (domain qonnx.custom_op.general). Between two Quant nodes a value is code - zero point, so
 * products and sums are exact in float32 below 2^24, and what a Quant node rounds is the sum times
 * the float32 multiplier of the contract: whoever executes it gets our codes.
 *
 *   input    Div by the scale, Quant     product  Conv, MatMul and Add with whole biases
 *   requant  Mul by M, Quant             mean     GlobalAveragePool, M times the pixels
 *   add      Mul and Add as in the contract `unfused`, Quant
 *   table    Mul, Div, Quant             maxpool  MaxPool        pad  Conv with zeros and ones
 *
 * A weight's Quant has its trained bits and the gain as scale. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/onnx_file.h"
#include "exchange/onnx/onnx_walker.h"
#include "exchange/qonnx/qonnx.h"

dt_status dt_qonnx_no_memory(dt_qonnx_walk *w)
{
    return dt_fail(w->err, DT_ERR_NOMEM, NULL, "no memory for the ONNX model");
}

const char *dt_qonnx_part(dt_qonnx_walk *w, const dt_int_node *n, const char *what)
{
    return dt_onnx_text(w->m, "%s%s", n->name, what);
}

/* One number, as a constant. */
const char *dt_qonnx_number(dt_qonnx_walk *w, const dt_int_node *n, const char *what, double value)
{
    const char *name = dt_qonnx_part(w, n, what);
    float v = (float)value;
    dt_onnx_constant(w->m, name, DT_ONNX_FLOAT, &dt_onnx_scalar, &v);
    return name;
}

/* x op a number. */
const char *dt_qonnx_apply(dt_qonnx_walk *w, const dt_int_node *n, const char *op, const char *what,
                           const char *x, double value)
{
    const char *out = dt_onnx_text(w->m, "%s%s/%s", n->name, what, op);
    const char *in[] = { x, dt_qonnx_number(w, n, what, value), NULL };
    dt_onnx_node(w->m, op, in, out, NULL);
    return out;
}

static int bits_for(int count)
{
    int bits = 1;
    while (1 << bits < count)
        bits++;
    return bits;
}

/* The Quant that has the codes of a grid: unsigned from the zero point up (behind a ReLU), or
 * signed around it. Quant adds a zero point of its own before it rounds, which moves ties; so it
 * stays 0, and an offset is part of a wider signed range. */
static dt_qonnx_width width_of(const dt_lower_grid *g)
{
    int below = g->zero_point - g->low, above = g->high - g->zero_point;
    int bits = bits_for(2 * (below > above + 1 ? below : above + 1)), half = 1 << (bits - 1);
    if (below == 0) {
        bits = bits_for(above + 1);
        return (dt_qonnx_width){ .bits = bits, .clipped = above + 1 != 1 << bits };
    }
    bool narrow = below == half - 1 && above == half - 1;
    return (dt_qonnx_width){ .bits = bits,
                             .is_signed = true,
                             .narrow = narrow,
                             .clipped = !narrow && (below != half || above != half - 1) };
}

void dt_qonnx_quant(dt_qonnx_walk *w, const char *name, const char *x, const char *scale,
                    dt_qonnx_width q, const char *out)
{
    const float zero = 0, bits = (float)q.bits;
    const char *z = dt_onnx_text(w->m, "%s.zero_point", name);
    const char *b = dt_onnx_text(w->m, "%s.bits", name);
    dt_onnx_constant(w->m, z, DT_ONNX_FLOAT, &dt_onnx_scalar, &zero);
    dt_onnx_constant(w->m, b, DT_ONNX_FLOAT, &dt_onnx_scalar, &bits);
    const dt_onnx_attr attr[] = { { .name = "signed", .i = q.is_signed },
                                  { .name = "narrow", .i = q.narrow },
                                  { .name = "rounding_mode", .text = "ROUND" },
                                  { .name = NULL } };
    dt_onnx_node(w->m, "qonnx.custom_op.general:Quant", (const char *[]){ x, scale, z, b, NULL },
                 out, attr);
}

/* Ends a node on its grid. */
void dt_qonnx_end(dt_qonnx_walk *w, const dt_int_node *n, const char *x)
{
    const dt_lower_grid *g = &w->model->value[n->out].grid;
    const dt_qonnx_width q = width_of(g);
    const char *out = dt_qonnx_part(w, n, "/Quant");
    dt_qonnx_quant(w, n->name, x, dt_qonnx_number(w, n, ".unit", 1), q, out);
    w->whole[n->out] = out;
    if (!q.clipped) return;
    const char *in[] = { out, dt_qonnx_number(w, n, ".low", g->low - g->zero_point),
                         dt_qonnx_number(w, n, ".high", g->high - g->zero_point), NULL };
    w->whole[n->out] = dt_qonnx_part(w, n, "/Clip");
    dt_onnx_node(w->m, "Clip", in, w->whole[n->out], NULL);
}

/* A row of numbers by output, [O] or [1,O,1,1]. NULL: no memory. */
float *dt_qonnx_row(dt_qonnx_walk *w, int64_t count)
{
    return dt_arena_get(dt_onnx_arena(w->m), (size_t)count * sizeof(float));
}

dt_status dt_qonnx_gather(dt_qonnx_walk *w, const dt_int_node *n, const uint8_t *table,
                          int64_t tables)
{
    const dt_lower_grid *x = &w->model->value[n->in[0]].grid, *y = &w->model->value[n->out].grid;
    const dt_shape all = DT_SHAPE(tables * DT_CODES);
    const dt_shape each = w->flat[n->in[0]] ? DT_SHAPE(tables) : DT_SHAPE(1, tables, 1, 1);
    const char *rows = dt_qonnx_part(w, n, ".table"), *first = dt_qonnx_part(w, n, ".first");
    const char *at = dt_qonnx_part(w, n, "/Index"), *index = dt_qonnx_part(w, n, "/Cast");
    const char *out = dt_qonnx_part(w, n, "/Gather");
    const dt_onnx_attr to[] = { { .name = "to", .i = DT_ONNX_S64 }, { .name = NULL } };
    float *value = dt_qonnx_row(w, tables * DT_CODES), *begin = dt_qonnx_row(w, tables);
    if (!value || !begin) return dt_qonnx_no_memory(w);
    for (int64_t i = 0; i < tables * DT_CODES; i++)
        value[i] = (float)(table[i] - y->zero_point);
    for (int64_t c = 0; c < tables; c++)
        begin[c] = (float)(c * DT_CODES + x->zero_point);
    dt_onnx_constant(w->m, rows, DT_ONNX_FLOAT, &all, value);
    dt_onnx_constant(w->m, first, DT_ONNX_FLOAT, tables > 1 ? &each : &dt_onnx_scalar, begin);
    dt_onnx_node(w->m, "Add", (const char *[]){ w->whole[n->in[0]], first, NULL }, at, NULL);
    dt_onnx_node(w->m, "Cast", (const char *[]){ at, NULL }, index, to);
    dt_onnx_node(w->m, "Gather", (const char *[]){ rows, index, NULL }, out, NULL);
    dt_qonnx_end(w, n, out);
    return DT_OK;
}

static dt_status walk_model(const dt_export_source *src, const dt_int_model *model, dt_onnx *m,
                            dt_error *err)
{
    dt_qonnx_walk state = { .model = model, .m = m, .err = err }, *w = &state;
    size_t values = (size_t)model->value_count;
    w->whole = dt_arena_get(dt_onnx_arena(w->m), values * sizeof *w->whole);
    w->flat = dt_arena_get(dt_onnx_arena(w->m), values * sizeof *w->flat);
    if (!w->whole || !w->flat) return dt_qonnx_no_memory(w);
    int outputs[DT_GRAPH_PORTS];
    dt_graph_wanted(src->graph, src->logits, outputs);
    dt_onnx_ports(w->m, src->graph, src->logits);
    dt_int_mark_rows(model, src->graph, w->flat);
    for (int i = 0; i < model->node_count; i++) {
        const dt_int_node *n = &model->node[i];
        if (!n->form->qonnx) return dt_form_refuse(n->form, n->name, "QONNX", w->err);
        DT_TRY(n->form->qonnx(w, n));
    }
    for (int k = 0; k < model->outputs; k++) {
        const float scale = model->value[model->output[k]].grid.scale;
        const char *output = dt_onnx_output_name(src->graph, outputs[k]);
        /* The only one's constant has this name whatever the output is called. */
        const char *name =
            model->outputs == 1 ? "logits.scale" : dt_onnx_text(w->m, "%s/output.scale", output);
        dt_onnx_constant(w->m, name, DT_ONNX_FLOAT, &dt_onnx_scalar, &scale);
        dt_onnx_node(w->m, "Mul", (const char *[]){ w->whole[model->output[k]], name, NULL },
                     output, NULL);
    }
    return DT_OK;
}

static dt_status write(const dt_export_source *src, const void *options, const char *path,
                       dt_export_report *out_report, dt_error *err)
{
    (void)options;
    return dt_onnx_write_model(src, "unfused", walk_model, path, out_report, err);
}

const dt_exporter dt_exporter_qonnx = {
    .row = { "qonnx", "QONNX, Quant nodes of any width: for FINN and hls4ml" },
    .extension = "onnx",
    .write = write,
};
