/* Inputs beside each other along the channels. The quantizer behind is one for all of them: what
 * waits for a grid ends on it, input by input, and what has codes already gets a table; codes only
 * move then. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "autograd/query.h"
#include "exchange/c99/c_cell.h"
#include "exchange/onnx/qoperator.h"
#include "exchange/qonnx/qonnx.h"
#include "exchange/tflite/tflite_walker.h"
#include "integer/builder.h"
#include "integer/job.h"

static dt_status lower(dt_int_builder *b, const dt_node *n)
{
    for (int k = 0; k < n->in_count; k++) {
        const dt_int_state *x = &b->state[n->in[k]];
        if (!x->end || (!x->codes && !x->node))
            return dt_int_refuse(b, n, "an input of it has no integer form");
    }
    dt_int_set_waiting(b, n, &dt_form_concat, NULL, 0);
    return DT_OK;
}

/* The codes of input k on the grid. */
static dt_status end_input(dt_int_builder *b, const dt_node *site, const dt_node *n, int k,
                           const dt_lower_grid *grid, int *out_value)
{
    const dt_int_state *x = &b->state[n->in[k]];
    dt_node part = *site;
    part.name = dt_arena_printf(b->m->arena, "%s.%d", site->name, k);
    part.out[0] = n->in[k]; /* the shape of the input */
    if (!part.name) return dt_int_no_memory(b->err);
    if (x->codes) {
        const dt_lower_grid *own = &b->m->value[x->in[0]].grid;
        *out_value = x->in[0];
        if (own->scale == grid->scale && own->zero_point == grid->zero_point &&
            own->low >= grid->low && own->high <= grid->high)
            return DT_OK;
    }
    return dt_int_end(b, &part, x, *grid, out_value);
}

static dt_status end(dt_int_builder *b, const dt_node *site, const dt_int_state *x,
                     const dt_lower_grid *grid, int *out_value)
{
    int in[DT_INT_MAX_IN];
    for (int k = 0; k < x->node->in_count; k++)
        DT_TRY(end_input(b, site, x->node, k, grid, &in[k]));
    dt_int_node *node = dt_int_add(b, &dt_form_concat, site->name, &b->g->value[site->out[0]].shape,
                                   in, x->node->in_count);
    if (!node) return dt_int_no_memory(b->err);
    b->m->value[node->out].grid = *grid;
    *out_value = node->out;
    return DT_OK;
}

static void reference(const dt_int_job *j, int64_t picture)
{
    uint8_t *y = dt_int_codes(j, picture);
    int64_t pixels = j->y->H * j->y->W, at = 0;
    for (int k = 0; k < j->n->in_count; k++) {
        const uint8_t *x = dt_int_input(j, k, picture);
        int64_t C = dt_int_value_of(j->r, j->n->in[k])->C;
        for (int64_t p = 0; p < pixels; p++)
            memcpy(y + p * j->y->C + at, x + p * C, (size_t)C);
        at += C;
    }
}

/* ---- ONNX ---- */

static const dt_onnx_attr channels[] = { { .name = "axis", .i = 1 }, { .name = NULL } };

static const dt_onnx_attr *axis_of(const dt_onnx_walker *w, const dt_node *n)
{
    static const dt_onnx_attr last[] = { { .name = "axis", .i = -1 }, { .name = NULL } };
    return w->src->graph->value[n->out[0]].shape.rank == 4 ? channels : last;
}

static dt_status onnx(dt_onnx_walker *w, const dt_node *n)
{
    return dt_onnx_defer(w, n);
}

/* What limits a value, one limit behind another, limits its codes. */
static void limit(const dt_graph *g, int value, dt_lower_grid *grid)
{
    double low, high;
    const dt_node *n;
    for (; (n = dt_query_maker(g, value)) != NULL && n->op->limits; value = n->in[0]) {
        n->op->limits(n->conf, &low, &high);
        if (!isinf(low)) dt_lower_raise(grid, low);
        if (!isinf(high)) dt_lower_cap(grid, high);
    }
}

/* The codes of input k on the grid, of which a quantizer of its own is made. */
static dt_status quantize_input(dt_onnx_walker *w, const dt_node *n, int k, const dt_node *site,
                                const dt_lower_grid *joint, const char **out_codes)
{
    dt_lower_grid within = *joint, *grid = &within;
    limit(w->src->graph, n->in[k], grid);
    dt_onnx_value *own = w->value[n->in[k]];
    const dt_node *from = dt_query_site(w->src->graph, n->in[k]);
    const dt_lower_grid *x = from ? w->l->grid[dt_query_index(w->src->graph, from)] : NULL;
    dt_node part = *site;
    part.name = dt_onnx_text(w->m, "%s.%d", site->name, k);
    part.out[0] = n->in[k];
    *out_codes = own->codes;
    if (x && own->codes && !own->move && x->scale == grid->scale &&
        x->zero_point == grid->zero_point && x->low >= grid->low && x->high <= grid->high)
        return DT_OK;
    if (own->deferred) {
        DT_TRY(dt_form_of(own->deferred->op)->onnx_deferred(w, own->deferred, &part, grid));
    } else {
        const dt_onnx_site s = { part.name, grid->scale, grid->low > 0 || grid->high < 255 || x };
        dt_onnx_constant(w->m, dt_onnx_text(w->m, "%s.scale", s.name), DT_ONNX_FLOAT,
                         &dt_onnx_scalar, &grid->scale);
        dt_onnx_byte(w, dt_onnx_text(w->m, "%s.zero_point", s.name), grid->zero_point);
        dt_onnx_byte(w, dt_onnx_text(w->m, "%s.low", s.name), grid->low);
        dt_onnx_byte(w, dt_onnx_text(w->m, "%s.high", s.name), grid->high);
        DT_TRY(dt_onnx_quantize(w, &s, &part, dt_onnx_raw(w, n->in[k]), own));
    }
    *out_codes = w->value[n->in[k]]->codes;
    w->value[n->in[k]] = own; /* for its other readers */
    return DT_OK;
}

