/* The walk over the nodes of an ONNX file: constants are folded, the rest becomes nodes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_graph.h"

#include <string.h>

#include "exchange/onnx/reader/onnx_codes.h"
#include "exchange/onnx/reader/onnx_names.h"
#include "exchange/onnx/reader/onnx_order.h"
#include "exchange/onnx/reader/onnx_patterns.h"
#include "exchange/onnx/reader/onnx_roles.h"

enum { OLDEST = 7, NEWEST = 23 }; /* opsets whose rules the rows follow */
enum { PICTURE = 4, ROWS = 2 };   /* dimensions of inputs */

struct dt_onnx_net {
    dt_ox_file *file;
    dt_ox_walk walk;
};

static dt_status fail(const dt_onnx_net *n, dt_status st, const char *key, dt_error *err,
                      const char *what)
{
    return dt_fail(err, st, &(dt_where){ n->file->path, 0, key }, "%s", what);
}

/* What can be said before anything is built. */
static dt_status check(const dt_onnx_net *n, dt_error *err)
{
    const dt_ox_file *f = n->file;
    if (f->opset < OLDEST || f->opset > NEWEST)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .file = f->path },
                       "is of opset %d; %d to %d are read", f->opset, OLDEST, NEWEST);
    if (f->in_count != 1)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .file = f->path },
                       "has %d inputs; a net that takes one (a picture, an array) is read",
                       f->in_count);
    if (f->out_count < 1) return fail(n, DT_ERR_FORMAT, NULL, err, "has no output");
    const dt_ox_port *p = &f->in[0];
    if ((p->rank != PICTURE && p->rank != ROWS) || p->type != 1)
        return fail(n, DT_ERR_UNSUPPORTED, p->name, err,
                    "is no picture and no rows of numbers: float32 of four or two dimensions is "
                    "read");
    return DT_OK;
}

static dt_status open_net(dt_ox_file *f, const dt_alloc *a, dt_onnx_net **out, dt_error *err)
{
    dt_onnx_net *n = dt_get(a, sizeof *n, "ONNX net");
    if (!n) {
        dt_ox_free(f);
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    }
    *n = (dt_onnx_net){ .file = f };
    n->walk = (dt_ox_walk){ .file = f };
    n->walk.values.arena = n->walk.layers.arena = n->walk.params.arena = n->walk.readers.arena =
        n->walk.moved.arena = f->arena;
    dt_status st = check(n, err);
    if (st == DT_OK)
        *out = n;
    else
        dt_onnx_net_close(n);
    return st;
}

dt_status dt_onnx_net_open(const char *path, const dt_alloc *a, dt_onnx_net **out, dt_error *err)
{
    dt_ox_file *f;
    DT_TRY(dt_ox_read(path, a, &f, err));
    return open_net(f, a, out, err);
}

dt_status dt_onnx_net_open_bytes(const char *path, const unsigned char *bytes, size_t size,
                                 const dt_alloc *a, dt_onnx_net **out, dt_error *err)
{
    dt_ox_file *f;
    DT_TRY(dt_ox_read_bytes(path, bytes, size, a, &f, err));
    return open_net(f, a, out, err);
}

void dt_onnx_net_close(dt_onnx_net *n)
{
    if (!n) return;
    const dt_alloc *a = n->file->alloc;
    dt_put(a, n->walk.param);
    dt_ox_free(n->file);
    dt_put(a, n);
}

const char *dt_onnx_net_sha256(const dt_onnx_net *n)
{
    return n->file->sha256;
}

/* Nothing but Transposes to [N,C,H,W] reads the input, and one does. */
static bool is_turned_first(const dt_ox_file *f)
{
    static const int64_t to_planes[] = { 0, 3, 1, 2 };
    bool turned = false;
    for (int i = 0; i < f->node_count; i++) {
        const dt_ox_node *node = &f->node[i];
        for (int k = 0; k < node->in_count; k++) {
            if (strcmp(node->in[k], f->in[0].name) != 0) continue;
            const dt_ox_attr *perm = node->attr_count == 1 ? &node->attr[0] : NULL;
            turned = !strcmp(node->op, "Transpose") && perm && !strcmp(perm->name, "perm") &&
                     perm->int_count == 4 && !memcmp(perm->ints, to_planes, sizeof to_planes);
            if (!turned) return false;
        }
    }
    return turned;
}

