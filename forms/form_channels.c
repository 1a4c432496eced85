/* What has a parameter for each channel, as PReLU: a table of 256 codes a channel
 * (dt_int_node.own). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "autograd/query.h"
#include <string.h>

#include "exchange/c99/c_cell.h"
#include "exchange/onnx/qoperator.h"
#include "exchange/qonnx/qonnx.h"
#include "exchange/tflite/tflite_walker.h"
#include "forms/channels.h"
#include "integer/builder.h"
#include "integer/job.h"

/* table [C][256] */
static dt_status fill(const dt_graph *g, const dt_state *state, const dt_node *n,
                      const dt_lower_grid *x, const dt_lower_grid *y, int64_t C, uint8_t *table,
                      dt_error *err)
{
    dt_kernels k;
    dt_shape in_shape[DT_OP_MAX_IN] = { DT_SHAPE(DT_CODES, C) };
    dt_op_run r = { .conf = n->conf,
                    .mode = DT_MODE_EVAL,
                    .norms = DT_NORMS_RUNNING,
                    .threads = 1,
                    .kernels = &k,
                    .in_shape = in_shape,
                    .out_shape = in_shape,
                    .in_count = n->in_count };
    dt_op_memory more = { 0 };
    for (int i = 1; i < n->in_count; i++) {
        in_shape[i] = g->value[n->in[i]].shape;
        r.in[i] = state->data[n->in[i]];
    }
    DT_TRY(dt_kernels_init(&k, "scalar", err));
    if (n->op->memory) n->op->memory(&r, &more);
    real *in = dt_get_array(NULL, (size_t)(2 * C * DT_CODES), sizeof *in, "tables");
    real *out = in + C * DT_CODES;
    r.saved = dt_get(NULL, more.saved + 1, "tables");
    r.work = dt_get(NULL, more.forward_work + 1, "tables");
    bool room = in && r.saved && r.work;
    for (int64_t i = 0; room && i < DT_CODES * C; i++)
        in[i] = (real)dt_grid_value(x, (int)(i / C));
    r.in[0] = in;
    r.out[0] = out;
    if (room) n->op->forward(&r);
    for (int64_t i = 0; room && i < DT_CODES * C; i++)
        table[i % C * DT_CODES + i / C] = (uint8_t)dt_grid_encode(y, (float)out[i]);
    dt_put(NULL, r.work);
    dt_put(NULL, r.saved);
    dt_put(NULL, in);
    return room ? DT_OK : dt_int_no_memory(err);
}

/* Is there one for all, or for each channel, and no more? */
static bool by_channel(const dt_graph *g, const dt_node *n)
{
    const dt_shape *x = &g->value[n->in[0]].shape;
    int64_t count = dt_shape_count(&g->value[n->in[1]].shape);
    return count == 1 || count == x->dim[x->rank - 1];
}

static const char by_place[] = "it has a parameter for each place, of which tables are not made; "
                               "--format onnx keeps it in float";

dt_status dt_channels_lower(dt_int_builder *b, const dt_node *n)
{
    int x;
    DT_TRY(dt_int_codes_of(b, n, 0, "its input", &x));
    dt_int_set_waiting(b, n, &dt_form_channels, &x, 1);
    return DT_OK;
}

static dt_status lower(dt_int_builder *b, const dt_node *n)
{
    return by_channel(b->g, n) ? dt_channels_lower(b, n) : dt_int_refuse(b, n, by_place);
}

static dt_status end(dt_int_builder *b, const dt_node *site, const dt_int_state *x,
                     const dt_lower_grid *grid, int *out_value)
{
    dt_int_node *node;
    DT_TRY(dt_int_end_node(b, &dt_form_channels, site, x, grid, &node));
    int64_t C = b->m->value[node->out].C;
    node->own_bytes = (size_t)C * DT_CODES;
    node->own = dt_arena_get(b->m->arena, node->own_bytes);
    if (!node->own) return dt_int_no_memory(b->err);
    *out_value = node->out;
    return fill(b->g, b->l->src.state, x->node, &b->m->value[x->in[0]].grid, grid, C, node->own,
                b->err);
}

