/* Names of layers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_names.h"

#include <ctype.h>
#include <string.h>

enum { NAME_MOST = 160 };

/* The length of a weight's name without ".weight" (as codes: ".weight_quantized"); 0: it is no name
 * that a person gave. */
static size_t stem_of(const char *weight)
{
    static const char *const ends[] = { ".weight", ".weight_quantized" };
    size_t n = strlen(weight);
    for (size_t i = 0; i < DT_ARRAY_LEN(ends); i++) {
        size_t tail = strlen(ends[i]);
        if (n > tail && strcmp(weight + n - tail, ends[i]) == 0 && !strstr(weight, "::"))
            return n - tail;
    }
    return 0;
}

/* The first input from the second on that is an initialiser with such a name, or made of its codes;
 * NULL: none. */
static const char *weight_of(const dt_ox_walk *w, const dt_ox_node *n)
{
    for (int i = 1; i < n->in_count; i++) {
        const dt_ox_value *v = dt_ox_map_find(&w->values, n->in[i]);
        const char *name = v && v->constant ? v->constant->name : NULL;
        if (name && stem_of(name)) return name;
    }
    return NULL;
}

/* Characters that names of files, recipes and patterns take. */
static char plain(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.' ? c : '_';
}

/* The parts of a node's name, from module to module. A part that begins with all before it stands
 * for them; the last is left out where it is the operator. */
static void join_parts(const char *name, const char *op, char out[NAME_MOST])
{
    size_t used = 0;
    out[0] = '\0';
    for (const char *at = name; *at;) {
        size_t n = strcspn(at, "/");
        bool last = at[n] == '\0', ends_so = strncmp(at, op, strlen(op)) == 0;
        if (n > 0 && !(last && ends_so && used)) {
            if (used && strncmp(at, out, used) == 0 && at[used] == '.') used = 0;
            if (used && used < NAME_MOST - 2) out[used++] = '.';
            for (size_t i = 0; i < n && used < NAME_MOST - 1; i++)
                out[used++] = plain(at[i]);
            out[used] = '\0';
        }
        at += n + (at[n] == '/');
    }
}

static const char *candidate(dt_ox_walk *w, const dt_ox_node *n, int index)
{
    char text[NAME_MOST];
    const char *weight = weight_of(w, n);
    dt_arena *arena = w->file->arena;
    if (weight) {
        size_t length = stem_of(weight);
        if (length > NAME_MOST - 1) length = NAME_MOST - 1;
        for (size_t i = 0; i < length; i++)
            text[i] = plain(weight[i]);
        text[length] = '\0';
        return dt_arena_strdup(arena, text);
    }
    join_parts(n->name, n->op, text);
    if (*text && *text != '.') return dt_arena_strdup(arena, text);
    return dt_arena_printf(arena, "%s_%d", *n->op ? n->op : "node", index);
}

/* `base`, or with the first number behind it that is free: each name knows where to look on. */
static const char *take(dt_ox_walk *w, const char *base)
{
    const char *name = base;
    int *next = base ? dt_ox_map_find(&w->layers, base) : NULL;
    int *first = dt_arena_get(w->file->arena, sizeof *first);
    for (; next && name && (name == base || dt_ox_map_find(&w->layers, name)); ++*next)
        name = dt_arena_printf(w->file->arena, "%s_%d", base, *next);
    if (!name || !first) return NULL;
    *first = 2;
    return dt_ox_map_set(&w->layers, name, first, NULL) == DT_OK ? name : NULL;
}

const char *dt_ox_layer_name(dt_ox_walk *w, const dt_ox_node *n, int index)
{
    return take(w, candidate(w, n, index));
}

const char *dt_ox_part_name(dt_ox_walk *w, const char *part)
{
    return take(w, dt_arena_printf(w->file->arena, "%s.%s", w->layer, part));
}
