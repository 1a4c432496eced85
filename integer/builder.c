/* The walk from a lowering to the integer model, and what forms do in it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "integer/builder.h"

#include "autograd/query.h"

dt_status dt_int_no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the integer model");
}

dt_status dt_int_refuse(const dt_int_builder *b, const dt_node *n, const char *rule)
{
    return dt_fail(b->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = n->name }, "%s", rule);
}

/* Nodes and values grow together: a node makes one value. */
static bool grow(dt_int_model *m)
{
    if (m->node_count < m->room) return true;
    int room = m->room ? 2 * m->room : 64;
    dt_int_node *node = dt_arena_get(m->arena, (size_t)room * sizeof *node);
    dt_int_value *value = dt_arena_get(m->arena, (size_t)room * sizeof *value);
    if (!node || !value) return false;
    for (int i = 0; i < m->node_count; i++) {
        node[i] = m->node[i];
        value[i] = m->value[i];
    }
    m->node = node;
    m->value = value;
    m->room = room;
    return true;
}

dt_int_node *dt_int_add(dt_int_builder *b, const dt_form *form, const char *name,
                        const dt_shape *shape, const int *in, int in_count)
{
    dt_int_model *m = b->m;
    bool picture = shape->rank == 4;
    if (!grow(m)) return NULL;
    m->value[m->value_count] = (dt_int_value){ .H = picture ? shape->dim[1] : 1,
                                               .W = picture ? shape->dim[2] : 1,
                                               .C = shape->dim[shape->rank - 1] };
    dt_int_node *node = &m->node[m->node_count++];
    *node = (dt_int_node){ .form = form, .in_count = in_count, .out = m->value_count++ };
    for (int i = 0; i < DT_INT_MAX_IN; i++)
        node->in[i] = i < in_count ? in[i] : -1;
    node->name = dt_arena_strdup(m->arena, name);
    return node->name ? node : NULL;
}

dt_int_node *dt_int_add_of(dt_int_builder *b, const dt_form *form, const dt_node *n, int in)
{
    return dt_int_add(b, form, n->name, &b->g->value[n->out[0]].shape, &in, 1);
}

dt_int_node *dt_int_add_moved(dt_int_builder *b, const dt_form *form, const dt_node *n, int in)
{
    dt_int_node *node = dt_int_add_of(b, form, n, in);
    if (!node) return NULL;
    b->m->value[node->out].grid = b->m->value[in].grid;
    dt_int_set_codes(b, n, node->out);
    return node;
}

dt_status dt_int_codes_of(const dt_int_builder *b, const dt_node *n, int which, const char *what,
                          int *out_value)
{
    const dt_int_state *x = &b->state[n->in[which]];
    if (!x->codes)
        return dt_fail(b->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = n->name },
                       "%s has no integer codes", what);
    *out_value = x->in[0];
    return DT_OK;
}

void dt_int_set_codes(dt_int_builder *b, const dt_node *n, int codes)
{
    b->state[n->out[0]] = (dt_int_state){
        .end = dt_form_find("table"), .codes = true, .in = { codes }, .in_count = 1
    };
}

void dt_int_set_waiting(dt_int_builder *b, const dt_node *n, const dt_form *end, const int *in,
                        int in_count)
{
    dt_int_state *s = &b->state[n->out[0]];
    *s = (dt_int_state){ .end = end, .in_count = in_count, .node = n };
    for (int i = 0; i < in_count; i++)
        s->in[i] = in[i];
}

dt_status dt_int_end(dt_int_builder *b, const dt_node *site, const dt_int_state *x,
                     dt_lower_grid grid, int *out_value)
{
    if (x->has_low) dt_lower_raise(&grid, x->low);
    if (x->has_high) dt_lower_cap(&grid, x->high);
    if (grid.low >= grid.high) return dt_int_refuse(b, site, "has fewer than two codes");
    return x->end->end(b, site, x, &grid, out_value);
}

dt_status dt_int_end_node(dt_int_builder *b, const dt_form *form, const dt_node *site,
                          const dt_int_state *x, const dt_lower_grid *grid, dt_int_node **out_node)
{
    dt_int_node *node =
        dt_int_add(b, form, site->name, &b->g->value[site->out[0]].shape, x->in, x->in_count);
    if (!node) return dt_int_no_memory(b->err);
    b->m->value[node->out].grid = *grid;
    *out_node = node;
    return DT_OK;
}

