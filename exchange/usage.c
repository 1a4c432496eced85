/* What a file says of its own use. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/usage.h"

#include <stdio.h>
#include <string.h>

#include "core/text.h"

/* Bytes of the UTF-8 character at `s`; 0: there is none. */
static size_t character(const unsigned char *s)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 }, v = n > 1 ? s[0] & (0x7fu >> n) : s[0];
    if (s[0] > 0xf4) return 0;
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0;
        v = v << 6 | (s[i] & 0x3fu);
    }
    return n == 0 || v < least[n] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000) ? 0 : n;
}

enum { CHANNELS = 3 /* of src->mean and std */ };

/* Names come from folders, which may have any bytes; formats want UTF-8. */
static const char *plain(const char *names, dt_arena *arena)
{
    char *copy = dt_arena_strdup(arena, names);
    for (char *c = copy; c && *c;) {
        size_t n = character((unsigned char *)c);
        if (n == 0) *c = '?';
        c += n ? n : 1;
    }
    return copy;
}

static const char *numbers(const float *v, int64_t n, dt_arena *arena)
{
    char text[CHANNELS * 24] = "";
    size_t at = 0;
    for (int64_t i = 0; i < n && at < sizeof text; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.9g", i ? " " : "", (double)v[i]);
    return dt_arena_strdup(arena, text);
}

static const char *grid(const dt_lower_grid *g, int offset, dt_arena *arena)
{
    return dt_arena_printf(arena, "{\"scale\":%.9g,\"zero_point\":%d,\"low\":%d,\"high\":%d}",
                           (double)g->scale, g->zero_point + offset, g->low + offset,
                           g->high + offset);
}

static void put(dt_usage *u, const char *key, const char *value)
{
    u->text[u->count++] = (struct dt_text_attr){ key, value };
}

static void put_picture(const dt_export_source *src, const dt_usage_ends *ends, dt_arena *arena,
                        dt_usage *u)
{
    const dt_shape *x = &src->graph->value[src->input].shape; /* [N,H,W,C] */
    if (x->rank != 4 || !src->mean || !src->std || x->dim[3] > CHANNELS) return;
    put(u, "input.layout", ends->layout);
    put(u, "input.size",
        dt_arena_printf(arena, "%lld %lld", (long long)x->dim[1], (long long)x->dim[2]));
    if (x->dim[3] == 3) put(u, "input.colour", "RGB");
    put(u, "input.range", src->levels ? "255" : "1");
    put(u, "input.mean", numbers(src->mean, x->dim[3], arena));
    put(u, "input.std", numbers(src->std, x->dim[3], arena));
}

/* "picture 16 16 1;vector 4": names and shapes of samples, channels last. */
static const char *inputs(const dt_graph *g, dt_arena *arena)
{
    const char *text = "";
    for (int k = 0, v; text && (v = dt_graph_input(g, k)) >= 0; k++) {
        const dt_shape *s = &g->value[v].shape;
        text =
            dt_arena_printf(arena, "%s%s%s", text, k ? ";" : "", dt_graph_port_name(g, v, "input"));
        for (int i = 1; text && i < s->rank; i++)
            text = dt_arena_printf(arena, "%s %lld", text, (long long)s->dim[i]);
    }
    return text;
}

/* "class 10;box 4" */
static const char *outputs(const dt_graph *g, dt_arena *arena)
{
    const char *text = "";
    for (int k = 0, v; text && (v = dt_graph_output(g, k)) >= 0; k++)
        text = dt_arena_printf(arena, "%s%s%s %lld", text, k ? ";" : "",
                               dt_graph_port_name(g, v, "logits"),
                               (long long)dt_shape_count(&g->value[v].shape));
    return text;
}

/* {"class":{..},"box":{..}}; names as ASCII without quotes. */
static const char *grids(const dt_graph *g, const dt_usage_ends *ends, dt_arena *arena)
{
    const char *text = "{";
    for (int k = 0, v; text && (v = dt_graph_output(g, k)) >= 0; k++) {
        const char *name = dt_graph_port_name(g, v, "logits");
        if (!ends->output[k]) return "";
        text = dt_arena_printf(arena, "%s%s\"%s\":%s", text, k ? "," : "",
                               strpbrk(name, "\"\\") ? "" : name,
                               grid(ends->output[k], ends->offset, arena));
    }
    return text ? dt_arena_printf(arena, "%s}", text) : NULL;
}

static void put_outputs(const dt_export_source *src, const dt_usage_ends *ends, dt_arena *arena,
                        dt_usage *u)
{
    if (dt_graph_output(src->graph, 1) < 0) {
        if (ends->output[0]) put(u, "output.grid", grid(ends->output[0], ends->offset, arena));
        return;
    }
    const char *all = grids(src->graph, ends, arena);
    put(u, "outputs", outputs(src->graph, arena));
    if (!all || *all) put(u, "output.grids", all);
    if (src->class_output) put(u, "class.output", src->class_output);
}

dt_status dt_usage_make(const dt_export_source *src, const dt_usage_ends *ends, dt_arena *arena,
                        dt_usage *out, dt_error *err)
{
    dt_usage u = { .count = 0 };
    if (src->classes) put(&u, "class.names", plain(src->classes, arena));
    put_picture(src, ends, arena, &u);
    if (dt_graph_input(src->graph, 1) >= 0)
        put(&u, "inputs", inputs(src->graph, arena));
    else if (ends->input)
        put(&u, "input.grid", grid(ends->input, ends->offset, arena));
    put_outputs(src, ends, arena, &u);
    for (int i = 0; i < u.count; i++)
        if (!u.text[i].value) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to export");
    *out = u;
    return DT_OK;
}

dt_usage_ends dt_usage_of_lowered(const dt_lowered *l, const char *layout)
{
    dt_usage_ends e = { .layout = layout };
    int outputs[DT_GRAPH_PORTS];
    int count = dt_graph_wanted(l->src.graph, l->src.logits, outputs);
    for (int i = 0; i < l->src.graph->node_count; i++) {
        const dt_node *n = &l->src.graph->node[i];
        if (!l->needed[i] || !l->grid[i]) continue;
        if (n->in[0] == l->src.input && !e.input) e.input = l->grid[i];
        for (int k = 0; k < count; k++)
            if (n->out[0] == outputs[k]) e.output[k] = l->grid[i];
    }
    return e;
}

dt_usage_ends dt_usage_of_model(const dt_int_model *m, const char *layout, int offset)
{
    dt_usage_ends e = { .layout = layout,
                        .input = &m->value[m->node[0].out].grid,
                        .offset = offset };
    for (int k = 0; k < m->outputs; k++)
        e.output[k] = m->value[m->output[k]].is_sum ? NULL : &m->value[m->output[k]].grid;
    return e;
}

dt_status dt_usage_add(const dt_export_source *src, const dt_usage_ends *ends, dt_tensors *set,
                       dt_error *err)
{
    dt_usage u;
    DT_TRY(dt_usage_make(src, ends, set->arena, &u, err));
    for (int i = 0; i < u.count; i++)
        DT_TRY(dt_tensors_set_attr(set, u.text[i].key, u.text[i].value, err));
    return DT_OK;
}

const char *dt_usage_get(const dt_usage *u, const char *key)
{
    for (int i = 0; i < u->count; i++)
        if (strcmp(u->text[i].key, key) == 0) return u->text[i].value;
    return NULL;
}
