/* Element-wise functions of one input: a table of 256 codes, whatever the function is. It is made
 * by the operation's own forward pass, which gives the same bits in every tier. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/query.h"
#include "exchange/onnx/qoperator.h"
#include "exchange/qonnx/qonnx.h"
#include "forms/table.h"
#include "integer/builder.h"

/* table[code of x] = code of f(x) on grid y. */
static dt_status fill(const dt_node *n, const dt_lower_grid *x, const dt_lower_grid *y,
                      uint8_t *table, dt_error *err)
{
    _Alignas(64) real in[DT_CODES], out[DT_CODES];
    const dt_shape shape = DT_SHAPE(1, DT_CODES);
    dt_kernels k;
    DT_TRY(dt_kernels_init(&k, "scalar", err));
    for (int i = 0; i < DT_CODES; i++)
        in[i] = (real)dt_grid_value(x, i);
    n->op->forward(&(dt_op_run){ .conf = n->conf,
                                 .mode = DT_MODE_EVAL,
                                 .threads = 1,
                                 .kernels = &k,
                                 .in_shape = &shape,
                                 .out_shape = &shape,
                                 .in = { in },
                                 .out = { out } });
    for (int i = 0; i < DT_CODES; i++)
        table[i] = (uint8_t)dt_grid_encode(y, (float)out[i]);
    return DT_OK;
}

static dt_status lower(dt_int_builder *b, const dt_node *n)
{
    int x;
    DT_TRY(dt_int_codes_of(b, n, 0, "its input", &x));
    dt_int_set_waiting(b, n, &dt_form_function, &x, 1);
    return DT_OK;
}

static dt_status end(dt_int_builder *b, const dt_node *site, const dt_int_state *x,
                     const dt_lower_grid *grid, int *out_value)
{
    dt_int_node *node;
    DT_TRY(dt_int_end_node(b, &dt_form_function, site, x, grid, &node));
    node->table = dt_arena_get(b->m->arena, DT_CODES);
    if (!node->table) return dt_int_no_memory(b->err);
    *out_value = node->out;
    return fill(x->node, &b->m->value[x->in[0]].grid, grid, node->table, b->err);
}

static dt_status in_float(dt_onnx_walker *w, const dt_node *n)
{
    const char *x = dt_onnx_floats(w, n->in[0]), *out = dt_onnx_out(w, n, n->op->name);
    if (!dt_onnx_function(w->m, n->name, n->op, n->conf, x, out))
        return dt_fail(w->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = n->name },
                       "'%s' has no ONNX operators", n->op->name);
    return dt_onnx_set(w, n, out);
}

static dt_status onnx(dt_onnx_walker *w, const dt_node *n)
{
    const dt_onnx_value *x = w->value[n->in[0]];
    bool codes = x->codes && !x->move && !w->params->symmetric;
    return codes ? dt_onnx_defer(w, n) : in_float(w, n);
}

static dt_status onnx_deferred(dt_onnx_walker *w, const dt_node *n, const dt_node *site,
                               const dt_lower_grid *grid)
{
    const dt_graph *g = w->src->graph;
    uint8_t table[DT_CODES];
    if (!site) return in_float(w, n);
    const dt_node *from = dt_query_site(g, n->in[0]);
    DT_TRY(fill(n, w->l->grid[dt_query_index(g, from)], grid, table, w->err));
    const char *x = w->value[n->in[0]]->codes;
    return dt_onnx_set_codes(w, site, site->name, grid->scale,
                             dt_onnx_gather(w->m, site->name, x, table, 1, false));
}

static dt_status qoperator(dt_qoperator_walk *w, const dt_int_node *n, const dt_int_node *end_node)
{
    (void)end_node;
    w->codes[n->out] = dt_onnx_gather(w->m, n->name, w->codes[n->in[0]], n->table, 1, false);
    w->flat[n->out] = w->flat[n->in[0]];
    return DT_OK;
}

static dt_status qonnx(dt_qonnx_walk *w, const dt_int_node *n)
{
    w->flat[n->out] = w->flat[n->in[0]];
    return dt_qonnx_gather(w, n, n->table, 1);
}

/* The tables are the model itself: no contract rounds in them, and the engine reads the same. */
const dt_form dt_form_function = {
    .name = "function",
    .lower = lower,
    .end = end,
    .onnx = onnx,
    .onnx_deferred = onnx_deferred,
    .reference = dt_table_reference,
    .qoperator = qoperator,
    .qonnx = qonnx,
    .tflite = dt_table_tflite,
    .c = &dt_table_c,
};
