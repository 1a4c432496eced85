/* Operators that are others. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_steps.h"

#include <ctype.h>
#include <string.h>

#include "exchange/onnx/reader/onnx_names.h"

enum { MOST_IN = 4 };

const char *dt_ox_between(dt_ox_walk *w, const char *part)
{
    return dt_arena_printf(w->file->arena, "#%s#%s", w->layer, part);
}

static dt_status constant(dt_ox_walk *w, const char *name, bool whole, int rank, int count,
                          const float *x, const int64_t *n)
{
    const int64_t dim[] = { count };
    dt_ox_value *v = dt_arena_get(w->file->arena, sizeof *v);
    dt_ox_tensor *t = dt_ox_make(w, whole, rank, dim);
    DT_TRY(dt_ox_made(w, t));
    if (!name || !v) return dt_ox_no_memory(w);
    for (int i = 0; i < count; i++) {
        if (whole) t->n[i] = n[i];
        if (!whole) t->x[i] = x[i];
    }
    *v = (dt_ox_value){ .constant = t, .value = -1, .rank = t->rank };
    memcpy(v->dim, t->dim, sizeof v->dim);
    return dt_ox_map_set(&w->values, name, v, w->err);
}

dt_status dt_ox_between_reals(dt_ox_walk *w, const char *name, int count, const float *x)
{
    return constant(w, name, false, count > 1, count, x, NULL);
}

dt_status dt_ox_between_list(dt_ox_walk *w, const char *name, int count, const int64_t *n)
{
    return constant(w, name, true, 1, count, NULL, n);
}

/* "<layer>.<op>" in small letters. */
static const char *layer_of(dt_ox_walk *w, const char *op)
{
    char small[32];
    size_t k = 0;
    for (; op[k] && k + 1 < sizeof small; k++)
        small[k] = (char)tolower((unsigned char)op[k]);
    small[k] = '\0';
    return dt_ox_part_name(w, small);
}

dt_status dt_ox_step(dt_ox_walk *w, const char *op, const char *const *in, const char *out,
                     const dt_ox_attr *attr, int attr_count)
{
    dt_ox_node *n = dt_arena_get(w->file->arena, sizeof *n);
    const char **names = dt_arena_get(w->file->arena, (MOST_IN + 1) * sizeof *names);
    const dt_ox_node *whole = w->node;
    const char *layer = w->layer;
    if (!n || !names || !out) return dt_ox_no_memory(w);
    *n = (dt_ox_node){ .op = op,
                       .domain = "",
                       .name = whole->name,
                       .in = names,
                       .out = names + MOST_IN,
                       .out_count = 1,
                       .attr = (dt_ox_attr *)(uintptr_t)attr,
                       .attr_count = attr_count,
                       .step = true };
    for (; in[n->in_count] && n->in_count < MOST_IN; n->in_count++)
        names[n->in_count] = in[n->in_count];
    names[MOST_IN] = out;
    bool last = whole->out_count > 0 && strcmp(out, whole->out[0]) == 0;
    const char *part = last ? layer : layer_of(w, op);
    if (!part) return dt_ox_no_memory(w);
    w->layer = part;
    w->node = n;
    dt_status st = dt_ox_walk_node(w);
    w->node = whole;
    w->layer = layer;
    return st;
}

dt_ox_attr dt_ox_attr_ints(const char *name, const int64_t *list, int count)
{
    return (
        dt_ox_attr){ .name = name, .ints = (int64_t *)(uintptr_t)list, .int_count = (size_t)count };
}

dt_ox_attr dt_ox_attr_int(const char *name, int64_t i)
{
    return (dt_ox_attr){ .name = name, .i = i };
}

const dt_ox_value *dt_ox_named_value(const dt_ox_walk *w, const char *name)
{
    return dt_ox_map_find(&w->values, name);
}
