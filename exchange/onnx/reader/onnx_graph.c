/* The walk over the nodes of an ONNX file: constants are folded, the rest becomes nodes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_graph.h"
#include "exchange/onnx/reader/onnx_inputs.h"

#include <string.h>

#include "exchange/onnx/reader/onnx_codes.h"
#include "exchange/onnx/reader/onnx_names.h"
#include "exchange/onnx/reader/onnx_order.h"
#include "exchange/onnx/reader/onnx_patterns.h"
#include "exchange/onnx/reader/onnx_roles.h"

enum { OLDEST = 7, NEWEST = 23 }; /* opsets whose rules the rows follow */

struct dt_onnx_net {
    dt_ox_file *file;
    dt_ox_walk walk;
    bool all; /* outputs are wanted, by name */
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
    if (f->out_count < 1) return fail(n, DT_ERR_FORMAT, NULL, err, "has no output");
    return dt_ox_check_inputs(f, err);
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

void dt_onnx_net_size(const dt_onnx_net *n, int64_t *out_H, int64_t *out_W)
{
    dt_ox_input_size(n->file, out_H, out_W);
}

void dt_onnx_net_input(const dt_onnx_net *n, dt_shape *out)
{
    dt_ox_input_shape(n->file, out);
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

dt_status dt_ox_set_constants(dt_ox_walk *w, const dt_ox_file *f)
{
    for (int i = 0; i < f->initial_count; i++) {
        dt_ox_value *v = dt_arena_get(w->file->arena, sizeof *v);
        if (!v) return dt_ox_no_memory(w);
        *v = (dt_ox_value){ .constant = &f->initial[i], .rank = f->initial[i].rank };
        memcpy(v->dim, f->initial[i].dim, sizeof v->dim);
        DT_TRY(dt_ox_map_set(&w->values, f->initial[i].name, v, w->err));
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
    if (w->node->has_others || (w->node->has_graph && !op->has_graph))
        return dt_ox_refuse(w, "it has attributes that are not read: types, sparse constants or "
                               "graphs");
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
static dt_status find_output(dt_onnx_net *n, const char *name, int *out)
{
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

static dt_status count_read(dt_ox_walk *w, const char *name, const dt_ox_node *by)
{
    dt_ox_reader *r = dt_ox_map_find(&w->readers, name);
    if (!r) {
        r = dt_arena_get(w->file->arena, sizeof *r);
        if (!r) return dt_ox_no_memory(w);
        DT_TRY(dt_ox_map_set(&w->readers, name, r, w->err));
    }
    r->count++;
    r->node = by;
    return DT_OK;
}

/* Graphs in attributes read what lies outside of them, too. A file's are no deeper than it is read
 * (onnx_read.c). */
static dt_status count_readers(dt_ox_walk *w, const dt_ox_file *f)
{
    for (int i = 0; i < f->node_count; i++) {
        const dt_ox_node *node = &f->node[i];
        for (int k = 0; k < node->in_count && !node->absorbed; k++)
            DT_TRY(count_read(w, node->in[k], f == w->file ? node : NULL));
        for (int k = 0; k < node->attr_count && node->has_graph; k++)
            if (node->attr[k].graph) DT_TRY(count_readers(w, node->attr[k].graph));
    }
    for (int k = 0; k < f->out_count; k++)
        DT_TRY(count_read(w, f->out[k].name, NULL));
    return DT_OK;
}

/* Counts who reads what; the output of the file is read, too. */
static dt_status find_readers(dt_onnx_net *n)
{
    n->walk.taken = dt_arena_get(n->file->arena, (size_t)n->file->node_count + 1);
    return n->walk.taken ? count_readers(&n->walk, n->file) : dt_ox_no_memory(&n->walk);
}

/* Names of the nodes made so far, which those that orders become later must not have. */
static dt_status note_names(dt_ox_walk *w)
{
    const dt_graph *g = w->b->graph;
    for (; w->noted < g->node_count; w->noted++) {
        const char *name = g->node[w->noted].name;
        if (!dt_ox_map_find(&w->moved, name) && !dt_ox_moved_name(w, name))
            return dt_ox_no_memory(w);
    }
    return DT_OK;
}

static dt_status begin_node(dt_onnx_net *n, int i)
{
    dt_ox_walk *w = &n->walk;
    DT_TRY(note_names(w));
    w->node = &n->file->node[i];
    w->layer = dt_ox_layer_name(w, w->node, i);
    return w->layer ? DT_OK : dt_ox_no_memory(w);
}

static dt_status walk_all(dt_onnx_net *n, int x)
{
    DT_TRY(find_readers(n));
    DT_TRY(dt_ox_find_patterns(&n->walk));
    DT_TRY(dt_ox_set_constants(&n->walk, n->file));
    DT_TRY(dt_ox_set_inputs(&n->walk, x));
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
    DT_TRY(dt_ox_set_constants(&n->walk, n->file));
    DT_TRY(dt_ox_set_inputs(&n->walk, x));
    for (int i = 0; i < n->file->node_count; i++) {
        DT_TRY(begin_node(n, i));
        DT_TRY(look_at(n, fn, arg));
    }
    return DT_OK;
}

dt_status dt_onnx_net_look(dt_onnx_net *n, void (*fn)(void *arg, const dt_onnx_look *look),
                           void *arg, dt_error *err)
{
    dt_graph graph;
    dt_builder b = { .graph = &graph, .err = err };
    int x;
    n->walk.b = &b;
    n->walk.err = err;
    n->walk.brief = true;
    n->walk.sites = true;
    DT_TRY(dt_graph_init(&graph, n->file->alloc, err));
    dt_status st = dt_ox_make_inputs(n->file, &graph, &x, err);
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
    n->walk.inner = 0;
}

static dt_status build(dt_onnx_net *n, dt_builder *b, int x, int *out_logits, dt_error *err)
{
    int first = b->graph->node_count;
    n->walk.b = b;
    n->walk.err = b->err = err;
    start_over(n);
    DT_TRY(walk_all(n, x));
    int y[DT_GRAPH_PORTS], count = n->all ? n->file->out_count : 1;
    if (count > DT_GRAPH_PORTS) return fail(n, DT_ERR_RANGE, NULL, err, "has too many outputs");
    for (int i = 0; i < count; i++) {
        const char *name = n->file->out[i].name;
        DT_TRY(find_output(n, name, &y[i]));
        if (n->all) DT_TRY(dt_graph_port(b->graph, DT_PORT_OUTPUT, name, y[i], err));
    }
    dt_ox_roles(b->graph, first, y, count);
    *out_logits = y[0];
    return DT_OK;
}

/* The name of the layer that gives the output, of a graph that is made for that alone. */
static dt_status find_last(dt_onnx_net *n, const dt_graph *with, int input, dt_error *err)
{
    dt_graph g;
    dt_builder b = { .graph = &g };
    int x, y = -1;
    DT_TRY(dt_graph_init(&g, n->file->alloc, err));
    dt_status st = dt_ox_copy_inputs(with, input, &g, &x, err);
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
    if (classes && own && classes != own) DT_TRY(find_last(n, b->graph, x, err));
    n->walk.sites = sites;
    return build(n, b, x, out_logits, err);
}

void dt_onnx_net_want_all(dt_onnx_net *n)
{
    n->all = true;
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
