/* Inputs of ONNX files. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_inputs.h"

#include <string.h>

enum { ROWS = 2, PICTURE = 4, SIDE = 32 };

dt_status dt_ox_check_inputs(const dt_ox_file *f, dt_error *err)
{
    if (f->in_count < 1 || f->in_count > DT_OX_INPUTS)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .file = f->path },
                       "has %d inputs; 1 to %d are read", f->in_count, DT_OX_INPUTS);
    for (int i = 0; i < f->in_count; i++) {
        const dt_ox_port *p = &f->in[i];
        if ((p->rank != PICTURE && p->rank != ROWS) || p->type != 1)
            return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ f->path, 0, p->name },
                           "is no picture and no rows of numbers: float32 of four or two "
                           "dimensions is read");
    }
    return DT_OK;
}

/* Nothing but Transposes to [N,C,H,W] reads the input, and one does. */
static bool is_turned_first(const dt_ox_file *f, const dt_ox_port *p)
{
    static const int64_t to_planes[] = { 0, 3, 1, 2 };
    bool turned = false;
    for (int i = 0; i < f->node_count; i++) {
        const dt_ox_node *node = &f->node[i];
        for (int k = 0; k < node->in_count; k++) {
            if (strcmp(node->in[k], p->name) != 0) continue;
            const dt_ox_attr *perm = node->attr_count == 1 ? &node->attr[0] : NULL;
            turned = !strcmp(node->op, "Transpose") && perm && !strcmp(perm->name, "perm") &&
                     perm->int_count == 4 && !memcmp(perm->ints, to_planes, sizeof to_planes);
            if (!turned) return false;
        }
    }
    return turned;
}

