/* Making one graph of another. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/rewrite.h"

#include <string.h>

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a graph");
}

/* The source's values and names, which nothing makes and nobody reads yet. */
static dt_status take_values(dt_rewrite *r)
{
    const dt_graph *g = r->source;
    dt_graph *out = r->out;
    size_t values = (size_t)g->value_count;
    out->value = dt_graph_keep(out, g->value, values * sizeof *out->value);
    out->named = dt_graph_keep(out, g->named, (size_t)g->named_room * sizeof *out->named);
    r->value = dt_arena_get(out->arena, values * sizeof *r->value);
    if (!out->value || !out->named || !r->value) return no_memory(r->err);
    out->value_count = out->value_room = g->value_count;
    out->named_count = g->named_count;
    out->named_room = g->named_room;
    out->port_count = g->port_count;
    memcpy(out->port, g->port, sizeof g->port);
    for (int i = 0; i < g->value_count; i++) {
        dt_value *v = &out->value[i];
        v->producer = v->first_use = v->last_use = -1;
        v->uses = 0;
        r->value[i] = i;
    }
    return DT_OK;
}

static dt_status visit_all(dt_rewrite *r, dt_visit_fn visit)
{
    DT_TRY(take_values(r));
    for (int i = 0; i < r->source->node_count; i++)
        DT_TRY(visit(r, i));
    return DT_OK;
}

dt_status dt_graph_rewrite(const dt_graph *source, dt_visit_fn visit, void *arg, const dt_alloc *a,
                           dt_graph *out, dt_error *err)
{
    DT_TRY(dt_graph_init(out, a, err));
    dt_rewrite r = { .source = source, .out = out, .arg = arg, .err = err };
    dt_status st = visit_all(&r, visit);
    if (st != DT_OK) dt_graph_fini(out);
    return st;
}

dt_status dt_graph_remake(dt_graph *g, dt_visit_fn visit, void *arg, dt_error *err)
{
    const dt_graph source = *g;
    *g = (dt_graph){ .arena = source.arena };
    dt_rewrite r = { .source = &source, .out = g, .arg = arg, .err = err };
    return visit_all(&r, visit);
}

dt_status dt_rewrite_put(dt_rewrite *r, const dt_node *node)
{
    dt_node copy = *node;
    for (int i = 0; i < copy.in_count; i++)
        if (copy.in[i] < r->source->value_count) copy.in[i] = r->value[copy.in[i]];
    return dt_graph_append(r->out, &copy, r->err);
}

dt_status dt_rewrite_put_as(dt_rewrite *r, const dt_node *node, const char *op, const void *conf,
                            size_t size)
{
    dt_node copy = *node;
    copy.op = dt_op_find(op);
    copy.conf = dt_graph_keep(r->out, conf, size);
    return copy.conf ? dt_rewrite_put(r, &copy) : no_memory(r->err);
}

void dt_rewrite_stand_for(dt_rewrite *r, int value, int instead)
{
    r->value[value] = r->value[instead];
}

/* What read x so far reads y. */
static void move_uses(dt_graph *g, int x, int y)
{
    dt_value *from = &g->value[x], *to = &g->value[y];
    for (int u = from->first_use; u >= 0; u = g->use[u].next)
        g->node[g->use[u].node].in[g->use[u].input] = y;
    to->first_use = from->first_use;
    to->last_use = from->last_use;
    to->uses = from->uses;
    from->first_use = from->last_use = -1;
    from->uses = 0;
}

void dt_rewrite_rename(dt_rewrite *r, int x, int value)
{
    dt_graph *g = r->out;
    int from = r->value[x], producer = g->value[from].producer;
    dt_rewrite_stand_for(r, value, x);
    if (producer < 0) return;
    dt_node *maker = &g->node[producer];
    for (int i = 0; i < maker->out_count; i++)
        if (maker->out[i] == from) maker->out[i] = value;
    g->value[value].producer = producer;
    g->value[from].producer = -1;
    move_uses(g, from, value);
    for (int i = 0; i < r->source->value_count; i++)
        if (r->value[i] == from) r->value[i] = value;
}
