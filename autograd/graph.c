/* Building the graph. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/graph.h"

#include <string.h>

dt_status dt_graph_init(dt_graph *g, const dt_alloc *a, dt_error *err)
{
    *g = (dt_graph){ .arena = dt_arena_new(a, "graph") };
    return g->arena ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a graph");
}

void dt_graph_fini(dt_graph *g)
{
    dt_arena_free(g->arena);
    *g = (dt_graph){ 0 };
}

void *dt_graph_keep(dt_graph *g, const void *data, size_t size)
{
    void *copy = dt_arena_get(g->arena, size);
    if (copy && size) memcpy(copy, data, size);
    return copy;
}

/* Room for one more element; arrays live in the arena, so old ones stay until the graph ends. */
static void *room(dt_graph *g, void *array, int count, int *capacity, size_t size)
{
    if (count < *capacity) return array;
    int want = *capacity ? *capacity * 2 : 64;
    void *bigger = dt_arena_get(g->arena, (size_t)want * size);
    if (!bigger) return NULL;
    if (count) memcpy(bigger, array, (size_t)count * size);
    *capacity = want;
    return bigger;
}

static uint32_t hash_of(const char *name)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    return h;
}

/* Where a name is in the table, or the free place for it. The table is never full. */
static int *place_of(const dt_graph *g, const char *name)
{
    uint32_t mask = (uint32_t)g->named_room - 1, at = hash_of(name) & mask;
    while (g->named[at] >= 0 && strcmp(g->value[g->named[at]].name, name) != 0)
        at = (at + 1) & mask;
    return &g->named[at];
}

/* Room for one more name: at most half of the table is in use. */
static bool grow_names(dt_graph *g)
{
    if (2 * (g->named_count + 1) <= g->named_room) return true;
    int *old = g->named, count = g->named_room, want = count ? 2 * count : 128;
    int *bigger = dt_arena_get(g->arena, (size_t)want * sizeof *bigger);
    if (!bigger) return false;
    for (int i = 0; i < want; i++)
        bigger[i] = -1;
    g->named = bigger;
    g->named_room = want;
    for (int i = 0; i < count; i++)
        if (old[i] >= 0) *place_of(g, g->value[old[i]].name) = old[i];
    return true;
}

int dt_graph_find(const dt_graph *g, const char *name)
{
    return g->named_room ? *place_of(g, name) : -1;
}

static bool is_kept(const dt_value *v)
{
    return v->kind == DT_VALUE_PARAM || v->kind == DT_VALUE_BUFFER;
}

static dt_status new_value(dt_graph *g, const dt_value *v, int *out_id, dt_error *err)
{
    dt_value *values = room(g, g->value, g->value_count, &g->value_room, sizeof *values);
    if (values) g->value = values;
    const char *name = dt_arena_strdup(g->arena, v->name);
    if (!values || !name || (is_kept(v) && !grow_names(g)))
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a graph value");
    dt_value *made = &g->value[g->value_count];
    *made = *v;
    made->name = name;
    made->producer = made->first_use = made->last_use = -1;
    made->uses = 0;
    if (is_kept(v)) {
        *place_of(g, name) = g->value_count;
        g->named_count++;
    }
    *out_id = g->value_count++;
    return DT_OK;
}

dt_status dt_graph_value(dt_graph *g, const dt_value *v, int *out_id, dt_error *err)
{
    const dt_where where = { .key = v->name };
    if (v->kind == DT_VALUE_NODE) return dt_fail(err, DT_ERR_ARG, &where, "nodes make such values");
    if (v->kind != DT_VALUE_INPUT && dt_graph_find(g, v->name) >= 0)
        return dt_fail(err, DT_ERR_ARG, &where, "a parameter of this name is already there");
    if (dt_shape_count(&v->shape) <= 0)
        return dt_fail(err, DT_ERR_SHAPE, &where, "the shape is empty");
    return new_value(g, v, out_id, err);
}

static dt_status add_use(dt_graph *g, int value, int node, int input, dt_error *err)
{
    dt_use *uses = room(g, g->use, g->use_count, &g->use_room, sizeof *uses);
    if (!uses) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a graph");
    dt_value *v = &g->value[value];
    g->use = uses;
    uses[g->use_count] = (dt_use){ node, input, -1 };
    if (v->last_use >= 0) uses[v->last_use].next = g->use_count;
    if (v->first_use < 0) v->first_use = g->use_count;
    v->last_use = g->use_count++;
    v->uses++;
    return DT_OK;
}

dt_status dt_graph_append(dt_graph *g, const dt_node *node, dt_error *err)
{
    dt_node *nodes = room(g, g->node, g->node_count, &g->node_room, sizeof *nodes);
    if (!nodes) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a graph node");
    g->node = nodes;
    for (int i = 0; i < node->in_count; i++)
        DT_TRY(add_use(g, node->in[i], g->node_count, i, err));
    for (int i = 0; i < node->out_count; i++)
        g->value[node->out[i]].producer = g->node_count;
    g->node[g->node_count++] = *node;
    return DT_OK;
}

