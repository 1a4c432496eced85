/* Functions that a file defines. Names in a body are its own: those of ports are the caller's,
 * others get the caller's name in front. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_functions.h"

#include <string.h>

enum { DEEPEST = 16, MOST_BYTES = 64 << 20, A_NODE = 64, A_CALL = 1024 };

typedef struct inliner {
    dt_ox_file *file;
    dt_ox_map by_name; /* the first function of a name */
    dt_ox_node *node;  /* what the graph becomes */
    size_t room;
    int count, calls;
    size_t left; /* bytes that may still be taken */
    dt_error *err;
} inliner;

/* The body of one call. */
typedef struct scope {
    const dt_ox_file *fn;
    const dt_ox_node *caller;
    dt_ox_map names; /* of the body: those outside */
    int call;
} scope;

static dt_status no_memory(const inliner *n)
{
    return dt_fail(n->err, DT_ERR_NOMEM, &(dt_where){ .file = n->file->path }, "no memory");
}

static dt_status refuse(const inliner *n, const char *name, const char *what)
{
    return dt_fail(n->err, DT_ERR_UNSUPPORTED, &(dt_where){ n->file->path, 0, name }, "%s", what);
}

static dt_status spend(inliner *n, size_t bytes)
{
    if (bytes > n->left) return refuse(n, NULL, "calls functions more often than is read");
    n->left -= bytes;
    return DT_OK;
}

static const dt_ox_file *function_of(const inliner *n, const dt_ox_node *node)
{
    const dt_ox_file *f = dt_ox_map_find(&n->by_name, node->op);
    for (; f; f = f->next)
        if (f->name && strcmp(f->name, node->op) == 0 && strcmp(f->domain, node->domain) == 0 &&
            strcmp(f->overload, node->overload) == 0)
            return f;
    return NULL;
}

/* "<a>/<b>" in the file's arena. */
static dt_status join(inliner *n, const char *a, const char *b, const char **out)
{
    DT_TRY(spend(n, strlen(a) + strlen(b) + 2));
    *out = dt_arena_printf(n->file->arena, "%s/%s", a, b);
    return *out ? DT_OK : no_memory(n);
}

/* What a name of the body is outside of it. */
static dt_status rename_one(inliner *n, scope *s, const char *name, const char **out)
{
    char call[32];
    *out = name;
    if (!*name || (*out = dt_ox_map_find(&s->names, name))) return DT_OK;
    snprintf(call, sizeof call, "#%d", s->call);
    DT_TRY(join(n, call, name, out));
    return dt_ox_map_set(&s->names, name, (void *)(uintptr_t)*out, n->err);
}

static dt_status rename_all(inliner *n, scope *s, const char **from, int count, const char ***out)
{
    DT_TRY(spend(n, (size_t)count * sizeof *from));
    *out = dt_arena_get(n->file->arena, ((size_t)count + 1) * sizeof **out);
    if (!*out) return no_memory(n);
    for (int i = 0; i < count; i++)
        DT_TRY(rename_one(n, s, from[i], &(*out)[i]));
    return DT_OK;
}

/* Attributes that are the caller's get its values, or the function's. */
static dt_status set_attributes(inliner *n, const scope *s, const dt_ox_node *from, dt_ox_node *to)
{
    size_t count = (size_t)from->attr_count;
    DT_TRY(spend(n, count * sizeof *to->attr));
    to->attr = dt_arena_get(n->file->arena, (count + 1) * sizeof *to->attr);
    if (!to->attr) return no_memory(n);
    to->attr_count = 0;
    for (int i = 0; i < from->attr_count; i++) {
        const dt_ox_attr *a = &from->attr[i];
        const char *name = a->name;
        if (a->ref) {
            const char *ref = a->ref;
            a = dt_ox_attr_of(s->caller, ref);
            if (!a) a = dt_ox_attr_of(&s->fn->defaults, ref);
        }
        if (!a) continue; /* left out by the caller: left out here */
        to->attr[to->attr_count] = *a;
        to->attr[to->attr_count++].name = name;
    }
    return DT_OK;
}

static dt_status renamed(inliner *n, scope *s, const dt_ox_node *from, dt_ox_node *to)
{
    *to = *from;
    DT_TRY(join(n, *s->caller->name ? s->caller->name : s->caller->op,
                *from->name ? from->name : from->op, &to->name));
    DT_TRY(rename_all(n, s, from->in, from->in_count, &to->in));
    DT_TRY(rename_all(n, s, from->out, from->out_count, &to->out));
    return set_attributes(n, s, from, to);
}