/* Does the file have pictures as [N,H,W,C]? */
static bool is_channels_last(const dt_onnx_net *n)
{
    const dt_ox_port *p = &n->file->in[0];
    if (p->dim[1] == 3 || p->dim[3] == 3) return p->dim[1] != 3;
    return is_turned_first(n->file);
}

static const int planes[] = { 0, 3, 1, 2 }, same[] = { 0, 1, 2, 3 };

/* Is the data, of as many dimensions as the file's input, what that wants in this order? */
static bool fits(const dt_ox_port *p, const dt_shape *s, const int *axis)
{
    for (int i = 1; i < p->rank; i++)
        if (p->dim[i] >= 0 && p->dim[i] != s->dim[axis[i]]) return false;
    return true;
}

/* For each dimension of the input in the file, the axis of ours: as the data has it, or where that
 * leaves it open or is not known (NULL) as the file reads. */
static const int *axes_of(const dt_onnx_net *n, const dt_shape *data)
{
    const dt_ox_port *p = &n->file->in[0];
    if (p->rank == ROWS) return same;
    bool last = data && fits(p, data, same), first = data && fits(p, data, planes);
    if (last == first) last = is_channels_last(n);
    return last ? same : planes;
}

int dt_onnx_net_classes(const dt_onnx_net *n)
{
    enum { MOST = 100000 };
    const dt_ox_port *p = &n->file->out[0];
    int64_t last = p->rank > 1 ? p->dim[p->rank - 1] : 0;
    for (int i = 1; i + 1 < p->rank; i++)
        last = last == 1 ? p->dim[i] : p->dim[i] == 1 ? last : 0;
    return last > 0 && last <= MOST ? (int)last : 0;
}

bool dt_onnx_net_is_quantized(const dt_onnx_net *n)
{
    for (int i = 0; i < n->file->node_count; i++) {
        const dt_ox_op *op = dt_ox_op_find(n->file->node[i].domain, n->file->node[i].op);
        if (op && op->quantizes) return true;
    }
    return false;
}

void dt_onnx_net_size(const dt_onnx_net *n, int64_t *out_H, int64_t *out_W)
{
    const dt_ox_port *p = &n->file->in[0];
    *out_H = *out_W = 0;
    if (p->rank != PICTURE) return;
    int at = is_channels_last(n) ? 1 : 2;
    if (p->dim[at] > 0) *out_H = p->dim[at];
    if (p->dim[at + 1] > 0) *out_W = p->dim[at + 1];
}

void dt_onnx_net_input(const dt_onnx_net *n, dt_shape *out)
{
    const dt_ox_port *p = &n->file->in[0];
    *out = (dt_shape){ .rank = 0 };
    if (p->rank != PICTURE && p->rank != 2) return;
    for (int i = 1; i < p->rank; i++)
        if (p->dim[i] <= 0 || p->dim[i] > INT32_MAX) return;
    if (p->rank == 2)
        *out = DT_SHAPE(1, p->dim[1]);
    else if (is_channels_last(n))
        *out = DT_SHAPE(1, p->dim[1], p->dim[2], p->dim[3]);
    else
        *out = DT_SHAPE(1, p->dim[2], p->dim[3], p->dim[1]);
}

/* The file's input is value x. */
static dt_status set_input(dt_onnx_net *n, int x)
{
    static const char *const words[] = { "samples", "rows", "columns", "channels" };
    const dt_ox_port *p = &n->file->in[0];
    const dt_shape *s = &n->walk.b->graph->value[x].shape;
    dt_ox_value v = { .value = x, .rank = p->rank };
    char text[DT_SHAPE_TEXT];
    if (s->rank != p->rank)
        return dt_fail(n->walk.err, DT_ERR_SHAPE, &(dt_where){ n->file->path, 0, p->name },
                       "has %d dimensions, the data gives %s", p->rank, dt_shape_print(s, text));
    const int *axis = axes_of(n, s);
    for (int i = 0; i < p->rank; i++) {
        v.axis[i] = axis[i];
        v.dim[i] = s->dim[v.axis[i]];
        if (i == 0 || p->dim[i] < 0 || p->dim[i] == v.dim[i]) continue;
        return dt_fail(n->walk.err, DT_ERR_SHAPE, &(dt_where){ n->file->path, 0, p->name },
                       "wants %lld %s, the data has %lld", (long long)p->dim[i],
                       p->rank == ROWS ? "numbers" : words[v.axis[i]], (long long)v.dim[i]);
    }
    dt_ox_value *copy = dt_arena_get(n->file->arena, sizeof *copy);
    if (!copy) return fail(n, DT_ERR_NOMEM, NULL, n->walk.err, "no memory");
    *copy = v;
    return dt_ox_map_set(&n->walk.values, p->name, copy, n->walk.err);
}

