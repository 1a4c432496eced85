/* Cutting a net into units, by what its operations are. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/units.h"

#include <string.h>

#include "autograd/query.h"

#define DT_PTQ_UNIT(name) extern const dt_ptq_cutter dt_ptq_unit_##name;
#include "ptq/units.def"
#undef DT_PTQ_UNIT

static const dt_row *const rows[] = {
#define DT_PTQ_UNIT(name) &dt_ptq_unit_##name.row,
#include "ptq/units.def"
#undef DT_PTQ_UNIT
    NULL,
};

const dt_table dt_ptq_cutters = { "unit", rows };

int dt_ptq_unquantized(const dt_graph *g, int value)
{
    for (const dt_node *n = dt_query_maker(g, value); n && n->op->quantizes;
         n = dt_query_maker(g, value))
        value = n->in[0];
    return value;
}

int dt_ptq_last(const dt_ptq *q, int k)
{
    return dt_ptq_unquantized(q->g, q->out[k].value);
}

bool dt_ptq_is_last(const dt_ptq *q, int value)
{
    for (int k = 0; k < q->outs; k++)
        if (dt_ptq_last(q, k) == value) return true;
    return false;
}

/* Does an operation leave its values what they are, but for norms, limits and sums? */
static bool is_small(const dt_node *node)
{
    const dt_op *op = node->op;
    return op->batch_stat || op->limits || op->sum || op->function || op->quantizes ||
           op->moves_codes || op->identity_in_eval;
}

/* The only value that is made at or before node i and read behind it; -1: there are several. */
static int crossing(const dt_ptq *q, const int *last, int i)
{
    const dt_graph *g = q->g;
    int found = -1;
    for (int v = 0; v < g->value_count; v++) {
        if (!g->value[v].batched || g->value[v].producer > i || last[v] <= i) continue;
        if (found >= 0) return -1;
        found = v;
    }
    return found;
}

static void add_border(dt_ptq *q, int v)
{
    if (v >= 0 && v != q->border[q->border_count - 1]) q->border[q->border_count++] = v;
}

/* By value: the last node that an output needs and that reads it; -1: none. Outputs are read behind
 * the last node. */
static bool find_last(const dt_ptq *q, int *last)
{
    for (int v = 0; last && v < q->g->value_count; v++) {
        last[v] = -1;
        DT_QUERY_EACH_USE(u, q->g, v)
        if (q->needed[u->node]) last[v] = u->node;
    }
    for (int k = 0; last && k < q->outs; k++)
        last[q->out[k].value] = q->g->node_count;
    return last != NULL;
}

void dt_ptq_find_borders(dt_ptq *q)
{
    const dt_graph *g = q->g;
    int *last = dt_arena_get(q->arena, sizeof *last * (size_t)(g->value_count + 1));
    int found = -1;
    bool open = false; /* since the last product all nodes were small */
    q->border[0] = q->start;
    q->border_count = 1;
    if (!find_last(q, last)) return; /* one unit, the whole net */
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *node = &g->node[i];
        if (!q->needed[i] || !g->value[node->out[0]].batched) continue;
        if (node->op->product) add_border(q, found);
        if (node->op->product) found = -1;
        open = node->op->product || (open && is_small(node));
        int v = open ? crossing(q, last, i) : -1;
        bool ends = dt_ptq_output_at(q, v) >= 0 && dt_query_readers(g, q->needed, v, NULL) == 0;
        if (v >= 0 && !node->op->quantizes && !ends && v == node->out[0]) found = v;
    }
}

int dt_ptq_border_before(const dt_ptq *q, int node)
{
    int found = q->start;
    for (int i = 1; i < q->border_count; i++)
        if (q->g->value[q->border[i]].producer <= node) found = q->border[i];
    return found;
}

/* The border at or before a value. */
static int border_of(const dt_ptq *q, int value)
{
    for (int i = 0; i < q->border_count; i++)
        if (q->border[i] == value) return value;
    return dt_ptq_border_before(q, q->g->value[value].producer);
}