/* Is the output known to be never negative? */
static bool output_nonneg(const dt_graph *g, const dt_op *op, const int *in, int in_count)
{
    if (op->sign != DT_SIGN_KEEP) return op->sign == DT_SIGN_NONNEG;
    for (int i = 0; i < in_count; i++)
        if (g->value[in[i]].batched && !g->value[in[i]].nonneg) return false;
    return true;
}

dt_status dt_graph_node(dt_graph *g, const char *op_name, const char *name, const void *conf,
                        const int *in, int in_count, int *out_ids, dt_error *err)
{
    const dt_where where = { .key = name };
    const dt_op *op = dt_op_find(op_name);
    if (!op) return dt_fail(err, DT_ERR_NOT_FOUND, &where, "unknown op '%s'", op_name);
    if (in_count < op->in_min || in_count > op->in_max)
        return dt_fail(err, DT_ERR_ARG, &where, "op '%s' takes %d..%d inputs, not %d", op_name,
                       op->in_min, op->in_max, in_count);
    dt_shape shapes[DT_OP_MAX_IN], out[DT_OP_MAX_OUT];
    bool batched = false;
    for (int i = 0; i < in_count; i++) {
        shapes[i] = g->value[in[i]].shape;
        batched = batched || g->value[in[i]].batched;
    }
    dt_error below = { .status = DT_OK };
    dt_status st = op->infer(conf, shapes, in_count, out, &below);
    if (st != DT_OK) return dt_fail(err, st, NULL, "%s '%s': %s", op_name, name, below.text);
    dt_node node = { .op = op, .name = dt_arena_strdup(g->arena, name), .in_count = in_count };
    node.out_count = op->out_count;
    node.conf = dt_graph_keep(g, conf, op->conf_size);
    if (!node.name || !node.conf)
        return dt_fail(err, DT_ERR_NOMEM, &where, "no memory for a graph node");
    memcpy(node.in, in, sizeof *in * (size_t)in_count);
    for (int i = 0; i < op->out_count; i++) {
        dt_value v = { .name = name, .kind = DT_VALUE_NODE, .shape = out[i] };
        v.batched = batched && out[i].rank > 0;
        v.nonneg = output_nonneg(g, op, in, in_count);
        DT_TRY(new_value(g, &v, &out_ids[i], err));
        node.out[i] = out_ids[i];
    }
    return dt_graph_append(g, &node, err);
}

dt_status dt_graph_port(dt_graph *g, dt_port_kind kind, const char *name, int value, dt_error *err)
{
    for (int i = 0; i < g->port_count; i++)
        if (strcmp(g->port[i].name, name) == 0 &&
            (g->port[i].kind == DT_PORT_ANSWER) == (kind == DT_PORT_ANSWER))
            return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = name },
                           "is the name of two ports");
    if (g->port_count == DT_GRAPH_PORTS)
        return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = name },
                       "is one port more than the %d that a net may have", DT_GRAPH_PORTS);
    char *copy = dt_arena_strdup(g->arena, name);
    if (!copy) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    g->port[g->port_count++] = (dt_port){ kind, copy, value };
    return DT_OK;
}

dt_status dt_graph_ports_of(dt_graph *g, const dt_graph *other, const int *value, dt_error *err)
{
    for (int i = 0; i < other->port_count; i++) {
        const dt_port *p = &other->port[i];
        DT_TRY(dt_graph_port(g, p->kind, p->name, value ? value[p->value] : p->value, err));
    }
    return DT_OK;
}

static int port_of(const dt_graph *g, dt_port_kind kind, int k)
{
    for (int i = 0; i < g->port_count; i++)
        if (g->port[i].kind == kind && k-- == 0) return g->port[i].value;
    return -1;
}

int dt_graph_input(const dt_graph *g, int k)
{
    return port_of(g, DT_PORT_INPUT, k);
}

int dt_graph_output(const dt_graph *g, int k)
{
    return port_of(g, DT_PORT_OUTPUT, k);
}

int dt_graph_answer(const dt_graph *g, int k)
{
    return port_of(g, DT_PORT_ANSWER, k);
}

bool dt_graph_is_output(const dt_graph *g, int value)
{
    for (int k = 0, v; (v = dt_graph_output(g, k)) >= 0; k++)
        if (v == value) return true;
    return false;
}

static int64_t record_of(const dt_graph *g, dt_port_kind kind)
{
    int64_t n = 0;
    for (int k = 0, v; (v = port_of(g, kind, k)) >= 0; k++)
        n += dt_shape_count(&g->value[v].shape);
    return n;
}

int64_t dt_graph_record(const dt_graph *g)
{
    return record_of(g, DT_PORT_INPUT);
}

int64_t dt_graph_outputs(const dt_graph *g)
{
    return record_of(g, DT_PORT_OUTPUT);
}

int dt_graph_wanted(const dt_graph *g, int first, int *out)
{
    int count = 0;
    for (int v; (v = dt_graph_output(g, count)) >= 0; count++)
        out[count] = v;
    if (count == 0) out[count++] = first;
    return count;
}

const char *dt_graph_port_name(const dt_graph *g, int value, const char *otherwise)
{
    for (int i = 0; i < g->port_count; i++)
        if (g->port[i].value == value) return g->port[i].name;
    return otherwise;
}
