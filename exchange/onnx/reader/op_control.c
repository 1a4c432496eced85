/* If and Loop, where what they ask is constant: the nodes of a branch, or of a body again and
 * again. Names of such a graph are those of the file, as its nodes read what lies outside. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "exchange/onnx/reader/onnx_fold.h"
#include "exchange/onnx/reader/onnx_names.h"

enum { MOST_INNER = 1 << 16 }; /* nodes and constants of all of them */

static dt_status spend(dt_ox_walk *w, int count)
{
    if (count > MOST_INNER - w->inner)
        return dt_ox_refuse(w, "graphs in attributes have more than %d nodes, times repeated",
                            MOST_INNER);
    w->inner += count;
    return DT_OK;
}

static dt_status walk_nodes(dt_ox_walk *w, const dt_ox_file *g)
{
    for (int i = 0; i < g->node_count; i++) {
        w->node = &g->node[i];
        w->layer = dt_ox_layer_name(w, w->node, i);
        if (!w->layer) return dt_ox_no_memory(w);
        DT_TRY(dt_ox_walk_node(w));
    }
    return DT_OK;
}

/* Walks the nodes of a graph that the node in work has. */
static dt_status walk_graph(dt_ox_walk *w, const dt_ox_file *g)
{
    const dt_ox_node *whole = w->node;
    const char *layer = w->layer;
    DT_TRY(spend(w, 1 + g->node_count + g->initial_count));
    DT_TRY(dt_ox_set_constants(w, g));
    dt_status st = walk_nodes(w, g);
    w->node = whole;
    w->layer = layer;
    return st;
}

/* The graph of an attribute with at least so many outputs. */
static dt_status graph_of(dt_ox_walk *w, const char *name, int outputs, const dt_ox_file **out)
{
    const dt_ox_attr *a = dt_ox_attr_of(w->node, name);
    if (!a || !a->graph) return dt_ox_refuse(w, "'%s' is no graph", name);
    if (a->graph->out_count < outputs)
        return dt_ox_refuse(w, "'%s' has %d outputs, %d are wanted", name, a->graph->out_count,
                            outputs);
    *out = a->graph;
    return DT_OK;
}

static dt_status output_of(dt_ox_walk *w, const dt_ox_file *g, int k, const dt_ox_value **out)
{
    *out = dt_ox_map_find(&w->values, g->out[k].name);
    if (*out) return DT_OK;
    return dt_ox_refuse(w, "its output '%.80s' is made by no node", g->out[k].name);
}

/* Input i as one whole number; *out stays where it is left out. */
static dt_status one_number(dt_ox_walk *w, int i, const char *what, int64_t *out)
{
    const dt_ox_value *v = dt_ox_input(w, i);
    if (!v) return DT_OK;
    const dt_ox_tensor *t = v->constant;
    if (!t || !t->whole || t->count != 1)
        return dt_ox_refuse(w, "its %s is computed; a constant one is read", what);
    *out = t->n[0];
    return DT_OK;
}

static dt_status build_if(dt_ox_walk *w)
{
    int64_t condition = 0;
    const dt_ox_file *g = NULL;
    const dt_ox_value *v;
    DT_TRY(one_number(w, 0, "condition", &condition));
    DT_TRY(graph_of(w, condition ? "then_branch" : "else_branch", w->node->out_count, &g));
    DT_TRY(walk_graph(w, g));
    for (int k = 0; k < w->node->out_count; k++) {
        DT_TRY(output_of(w, g, k, &v));
        DT_TRY(dt_ox_set(w, k, v));
    }
    return DT_OK;
}

/* A constant of one number under the name. */
static dt_status set_number(dt_ox_walk *w, const char *name, int64_t n)
{
    dt_ox_value *v = dt_arena_get(w->file->arena, sizeof *v);
    dt_ox_tensor *t = dt_ox_make(w, true, 0, NULL);
    DT_TRY(dt_ox_made(w, t));
    if (!v) return dt_ox_no_memory(w);
    t->n[0] = n;
    *v = (dt_ox_value){ .constant = t, .value = -1 };
    return dt_ox_map_set(&w->values, name, v, w->err);
}

/* The body once: `state` [count] goes in and comes out. */
static dt_status walk_body(dt_ox_walk *w, const dt_ox_file *g, int64_t turn,
                           const dt_ox_value **state, int count, int64_t *out_goes_on)
{
    const dt_ox_value *v;
    DT_TRY(set_number(w, g->in[0].name, turn));
    DT_TRY(set_number(w, g->in[1].name, 1));
    for (int i = 0; i < count; i++)
        DT_TRY(dt_ox_map_set(&w->values, g->in[2 + i].name, (void *)(uintptr_t)state[i], w->err));
    DT_TRY(walk_graph(w, g));
    DT_TRY(output_of(w, g, 0, &v));
    if (!v->constant || !v->constant->whole || v->constant->count != 1)
        return dt_ox_refuse(w, "whether it goes on is computed; a constant is read");
    *out_goes_on = v->constant->n[0];
    for (int i = 0; i < count; i++)
        DT_TRY(output_of(w, g, 1 + i, &state[i]));
    return DT_OK;
}

static dt_status build_loop(dt_ox_walk *w)
{
    int count = w->node->in_count - 2;
    int64_t turns = INT64_MAX, goes_on = 1;
    const dt_ox_file *g = NULL;
    if (count < 0) return dt_ox_refuse(w, "%d inputs; 2 or more are read", w->node->in_count);
    DT_TRY(one_number(w, 0, "number of turns", &turns));
    DT_TRY(one_number(w, 1, "condition", &goes_on));
    DT_TRY(graph_of(w, "body", 1 + count, &g));
    if (g->in_count != 2 + count || w->node->out_count > count)
        return dt_ox_refuse(w, "it collects what its turns give; values that go around are read");
    const dt_ox_value **state = dt_arena_get(w->file->arena, ((size_t)count + 1) * sizeof *state);
    if (!state) return dt_ox_no_memory(w);
    for (int i = 0; i < count; i++)
        DT_TRY(dt_ox_need(w, 2 + i, &state[i]));
    for (int64_t turn = 0; turn < turns && goes_on; turn++)
        DT_TRY(walk_body(w, g, turn, state, count, &goes_on));
    for (int k = 0; k < w->node->out_count; k++)
        DT_TRY(dt_ox_set(w, k, state[k]));
    return DT_OK;
}

const dt_ox_op dt_ox_op_If = { .name = "If",
                               .in_min = 1,
                               .in_max = 1,
                               .build = build_if,
                               .sees_constants = true,
                               .has_graph = true };
const dt_ox_op dt_ox_op_Loop = {
    .name = "Loop", .build = build_loop, .sees_constants = true, .has_graph = true
};