static void reference(const dt_int_job *j, int64_t picture)
{
    const uint8_t *x = dt_int_input(j, 0, picture), *table = j->n->own;
    uint8_t *y = dt_int_codes(j, picture);
    for (int64_t i = 0; i < dt_int_count(j->y); i++)
        y[i] = table[i % j->y->C * DT_CODES + x[i]];
}

/* ---- ONNX ---- */

/* The parameter as a constant that fits what is [N,C,H,W], [N,T,C] or [N,C] in ONNX. */
static const char *parameter(dt_onnx_walker *w, const dt_node *n)
{
    const dt_value *v = &w->src->graph->value[n->in[1]];
    const dt_shape *x = &w->src->graph->value[n->in[0]].shape;
    int64_t count = dt_shape_count(&v->shape), C = x->dim[x->rank - 1];
    const real *from = w->src->state->data[n->in[1]];
    const bool map = dt_query_is_map(w->src->graph, n->in[0]);
    dt_shape s = map ? DT_SHAPE(count, 1, 1) : DT_SHAPE(count);
    if (count > C) { /* the last dimensions of x, the first of them as often as it is there */
        s = v->shape;
        while (s.dim[0] == 1) { /* says nothing */
            s.rank--;
            memmove(s.dim, s.dim + 1, (size_t)s.rank * sizeof *s.dim);
        }
        const int64_t own = count, each = x->dim[x->rank - s.rank] / s.dim[0];
        s.dim[0] *= each;
        count *= each;
        float *to = dt_arena_get(dt_onnx_arena(w->m), (size_t)count * sizeof *to);
        if (!to) return NULL;
        for (int64_t i = 0; i < count; i++)
            to[map ? i % C * (count / C) + i / C : i] = (float)from[i % own];
        if (map) s = DT_SHAPE(C, count / C / x->dim[2], x->dim[2]);
        from = to;
    }
    const char *name = dt_onnx_parameter(w, n, n->in[1]);
    dt_onnx_constant(w->m, name, DT_ONNX_FLOAT, &s, from);
    return name;
}

static const char *to_rows(dt_onnx_walker *w, const dt_node *n, const char *prefix, const char *x,
                           const char *zero, const char *out)
{
    const dt_shape *s = &w->src->graph->value[n->out[0]].shape;
    (void)zero;
    return dt_onnx_reshape(w, x, out ? out : dt_onnx_text(w->m, "%s/Rows", prefix), 2,
                           (const int64_t[]){ -1, s->dim[2] });
}

static dt_status in_float(dt_onnx_walker *w, const dt_node *n)
{
    const dt_shape *s = &w->src->graph->value[n->in[0]].shape;
    bool tokens = s->rank == 3 && !by_channel(w->src->graph, n);
    const char *in[] = { dt_onnx_floats(w, n->in[0]), parameter(w, n), NULL };
    const char *out = tokens ? dt_onnx_text(w->m, "%s/%s", n->name, n->op->onnx_pair)
                             : dt_onnx_out(w, n, n->op->onnx_pair);
    if (!in[1]) return dt_onnx_no_memory(w->err);
    if (tokens)
        in[0] = dt_onnx_reshape(w, in[0], dt_onnx_text(w->m, "%s/Tokens", n->name), 3,
                                (const int64_t[]){ -1, s->dim[1], s->dim[2] });
    dt_onnx_node(w->m, n->op->onnx_pair, in, out, NULL);
    return dt_onnx_set_moved(w, n, out, tokens ? to_rows : NULL);
}

bool dt_channels_has_codes(const dt_onnx_walker *w, const dt_node *n)
{
    const dt_onnx_value *x = w->value[n->in[0]];
    return x->codes && !x->move && !w->params->symmetric;
}