dt_status dt_int_set_reach(dt_int_builder *b, const dt_node *n, dt_int_node *node, int64_t K)
{
    dt_int_value *y = &b->m->value[node->out];
    const dt_lower_grid *x = &b->m->value[node->in[0]].grid;
    y->is_sum = true;
    y->low = dt_arena_get(b->m->arena, (size_t)y->C * sizeof *y->low);
    y->high = dt_arena_get(b->m->arena, (size_t)y->C * sizeof *y->high);
    if (!y->low || !y->high) return dt_int_no_memory(b->err);
    for (int64_t c = 0; c < y->C; c++) {
        int64_t low = (x->low - x->zero_point) * node->pixels;
        int64_t high = (x->high - x->zero_point) * node->pixels;
        if (K) dt_int_reach(node->weight + c * K, K, x, node->bias[c], &low, &high);
        if (low < INT32_MIN || high >= INT32_MAX)
            return dt_int_refuse(b, n,
                                 "its sums may leave 32 bits; fewer bits or a narrower layer fit");
        y->low[c] = (int32_t)low;
        y->high[c] = (int32_t)high;
    }
    return DT_OK;
}

static dt_status lower_node(dt_int_builder *b, const dt_node *n)
{
    const dt_form *f = dt_form_of(n->op);
    if (f && f->lower) return f->lower(b, n);
    return dt_fail(b->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = n->name },
                   "operation '%s' has no integer form%s%s", n->op->name,
                   f && f->refusal ? ": " : "", f && f->refusal ? f->refusal : "");
}

/* Names the first node that has no integer form. */
static dt_status refuse_floats(dt_int_builder *b)
{
    int i = 0;
    while (!b->l->needed[i] || !b->g->node[i].op->in_float)
        i++;
    return dt_fail(b->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = b->g->node[i].name },
                   "operation '%s' has no integer form, as %d nodes of this network; --format onnx "
                   "keeps them in float between quantizers, verify --runtime ort compares that",
                   b->g->node[i].op->name, b->l->floats);
}

static void add_inputs(dt_int_builder *b)
{
    const dt_graph *g = b->g;
    for (int i = 0; i < g->port_count; i++) {
        const dt_port *p = &g->port[i];
        if (p->kind != DT_PORT_INPUT) continue;
        b->state[p->value] =
            (dt_int_state){ .end = dt_form_find("input"), .port = p, .at = b->m->record };
        b->m->record += dt_shape_count(&g->value[p->value].shape);
    }
}

static dt_status find_outputs(dt_int_builder *b)
{
    int value[DT_GRAPH_PORTS];
    dt_int_model *m = b->m;
    m->outputs = dt_graph_wanted(b->g, b->l->src.logits, value);
    for (int k = 0; k < m->outputs; k++) {
        const dt_int_state *s = &b->state[value[k]];
        if (!s->codes)
            return dt_fail(b->err, DT_ERR_UNSUPPORTED, NULL, "the output '%s' has no integer codes",
                           dt_graph_port_name(b->g, value[k], "logits"));
        if (dt_int_output_at(m, s->in[0]) >= 0 && dt_int_output_at(m, s->in[0]) < k)
            return dt_fail(b->err, DT_ERR_UNSUPPORTED, NULL, "two outputs are the same codes");
        m->output[k] = s->in[0];
    }
    m->logits = m->output[0];
    return DT_OK;
}

static dt_status build(dt_int_builder *b)
{
    const dt_lowered *l = b->l;
    dt_int_model *m = b->m;
    b->state = dt_arena_get(m->arena, (size_t)b->g->value_count * sizeof *b->state);
    if (!b->state) return dt_int_no_memory(b->err);
    if (l->missing)
        return dt_fail(b->err, DT_ERR_UNSUPPORTED, NULL,
                       "there is no integer model: %d sites have no quantizer (%s%s)", l->missing,
                       l->missing_text, l->missing > 6 ? ", ..." : "");
    if (l->floats) return refuse_floats(b);
    add_inputs(b);
    for (int i = 0; i < b->g->node_count; i++)
        if (l->needed[i]) DT_TRY(lower_node(b, &b->g->node[i]));
    return find_outputs(b);
}

dt_status dt_int_model_new(const dt_lowered *l, const dt_contract *c, const dt_alloc *a,
                           dt_int_model **out, dt_error *err)
{
    dt_arena *arena = dt_arena_new(a, "integer model");
    dt_int_model *m = arena ? dt_arena_get(arena, sizeof *m) : NULL;
    dt_status st = DT_ERR_NOMEM;
    if (m) {
        *m = (dt_int_model){ .arena = arena };
        dt_int_builder b = { .l = l, .g = l->src.graph, .m = m, .err = err };
        st = build(&b);
    } else {
        st = dt_int_no_memory(err);
    }
    if (st != DT_OK) {
        dt_arena_free(arena);
        return st;
    }
    dt_int_model_round(m, c);
    *out = m;
    return DT_OK;
}