static dt_status set_constants(dt_onnx_net *n)
{
    dt_ox_file *f = n->file;
    for (int i = 0; i < f->initial_count; i++) {
        dt_ox_value *v = dt_arena_get(f->arena, sizeof *v);
        if (!v) return fail(n, DT_ERR_NOMEM, NULL, n->walk.err, "no memory");
        *v = (dt_ox_value){ .constant = &f->initial[i], .rank = f->initial[i].rank };
        memcpy(v->dim, f->initial[i].dim, sizeof v->dim);
        DT_TRY(dt_ox_map_set(&n->walk.values, f->initial[i].name, v, n->walk.err));
    }
    return DT_OK;
}

static dt_status fold(dt_ox_walk *w, const dt_ox_op *op)
{
    enum { MOST = 64 };
    dt_ox_tensor *out[MOST] = { NULL };
    if (w->node->out_count > MOST) return dt_ox_refuse(w, "more outputs than are read");
    DT_TRY(op->fold(w, out));
    for (int k = 0; k < w->node->out_count; k++)
        if (out[k]) DT_TRY(dt_ox_set_constant(w, k, out[k]));
    return DT_OK;
}

/* Every input is there, and how many of them are no constants. */
static dt_status count_values(dt_ox_walk *w, int *out)
{
    *out = 0;
    for (int i = 0; i < w->node->in_count; i++) {
        const dt_ox_value *v = dt_ox_input(w, i);
        if (!v && *w->node->in[i])
            return dt_ox_refuse(w, "its input '%.120s' is made by no node before it",
                                w->node->in[i]);
        if (v && v->lost) return dt_ox_refuse(w, "it waits for '%.120s'", w->node->in[i]);
        *out += v && !v->constant;
    }
    return DT_OK;
}

/* A node that is part of one before it: its output is that one's. */
static dt_status pass_taken(dt_ox_walk *w)
{
    const dt_ox_value *a = dt_ox_input(w, 0), *b = dt_ox_input(w, 1);
    return dt_ox_set(w, 0, a->constant ? b : a);
}

dt_status dt_ox_walk_node(dt_ox_walk *w)
{
    if (w->node->absorbed) return DT_OK;
    if (!w->node->step && w->taken[w->node - w->file->node]) return pass_taken(w);
    const dt_ox_op *op = dt_ox_op_find(w->node->domain, w->node->op);
    int values;
    DT_TRY(dt_ox_refuse_codes(w, op));
    if (!op)
        return dt_ox_refuse(w, "there is no form for this operator%s%.60s",
                            *w->node->domain ? " of the domain " : "", w->node->domain);
    if (w->node->has_graphs)
        return dt_ox_refuse(w, "graphs in attributes are not read; export without control flow");
    DT_TRY(count_values(w, &values));
    if (w->node->in_count < op->in_min || (op->in_max && w->node->in_count > op->in_max))
        return dt_ox_refuse(w, "%d inputs; %d to %d are read", w->node->in_count, op->in_min,
                            op->in_max);
    for (int i = 0; i < op->in_min; i++)
        if (!*w->node->in[i]) return dt_ox_refuse(w, "input %d is left out", i);
    if (op->build && op->sees_constants) return op->build(w);
    if (!values && op->fold) return fold(w, op);
    if (op->build && values) return dt_ox_build(w, op);
    return dt_ox_refuse(w, values ? "its input is computed; it is read of constants alone"
                                  : "it has constants alone, of which it is not read");
}

