/* The lowering of a whole network. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/quantizer.h"
#include "autograd/query.h"
#include "integer/lower.h"

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to lower the model");
}

static dt_status lower_site(dt_lowered *l, const dt_node *node, dt_error *err)
{
    const dt_fakequant_conf *c = node->conf;
    if (c->site.weight) return DT_OK; /* part of its conv or linear */
    dt_lower_grid *grid = dt_arena_get(l->arena, sizeof *grid);
    if (!grid) return no_memory(err);
    DT_TRY(dt_lower_activation(&l->src, node, grid, err));
    l->grid[dt_query_index(l->src.graph, node)] = grid;
    return DT_OK;
}

/* Its input's site came earlier in the graph. */
static dt_status lower_product(dt_lowered *l, const dt_node *node, dt_error *err)
{
    const dt_graph *g = l->src.graph;
    const dt_node *site = dt_query_site(g, node->in[0]), *norm = dt_query_norm(g, l->needed, node);
    const dt_lower_grid *x = site ? l->grid[dt_query_index(g, site)] : NULL;
    dt_lower_product *p = dt_arena_get(l->arena, sizeof *p);
    if (!p) return no_memory(err);
    DT_TRY(dt_lower_fold(&l->src, node, norm, x, l->arena, p, err));
    l->product[dt_query_index(g, node)] = p;
    return DT_OK;
}

static dt_status lower_all(dt_lowered *l, dt_error *err)
{
    const dt_graph *g = l->src.graph;
    size_t n = (size_t)g->node_count + 1;
    l->needed = dt_arena_get(l->arena, n);
    l->grid = dt_arena_get(l->arena, n * sizeof(void *));
    l->product = dt_arena_get(l->arena, n * sizeof(void *));
    if (!l->needed || !l->grid || !l->product) return no_memory(err);
    dt_lower_cone(&l->src, l->needed);
    l->floats = dt_lower_floats(&l->src, l->needed);
    l->missing = dt_lower_missing(&l->src, l->needed, l->missing_text, sizeof l->missing_text);
    l->integer_macs = dt_lower_macs(&l->src, l->needed);
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *node = &g->node[i];
        if (!l->needed[i]) continue;
        if (node->op->quantizes) DT_TRY(lower_site(l, node, err));
        if (node->op->product) DT_TRY(lower_product(l, node, err));
    }
    return DT_OK;
}

dt_status dt_lower_new(const dt_lower_source *src, dt_lowered **out, dt_error *err)
{
    dt_arena *arena = dt_arena_new(src->alloc, "lowering");
    dt_lowered *l = arena ? dt_arena_get(arena, sizeof *l) : NULL;
    dt_status st = no_memory(l ? NULL : err);
    if (l) {
        *l = (dt_lowered){ .src = *src, .arena = arena };
        st = lower_all(l, err);
    }
    if (st == DT_OK)
        *out = l;
    else
        dt_arena_free(arena);
    return st;
}

void dt_lower_free(dt_lowered *l)
{
    if (l) dt_arena_free(l->arena);
}