static dt_status onnx(dt_onnx_walker *w, const dt_node *n)
{
    bool codes = dt_channels_has_codes(w, n) && by_channel(w->src->graph, n);
    return codes ? dt_onnx_defer(w, n) : in_float(w, n);
}

static dt_status onnx_deferred(dt_onnx_walker *w, const dt_node *n, const dt_node *site,
                               const dt_lower_grid *grid)
{
    return site ? dt_channels_onnx(w, n, site, grid) : in_float(w, n);
}

dt_status dt_channels_onnx(dt_onnx_walker *w, const dt_node *n, const dt_node *site,
                           const dt_lower_grid *grid)
{
    const dt_graph *g = w->src->graph;
    const dt_node *from = dt_query_site(g, n->in[0]);
    const dt_shape *y = &g->value[n->out[0]].shape;
    int64_t C = y->dim[y->rank - 1];
    uint8_t *table = dt_arena_get(dt_onnx_arena(w->m), (size_t)C * DT_CODES);
    if (!table) return dt_onnx_no_memory(w->err);
    DT_TRY(fill(g, w->src->state, n, w->l->grid[dt_query_index(g, from)], grid, C, table, w->err));
    return dt_onnx_set_codes(
        w, site, site->name, grid->scale,
        dt_onnx_gather(w->m, site->name, w->value[n->in[0]]->codes, table, C, y->rank != 4));
}

static dt_status qoperator(dt_qoperator_walk *w, const dt_int_node *n, const dt_int_node *last)
{
    bool flat = w->flat[n->in[0]];
    (void)last;
    w->codes[n->out] =
        dt_onnx_gather(w->m, n->name, w->codes[n->in[0]], n->own, w->model->value[n->out].C, flat);
    w->flat[n->out] = flat;
    return DT_OK;
}

static dt_status qonnx(dt_qonnx_walk *w, const dt_int_node *n)
{
    w->flat[n->out] = w->flat[n->in[0]];
    return dt_qonnx_gather(w, n, n->own, w->model->value[n->out].C);
}

/* ---- TFLite ---- */

static dt_status tflite(dt_tflite_walker *w, const dt_int_node *n, const dt_int_node *last)
{
    const dt_int_value *v = &w->model->value[n->out];
    (void)last;
    return dt_tflite_gather(w, n, n->own, v->C);
}

/* ---- C ---- */

static const char *text(const dt_contract *c)
{
    (void)c;
    return "/* A table of 256 codes for each channel. y may be x. */\n"
           "static void by_channel(const uint8_t *tables, int32_t channels, const uint8_t *x,\n"
           "                       uint8_t *y, int32_t count)\n"
           "{\n"
           "    int32_t i;\n"
           "    for (i = 0; i < count; i++)\n"
           "        y[i] = tables[i % channels * 256 + x[i]];\n"
           "}\n";
}

static void sizes(const dt_c_program *p, const dt_c_step *s, bool first, dt_c_sizes *out)
{
    (void)p;
    (void)first;
    out->tables += s->node->own_bytes;
}

static void numbers(dt_c_text *t, int step)
{
    const dt_int_node *n = t->p->plan->step[step].node;
    dt_c_say(t, "static const uint8_t node_%d[%zu] = {", step, n->own_bytes);
    dt_c_say_list(t, (int64_t)n->own_bytes, dt_c_at_u8, n->own);
}

static void call(dt_c_text *t, int step, char x[][DT_C_PLACE], const char *y)
{
    const dt_int_value *v = &t->m->value[t->p->plan->step[step].node->out];
    dt_c_say(t, "by_channel(node_%d, %lld, %s, %s, %lld);", step, (long long)v->C, x[0], y,
             (long long)dt_int_count(v));
}

static const dt_c_cell c_cell = {
    .text = text,
    .in_place = true,
    .sizes = sizes,
    .numbers = numbers,
    .call = call,
};

/* The tables are the model itself: no contract rounds in them, and the engine reads the same. */
const dt_form dt_form_channels = {
    .name = "channels",
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
