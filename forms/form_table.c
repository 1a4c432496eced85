/* Codes of another grid: a table of 256. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "c99_texts.h"
#include "exchange/c99/c_cell.h"
#include "exchange/onnx/qoperator.h"
#include "exchange/qonnx/qonnx.h"
#include "exchange/tflite/tflite_walker.h"
#include "forms/table.h"
#include "integer/builder.h"
#include "integer/job.h"
#include "integer/prover.h"

static dt_status end(dt_int_builder *b, const dt_node *site, const dt_int_state *x,
                     const dt_lower_grid *grid, int *out_value)
{
    dt_int_node *node;
    DT_TRY(dt_int_end_node(b, &dt_form_table, site, x, grid, &node));
    node->table = dt_arena_get(b->m->arena, DT_CODES);
    if (!node->table) return dt_int_no_memory(b->err);
    *out_value = node->out;
    return DT_OK;
}

static void round_codes(const dt_int_model *m, dt_int_node *n)
{
    for (int code = 0; code < DT_CODES; code++)
        n->table[code] =
            (uint8_t)dt_grid_move(&m->value[n->in[0]].grid, &m->value[n->out].grid, code);
}

void dt_table_reference(const dt_int_job *j, int64_t picture)
{
    const uint8_t *x = dt_int_input(j, 0, picture);
    uint8_t *y = dt_int_codes(j, picture);
    for (int64_t i = 0; i < dt_int_count(j->y); i++)
        y[i] = j->n->table[x[i]];
}

static void move(const dt_kernels *k, int threads, const dt_int_value *x, const dt_int_value *y,
                 int64_t count, const uint8_t *codes, uint8_t *out)
{
    const dt_code_grid from = dt_int_grid_of(x), to = dt_int_grid_of(y);
    k->code.move(threads, count, codes, &from, &to, out);
}

static void engine(dt_int_run *r, const dt_int_node *n)
{
    move(r->kernels, r->threads, dt_int_value_of(r, n->in[0]), dt_int_value_of(r, n->out),
         dt_int_out_count(r, n), r->data[n->in[0]], r->data[n->out]);
}

static void prove(dt_prover *p, int node)
{
    const dt_int_node *n = &p->m->node[node];
    move(p->k, p->threads, &p->m->value[n->in[0]], &p->m->value[n->out], DT_CODES, p->b, p->out);
    dt_prove_codes(p, node, NULL, -1, n->table, p->out, false);
}

static dt_status qoperator(dt_qoperator_walk *w, const dt_int_node *n, const dt_int_node *end)
{
    (void)end;
    const char *value = dt_qoperator_part(w, n, "/DequantizeLinear"),
               *raw = dt_qoperator_part(w, n, "/QuantizeLinear");
    dt_onnx_node(w->m, "DequantizeLinear",
                 (const char *[]){ w->codes[n->in[0]], dt_qoperator_scale(w, n->in[0]),
                                   dt_qoperator_zero(w, n->in[0]), NULL },
                 value, NULL);
    dt_onnx_node(w->m, "QuantizeLinear",
                 (const char *[]){ value, dt_qoperator_scale(w, n->out),
                                   dt_qoperator_zero(w, n->out), NULL },
                 raw, NULL);
    w->flat[n->out] = w->flat[n->in[0]];
    dt_qoperator_finish(w, n, raw);
    return DT_OK;
}

static dt_status qonnx(dt_qonnx_walk *w, const dt_int_node *n)
{
    const dt_lower_grid *x = &w->model->value[n->in[0]].grid, *y = &w->model->value[n->out].grid;
    const char *value = dt_qonnx_apply(w, n, "Mul", ".from", w->whole[n->in[0]], (double)x->scale);
    w->flat[n->out] = w->flat[n->in[0]];
    dt_qonnx_end(w, n, dt_qonnx_apply(w, n, "Div", ".to", value, (double)y->scale));
    return DT_OK;
}

/* Does the table only keep codes within the limits of its output? */
static bool only_limits(const dt_tflite_walker *w, const dt_int_node *n)
{
    const dt_lower_grid *x = &w->model->value[n->in[0]].grid, *y = &w->model->value[n->out].grid;
    bool same = x->scale == y->scale && x->zero_point == y->zero_point;
    for (int i = x->low; same && i <= x->high; i++)
        same = n->table[i] == (i < y->low ? y->low : i > y->high ? y->high : i);
    return same;
}

dt_status dt_table_tflite(dt_tflite_walker *w, const dt_int_node *n, const dt_int_node *end)
{
    (void)end;
    const dt_lower_grid *g = &w->model->value[n->out].grid;
    if (only_limits(w, n)) {
        int low = dt_tflite_code(w, n->name, ".least", n->out, g->low);
        dt_tflite_end(w, n, DT_TFL_MAXIMUM, (int[]){ w->tensor[n->in[0]], low }, 2, NULL);
        return DT_OK;
    }
    return dt_tflite_gather(w, n, n->table, 1);
}

static void numbers(dt_c_text *t, int step)
{
    const dt_int_node *n = t->p->plan->step[step].node;
    const dt_lower_grid *x = &t->m->value[n->in[0]].grid;
    dt_c_say(t, "static const uint8_t node_%d[%d] = {", step, x->high - x->low + 1);
    dt_c_say_list(t, x->high - x->low + 1, dt_c_at_u8, n->table + x->low);
}

static const char *text(const dt_contract *c)
{
    (void)c;
    return c99_table;
}

static void sizes(const dt_c_program *p, const dt_c_step *s, bool first, dt_c_sizes *out)
{
    const dt_lower_grid *x = &p->plan->model->value[s->in[0]].grid;
    (void)first;
    out->tables += (size_t)(x->high - x->low + 1);
}

static void call(dt_c_text *t, int step, char x[][DT_C_PLACE], const char *y)
{
    const dt_int_node *n = t->p->plan->step[step].node;
    dt_c_say(t, "move(node_%d, %d, %s, %s, %lld);", step, t->m->value[n->in[0]].grid.low, x[0], y,
             (long long)dt_int_count(&t->m->value[n->out]));
}

const dt_c_cell dt_table_c = {
    .text = text,
    .in_place = true,
    .sizes = sizes,
    .numbers = numbers,
    .call = call,
};

const dt_form dt_form_table = {
    .name = "table",
    .end = end,
    .round = round_codes,
    .reference = dt_table_reference,
    .engine = engine,
    .prove = prove,
    .qoperator = qoperator,
    .qonnx = qonnx,
    .tflite = dt_table_tflite,
    .c = &dt_table_c,
};