/* Does the file have pictures as [N,H,W,C]? */
static bool is_channels_last(const dt_ox_file *f, const dt_ox_port *p)
{
    if (p->dim[1] == 3 || p->dim[3] == 3) return p->dim[1] != 3;
    return is_turned_first(f, p);
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
static const int *axes_of(const dt_ox_file *f, const dt_ox_port *p, const dt_shape *data)
{
    if (p->rank == ROWS) return same;
    bool last = data && fits(p, data, same), first = data && fits(p, data, planes);
    if (last == first) last = is_channels_last(f, p);
    return last ? same : planes;
}

void dt_ox_input_size(const dt_ox_file *f, int64_t *out_H, int64_t *out_W)
{
    const dt_ox_port *p = &f->in[0];
    *out_H = *out_W = 0;
    if (f->in_count > 1 || p->rank != PICTURE) return;
    int at = is_channels_last(f, p) ? 1 : 2;
    if (p->dim[at] > 0) *out_H = p->dim[at];
    if (p->dim[at + 1] > 0) *out_W = p->dim[at + 1];
}

void dt_ox_input_shape(const dt_ox_file *f, dt_shape *out)
{
    const dt_ox_port *p = &f->in[0];
    *out = (dt_shape){ .rank = 0 };
    if (f->in_count > 1 || (p->rank != PICTURE && p->rank != ROWS)) return;
    for (int i = 1; i < p->rank; i++)
        if (p->dim[i] <= 0 || p->dim[i] > INT32_MAX) return;
    if (p->rank == ROWS)
        *out = DT_SHAPE(1, p->dim[1]);
    else if (is_channels_last(f, p))
        *out = DT_SHAPE(1, p->dim[1], p->dim[2], p->dim[3]);
    else
        *out = DT_SHAPE(1, p->dim[2], p->dim[3], p->dim[1]);
}

/* An input of the file is value x. */
static dt_status set_input(dt_ox_walk *w, const dt_ox_port *p, int x)
{
    static const char *const words[] = { "samples", "rows", "columns", "channels" };
    const dt_shape *s = &w->b->graph->value[x].shape;
    dt_ox_value v = { .value = x, .rank = p->rank };
    char text[DT_SHAPE_TEXT];
    if (s->rank != p->rank)
        return dt_fail(w->err, DT_ERR_SHAPE, &(dt_where){ w->file->path, 0, p->name },
                       "has %d dimensions, the data gives %s", p->rank, dt_shape_print(s, text));
    const int *axis = axes_of(w->file, p, s);
    for (int i = 0; i < p->rank; i++) {
        v.axis[i] = axis[i];
        v.dim[i] = s->dim[v.axis[i]];
        if (i == 0 || p->dim[i] < 0 || p->dim[i] == v.dim[i]) continue;
        return dt_fail(w->err, DT_ERR_SHAPE, &(dt_where){ w->file->path, 0, p->name },
                       "wants %lld %s, the data has %lld", (long long)p->dim[i],
                       p->rank == ROWS ? "numbers" : words[v.axis[i]], (long long)v.dim[i]);
    }
    dt_ox_value *copy = dt_arena_get(w->file->arena, sizeof *copy);
    if (!copy) return dt_ox_no_memory(w);
    *copy = v;
    return dt_ox_map_set(&w->values, p->name, copy, w->err);
}

/* The value of the graph that has the port's name. */
static dt_status find_input(dt_ox_walk *w, const dt_ox_port *p, int *out)
{
    const dt_graph *g = w->b->graph;
    const char *names[DT_GRAPH_PORTS];
    size_t count = 0;
    for (int k = 0, v; (v = dt_graph_input(g, k)) >= 0; k++) {
        names[count++] = dt_graph_port_name(g, v, "input");
        *out = v;
        if (strcmp(names[k], p->name) == 0) return DT_OK;
    }
    const char *near = dt_nearest(p->name, names, count);
    return dt_fail(w->err, DT_ERR_NOT_FOUND, &(dt_where){ w->file->path, 0, p->name },
                   "is one of %d inputs; the data has none of this name%s%s%s (data.inputs: "
                   "NAME=FILE)",
                   w->file->in_count, near ? ", but '" : "", near ? near : "", near ? "'" : "");
}

dt_status dt_ox_set_inputs(dt_ox_walk *w, int x)
{
    const dt_ox_file *f = w->file;
    if (f->in_count == 1 && dt_graph_input(w->b->graph, 1) < 0) return set_input(w, &f->in[0], x);
    for (int i = 0; i < f->in_count; i++) {
        int v = -1;
        DT_TRY(find_input(w, &f->in[i], &v));
        DT_TRY(set_input(w, &f->in[i], v));
    }
    if (dt_graph_input(w->b->graph, f->in_count) < 0) return DT_OK;
    return dt_fail(w->err, DT_ERR_RANGE, &(dt_where){ .file = f->path },
                   "has %d inputs, the data more; data.inputs names those of the file",
                   f->in_count);
}

dt_status dt_ox_make_inputs(const dt_ox_file *f, dt_graph *g, int *out_x, dt_error *err)
{
    for (int k = 0; k < f->in_count; k++) {
        const dt_ox_port *p = &f->in[k];
        dt_value input = { .name = p->name, .kind = DT_VALUE_INPUT, .batched = true };
        int v;
        input.shape = (dt_shape){ .rank = p->rank, .dim = { 1 } };
        for (int i = 1; i < p->rank; i++) {
            int axis = axes_of(f, p, NULL)[i];
            input.shape.dim[axis] = p->dim[i] > 0 ? p->dim[i] : axis == PICTURE - 1 ? 3 : SIDE;
        }
        DT_TRY(dt_graph_value(g, &input, &v, err));
        DT_TRY(dt_graph_port(g, DT_PORT_INPUT, p->name, v, err));
        if (k == 0) *out_x = v;
    }
    return DT_OK;
}

dt_status dt_ox_copy_inputs(const dt_graph *from, int x, dt_graph *to, int *out_x, dt_error *err)
{
    if (dt_graph_input(from, 0) < 0) return dt_graph_value(to, &from->value[x], out_x, err);
    for (int k = 0, v, made; (v = dt_graph_input(from, k)) >= 0; k++) {
        DT_TRY(dt_graph_value(to, &from->value[v], &made, err));
        DT_TRY(dt_graph_port(to, DT_PORT_INPUT, dt_graph_port_name(from, v, "input"), made, err));
        if (k == 0) *out_x = made;
    }
    return DT_OK;
}
