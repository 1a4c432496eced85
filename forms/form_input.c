/* What goes in, a picture or one of several inputs: quantized, codes from then on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/qoperator.h"
#include "exchange/qonnx/qonnx.h"
#include "exchange/tflite/tflite_walker.h"
#include "integer/builder.h"
#include "integer/job.h"

static dt_status end(dt_int_builder *b, const dt_node *site, const dt_int_state *x,
                     const dt_lower_grid *grid, int *out_value)
{
    dt_int_node *node;
    DT_TRY(dt_int_end_node(b, &dt_form_input, site, x, grid, &node));
    node->port = dt_arena_strdup(b->m->arena, x->port->name);
    if (!node->port) return dt_int_no_memory(b->err);
    node->at = x->at;
    *out_value = node->out;
    return DT_OK;
}

static void reference(const dt_int_job *j, int64_t picture)
{
    int64_t count = dt_int_count(j->y);
    const float *x = j->r->picture + picture * j->r->model->record + j->n->at;
    uint8_t *y = dt_int_codes(j, picture);
    for (int64_t i = 0; i < count; i++)
        y[i] = (uint8_t)dt_grid_encode(&j->y->grid, x[i]);
}

static void engine(dt_int_run *r, const dt_int_node *n)
{
    const dt_code_grid g = dt_int_grid_of(dt_int_value_of(r, n->out));
    int64_t each = dt_int_count(dt_int_value_of(r, n->out)), record = r->model->record;
    uint8_t *y = r->data[n->out];
    if (each == record) {
        r->kernels->code.encode(r->threads, r->n * each, r->picture, &g, y);
        return;
    }
    for (int64_t i = 0; i < r->n; i++)
        r->kernels->code.encode(r->threads, each, r->picture + i * record + n->at, &g,
                                y + i * each);
}

static dt_status qoperator(dt_qoperator_walk *w, const dt_int_node *n, const dt_int_node *end)
{
    (void)end;
    const char *raw = dt_qoperator_part(w, n, "/QuantizeLinear");
    dt_onnx_node(w->m, "QuantizeLinear",
                 (const char *[]){ n->port, dt_qoperator_scale(w, n->out),
                                   dt_qoperator_zero(w, n->out), NULL },
                 raw, NULL);
    dt_qoperator_finish(w, n, raw);
    return DT_OK;
}

static dt_status qonnx(dt_qonnx_walk *w, const dt_int_node *n)
{
    double scale = (double)w->model->value[n->out].grid.scale;
    dt_qonnx_end(w, n, dt_qonnx_apply(w, n, "Div", ".scale", n->port, scale));
    return DT_OK;
}

static dt_status tflite(dt_tflite_walker *w, const dt_int_node *n, const dt_int_node *end)
{
    (void)end;
    const dt_int_value *v = &w->model->value[n->out];
    w->tensor[n->out] =
        dt_tflite_codes(w, n->name, "", n->out, dt_tflite_shape(w, n->out, v->H, v->W));
    return DT_OK;
}

/* In C codes of the picture are the input itself. */
const dt_form dt_form_input = {
    .name = "input",
    .end = end,
    .reference = reference,
    .engine = engine,
    .qoperator = qoperator,
    .qonnx = qonnx,
    .tflite = tflite,
};