/* The value that the file gives, as [N,classes]. */
static dt_status find_output(dt_onnx_net *n, int *out)
{
    const char *name = n->file->out[0].name;
    const dt_ox_value *v = dt_ox_map_find(&n->walk.values, name);
    if (!v || v->constant)
        return fail(n, DT_ERR_FORMAT, name, n->walk.err, "is an output that no node makes");
    if (v->codes)
        return fail(n, DT_ERR_UNSUPPORTED, name, n->walk.err,
                    "is an output of integer codes; DequantizeLinear behind it is read");
    if (v->order && !v->padded) DT_TRY(dt_ox_settle(&n->walk, name, -1, &v));
    if (v->padded || !dt_ox_is_rows(&n->walk, v))
        return fail(n, DT_ERR_UNSUPPORTED, name, n->walk.err,
                    "is an output that is no row of numbers for each picture");
    *out = v->value;
    return DT_OK;
}

/* Counts who reads what; the output of the file is read, too. */
static dt_status find_readers(dt_onnx_net *n)
{
    dt_ox_walk *w = &n->walk;
    const dt_ox_file *f = n->file;
    w->taken = dt_arena_get(f->arena, (size_t)f->node_count + 1);
    if (!w->taken) return dt_ox_no_memory(w);
    for (int i = 0; i < f->node_count + f->out_count; i++) {
        const dt_ox_node *node = i < f->node_count ? &f->node[i] : NULL;
        int inputs = node ? node->absorbed ? 0 : node->in_count : 1;
        for (int k = 0; k < inputs; k++) {
            const char *name = node ? node->in[k] : f->out[i - f->node_count].name;
            dt_ox_reader *r = dt_ox_map_find(&w->readers, name);
            if (!r) {
                r = dt_arena_get(f->arena, sizeof *r);
                if (!r) return dt_ox_no_memory(w);
                DT_TRY(dt_ox_map_set(&w->readers, name, r, w->err));
            }
            r->count++;
            r->node = node;
        }
    }
    return DT_OK;
}

static dt_status begin_node(dt_onnx_net *n, int i)
{
    dt_ox_walk *w = &n->walk;
    w->node = &n->file->node[i];
    w->layer = dt_ox_layer_name(w, w->node, i);
    return w->layer ? DT_OK : dt_ox_no_memory(w);
}

static dt_status walk_all(dt_onnx_net *n, int x)
{
    DT_TRY(find_readers(n));
    DT_TRY(dt_ox_find_patterns(&n->walk));
    DT_TRY(set_constants(n));
    DT_TRY(set_input(n, x));
    for (int i = 0; i < n->file->node_count; i++) {
        DT_TRY(begin_node(n, i));
        DT_TRY(dt_ox_walk_node(&n->walk));
    }
    return DT_OK;
}

static bool reads_lost(const dt_ox_walk *w)
{
    for (int i = 0; i < w->node->in_count; i++) {
        const dt_ox_value *v = dt_ox_input(w, i);
        if (v && v->lost) return true;
    }
    return false;
}

/* One node, and its place in the list; a refusal goes on with the next one. */
static dt_status look_at(dt_onnx_net *n, void (*fn)(void *arg, const dt_onnx_look *look), void *arg)
{
    dt_ox_walk *w = &n->walk;
    dt_error *err = w->err, below = { .status = DT_OK };
    int before = w->b->graph->node_count;
    w->err = w->b->err = &below;
    dt_status st = dt_ox_walk_node(w);
    w->err = w->b->err = err;
    w->b->status = DT_OK;
    if (st == DT_ERR_NOMEM) return dt_fail(err, st, NULL, "%s", below.text);
    for (int k = 0; st != DT_OK && k < w->node->out_count; k++)
        DT_TRY(dt_ox_set(w, k, &(dt_ox_value){ .value = -1, .lost = true }));
    const dt_ox_value *out =
        w->node->out_count ? dt_ox_map_find(&w->values, w->node->out[0]) : NULL;
    fn(arg, &(dt_onnx_look){ .name = w->node->name,
                             .op = w->node->op,
                             .domain = w->node->domain,
                             .layer = w->layer,
                             .nodes = w->b->graph->node_count - before,
                             .constant = st == DT_OK && out && out->constant,
                             .waits = st != DT_OK && reads_lost(w),
                             .refusal = st == DT_OK ? NULL : below.text });
    return DT_OK;
}