int dt_ptq_end_of(const dt_ptq *q, const dt_node *product)
{
    int v = product->out[0];
    for (const dt_node *next = dt_query_reader(q->g, v); next; next = dt_query_reader(q->g, v)) {
        bool goes_on = next->op->batch_stat || next->op->limits || next->op->identity_in_eval;
        if (!goes_on || next->in[0] != v) break;
        v = next->out[0];
    }
    return v;
}

static bool *find_inside(const dt_ptq *q, int in, int out)
{
    const dt_graph *g = q->g;
    bool *inside = dt_arena_get(q->arena, (size_t)g->node_count + 1);
    for (int i = g->node_count - 1; inside && i >= 0; i--) {
        const dt_node *node = &g->node[i];
        for (int k = 0; k < node->out_count; k++) {
            if (node->out[k] == out) inside[i] = true;
            if (node->out[k] == in) continue;
            if (dt_query_readers(g, inside, node->out[k], NULL) > 0) inside[i] = true;
        }
    }
    return inside;
}

/* What the names of its products have in common up to a dot; of one product its name. */
static const char *name_of(const dt_ptq *q, const bool *inside)
{
    const char *first = NULL;
    size_t same = 0;
    for (int i = 0; i < q->g->node_count; i++) {
        const dt_node *node = &q->g->node[i];
        if (!inside[i] || !node->op->product) continue;
        if (!first) {
            first = node->name;
            same = strlen(first);
            continue;
        }
        size_t k = 0, dot = 0;
        for (; k < same && node->name[k] == first[k]; k++)
            if (node->name[k] == '.') dot = k;
        same = dot;
    }
    if (!first) return "rest";
    return same ? dt_arena_printf(q->arena, "%.*s", (int)same, first)
                : dt_arena_printf(q->arena, "%s...", first);
}

static dt_status add_unit(const dt_ptq *q, dt_ptq_units *to, int in, int out, const bool *inside,
                          dt_error *err)
{
    const char *name = inside ? name_of(q, inside) : NULL;
    if (!name || to->count == to->room) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    to->unit[to->count++] = (dt_ptq_unit){ name, in, out, border_of(q, in), inside };
    return DT_OK;
}

dt_status dt_ptq_add_unit(dt_ptq *q, dt_ptq_units *to, int in, int out, dt_error *err)
{
    return add_unit(q, to, in, out, find_inside(q, in, out), err);
}

/* Takes away what units from `first` on have. Is a quantized weight left? */
static bool take_rest(const dt_ptq *q, const dt_ptq_units *units, int first, bool *inside)
{
    bool found = false;
    for (int i = 0; i < q->g->node_count; i++) {
        dt_ptq_weight w;
        for (int k = first; k < units->count; k++)
            inside[i] = inside[i] && !units->unit[k].inside[i];
        found = found || (inside[i] && dt_ptq_weight_of(q, &q->g->node[i], &w));
    }
    return found;
}

dt_status dt_ptq_add_ends(dt_ptq *q, dt_ptq_units *to, int in, dt_error *err)
{
    const int first = to->count;
    for (int k = 0; k < q->outs; k++) {
        const int out = dt_ptq_last(q, k);
        if (out == in) continue; /* what comes out goes on as well */
        bool *inside = find_inside(q, in, out);
        if (!inside) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
        bool takes = take_rest(q, to, first, inside);
        if (q->outs == 1 || takes) DT_TRY(add_unit(q, to, in, out, inside, err));
    }
    return DT_OK;
}
dt_status dt_ptq_cut(dt_ptq *q, const char *name, dt_ptq_units *out, dt_error *err)
{
    const dt_row *row;
    *out = (dt_ptq_units){ .room = q->g->node_count + 1 };
    out->unit = dt_arena_get(q->arena, sizeof *out->unit * (size_t)out->room);
    if (!out->unit) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    DT_TRY(dt_table_get(&dt_ptq_cutters, name, &(dt_where){ .key = "unit" }, &row, err));
    return ((const dt_ptq_cutter *)(const void *)row)->cut(q, out, err);
}