static dt_status push(inliner *n, const dt_ox_node *node)
{
    void *array = n->node;
    DT_TRY(dt_grow(n->file->alloc, &array, &n->room, (size_t)n->count + 1, sizeof *node,
                   "ONNX file", n->err));
    n->node = array;
    n->node[n->count++] = *node;
    return DT_OK;
}

/* An output of the body that is one of its inputs is passed on. */
static dt_status pass(inliner *n, const char *from, const char *to)
{
    const char **names = dt_arena_get(n->file->arena, 2 * sizeof *names);
    if (!names) return no_memory(n);
    names[0] = from;
    names[1] = to;
    return push(n, &(dt_ox_node){ .op = "Identity",
                                  .domain = "",
                                  .name = "",
                                  .overload = "",
                                  .in = names,
                                  .out = names + 1,
                                  .in_count = 1,
                                  .out_count = 1 });
}

static dt_status bind(inliner *n, scope *s)
{
    const dt_ox_node *c = s->caller;
    if (c->in_count > s->fn->in_count || c->out_count > s->fn->out_count)
        return refuse(n, c->name, "has more inputs or outputs than the function that it calls");
    for (int i = 0; i < s->fn->in_count; i++)
        DT_TRY(dt_ox_map_set(&s->names, s->fn->in[i].name,
                             (void *)(uintptr_t)(i < c->in_count ? c->in[i] : ""), n->err));
    for (int i = 0; i < c->out_count; i++) {
        const char *known = dt_ox_map_find(&s->names, s->fn->out[i].name);
        if (!*c->out[i]) continue;
        if (known)
            DT_TRY(pass(n, known, c->out[i]));
        else
            DT_TRY(
                dt_ox_map_set(&s->names, s->fn->out[i].name, (void *)(uintptr_t)c->out[i], n->err));
    }
    return DT_OK;
}

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than DEEPEST */
static dt_status put(inliner *n, const dt_ox_node *node, int depth)
{
    const dt_ox_file *fn = function_of(n, node);
    DT_TRY(spend(n, A_NODE));
    if (!fn) return push(n, node);
    if (depth == DEEPEST) return refuse(n, fn->name, "is a function in 16 others; 15 are read");
    if (fn->opset && fn->opset != n->file->opset)
        return refuse(n, fn->name, "is a function of another opset than the file's");
    DT_TRY(spend(n, A_CALL + (size_t)(fn->in_count + fn->out_count) * A_NODE)); /* its names */
    scope s = { .fn = fn, .caller = node, .names.arena = n->file->arena, .call = n->calls++ };
    DT_TRY(bind(n, &s));
    for (int i = 0; i < fn->node_count; i++) {
        dt_ox_node body;
        DT_TRY(renamed(n, &s, &fn->node[i], &body));
        DT_TRY(put(n, &body, depth + 1));
    }
    return DT_OK;
}

static dt_status index_functions(inliner *n, bool *out_any)
{
    enum { MOST = 1024 };
    int count = 0;
    *out_any = false;
    for (dt_ox_file *f = n->file->inner; f; f = f->next) {
        if (!f->name) continue;
        if (count++ == MOST) return refuse(n, NULL, "has more than 1024 functions");
        if (!dt_ox_map_find(&n->by_name, f->name))
            DT_TRY(dt_ox_map_set(&n->by_name, f->name, f, n->err));
        *out_any = true;
    }
    return DT_OK;
}

dt_status dt_ox_inline(dt_ox_file *f, dt_error *err)
{
    inliner n = { .file = f, .by_name.arena = f->arena, .left = MOST_BYTES, .err = err };
    bool any;
    DT_TRY(index_functions(&n, &any));
    if (!any) return DT_OK;
    dt_status st = DT_OK;
    for (int i = 0; i < f->node_count && st == DT_OK; i++)
        st = put(&n, &f->node[i], 0);
    if (st != DT_OK) {
        dt_put(f->alloc, n.node);
        return st;
    }
    dt_put(f->alloc, f->node);
    f->node = n.node;
    f->node_count = n.count;
    f->node_room = n.room;
    return DT_OK;
}