static dt_status look_all(dt_onnx_net *n, int x, void (*fn)(void *arg, const dt_onnx_look *look),
                          void *arg)
{
    DT_TRY(find_readers(n));
    DT_TRY(dt_ox_find_patterns(&n->walk));
    DT_TRY(set_constants(n));
    DT_TRY(set_input(n, x));
    for (int i = 0; i < n->file->node_count; i++) {
        DT_TRY(begin_node(n, i));
        DT_TRY(look_at(n, fn, arg));
    }
    return DT_OK;
}

dt_status dt_onnx_net_look(dt_onnx_net *n, void (*fn)(void *arg, const dt_onnx_look *look),
                           void *arg, dt_error *err)
{
    enum { SIDE = 32 };
    dt_graph graph;
    dt_builder b = { .graph = &graph, .err = err };
    dt_value input = { .name = "input", .kind = DT_VALUE_INPUT, .batched = true };
    const dt_ox_port *p = &n->file->in[0];
    int x;
    input.shape = (dt_shape){ .rank = p->rank, .dim = { 1 } };
    for (int i = 1; i < p->rank; i++) {
        int axis = axes_of(n, NULL)[i];
        input.shape.dim[axis] = p->dim[i] > 0 ? p->dim[i] : axis == PICTURE - 1 ? 3 : SIDE;
    }
    n->walk.b = &b;
    n->walk.err = err;
    n->walk.brief = true;
    n->walk.sites = true;
    DT_TRY(dt_graph_init(&graph, n->file->alloc, err));
    dt_status st = dt_graph_value(&graph, &input, &x, err);
    if (st == DT_OK) st = look_all(n, x, fn, arg);
    n->walk.b = NULL;
    dt_graph_fini(&graph);
    return st;
}

/* Forgets what was built. */
static void start_over(dt_onnx_net *n)
{
    dt_arena *arena = n->file->arena;
    n->walk.values = n->walk.layers = n->walk.params = n->walk.readers = n->walk.moved =
        (dt_ox_map){ .arena = arena };
    n->walk.param_count = 0;
    n->walk.folded = 0;
}

static dt_status build(dt_onnx_net *n, dt_builder *b, int x, int *out_logits, dt_error *err)
{
    int first = b->graph->node_count;
    n->walk.b = b;
    n->walk.err = b->err = err;
    start_over(n);
    DT_TRY(walk_all(n, x));
    DT_TRY(find_output(n, out_logits));
    dt_ox_roles(b->graph, first, *out_logits);
    return DT_OK;
}

/* The name of the layer that gives the output, of a graph that is made for that alone. */
static dt_status find_last(dt_onnx_net *n, const dt_value *picture, dt_error *err)
{
    dt_graph g;
    dt_builder b = { .graph = &g };
    int x, y = -1;
    DT_TRY(dt_graph_init(&g, n->file->alloc, err));
    dt_status st = dt_graph_value(&g, picture, &x, err);
    if (st == DT_OK) st = build(n, &b, x, &y, err);
    for (int i = 0; st == DT_OK && i < g.node_count; i++)
        if (g.node[i].op->product && g.node[i].role == DT_LAYER_LAST && !n->walk.resized) {
            n->walk.resized = dt_arena_strdup(n->file->arena, g.node[i].name);
            if (!n->walk.resized) st = fail(n, DT_ERR_NOMEM, NULL, err, "no memory");
        }
    dt_graph_fini(&g);
    return st;
}

dt_status dt_onnx_net_build(dt_onnx_net *n, dt_builder *b, int x, int classes, bool sites,
                            int *out_logits, dt_error *err)
{
    int own = dt_onnx_net_classes(n);
    n->walk.resized = NULL;
    n->walk.outputs = classes;
    n->walk.sites = false; /* what is looked for first is the last layer */
    if (classes && own && classes != own) DT_TRY(find_last(n, &b->graph->value[x], err));
    n->walk.sites = sites;
    return build(n, b, x, out_logits, err);
}

const char *dt_onnx_net_resized(const dt_onnx_net *n)
{
    return n->walk.resized;
}

const float *dt_onnx_net_values(const dt_onnx_net *n, const char *name)
{
    const dt_ox_named *p = dt_ox_map_find(&n->walk.params, name);
    return p ? p->data : NULL;
}