/* In float, or each input on the grid of the quantizer. */
static dt_status onnx_deferred(dt_onnx_walker *w, const dt_node *n, const dt_node *site,
                               const dt_lower_grid *grid)
{
    const char *in[DT_OP_MAX_IN + 1] = { NULL };
    const char *out =
        site ? dt_onnx_text(w->m, "%s/Concat", site->name) : dt_onnx_out(w, n, "Concat");
    for (int k = 0; k < n->in_count; k++)
        if (site)
            DT_TRY(quantize_input(w, n, k, site, grid, &in[k]));
        else
            in[k] = dt_onnx_floats(w, n->in[k]);
    dt_onnx_node(w->m, "Concat", in, out, axis_of(w, n));
    return site ? dt_onnx_set_codes(w, site, site->name, grid->scale, out) : dt_onnx_set(w, n, out);
}

/* Each input is on the node's grid already. */
static dt_status qoperator(dt_qoperator_walk *w, const dt_int_node *n, const dt_int_node *last)
{
    const char *in[DT_INT_MAX_IN + 1] = { NULL };
    (void)last;
    for (int k = 0; k < n->in_count; k++)
        in[k] = w->codes[n->in[k]];
    w->codes[n->out] = dt_qoperator_part(w, n, "/Concat");
    w->flat[n->out] = w->flat[n->in[0]];
    dt_onnx_node(w->m, "Concat", in, w->codes[n->out], channels);
    return DT_OK;
}

static dt_status qonnx(dt_qonnx_walk *w, const dt_int_node *n)
{
    const char *in[DT_INT_MAX_IN + 1] = { NULL };
    for (int k = 0; k < n->in_count; k++)
        in[k] = w->whole[n->in[k]];
    w->whole[n->out] = dt_qonnx_part(w, n, "/Concat");
    w->flat[n->out] = w->flat[n->in[0]];
    dt_onnx_node(w->m, "Concat", in, w->whole[n->out], channels);
    return DT_OK;
}

static dt_status tflite(dt_tflite_walker *w, const dt_int_node *n, const dt_int_node *last)
{
    const dt_int_value *v = &w->model->value[n->out];
    int in[DT_INT_MAX_IN];
    (void)last;
    for (int k = 0; k < n->in_count; k++)
        in[k] = w->tensor[n->in[k]];
    w->tensor[n->out] =
        dt_tflite_codes(w, n->name, "", n->out, dt_tflite_shape(w, n->out, v->H, v->W));
    dt_tflite_node(w->m, DT_TFL_CONCATENATION, in, n->in_count, w->tensor[n->out],
                   (int[]){ 3, DT_TFL_NONE });
    return DT_OK;
}

/* ---- C ---- */

static const char *text(const dt_contract *c)
{
    (void)c;
    return "/* The channels of x among those of y, from `first` on. */\n"
           "static void concat(const uint8_t *x, uint8_t *y, int32_t pixels, int32_t channels,\n"
           "                   int32_t out_channels, int32_t first)\n"
           "{\n"
           "    int32_t p, c;\n"
           "    for (p = 0; p < pixels; p++)\n"
           "        for (c = 0; c < channels; c++)\n"
           "            y[p * out_channels + first + c] = x[p * channels + c];\n"
           "}\n";
}

static void numbers(dt_c_text *t, int step)
{
    dt_c_say(t, "/* %d inputs */\n", t->p->plan->step[step].in_count);
}

static void call(dt_c_text *t, int step, char x[][DT_C_PLACE], const char *y)
{
    const dt_int_node *n = t->p->plan->step[step].node;
    const dt_int_value *v = &t->m->value[n->out];
    int64_t at = 0;
    for (int k = 0; k < n->in_count; k++) {
        int64_t C = t->m->value[n->in[k]].C;
        dt_c_say(t, "%sconcat(%s, %s, %lld, %lld, %lld, %lld);", k ? "\n    " : "", x[k], y,
                 (long long)(v->H * v->W), (long long)C, (long long)v->C, (long long)at);
        at += C;
    }
}

static const dt_c_cell c_cell = { .text = text, .numbers = numbers, .call = call };

/* Codes only move: no contract rounds, and the engine does the same. */
const dt_form dt_form_concat = {
    .name = "concat",
    .lower = lower,
    .end = end,
    .onnx = onnx,
    .onnx_deferred = onnx_deferred,
    .reference = reference,
    .qoperator = qoperator,
    .qonnx = qonnx,
    .tflite = tflite,
    .c = &c_cell,
};
