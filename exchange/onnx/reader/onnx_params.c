/* Parameters of the graph, made of constants. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "exchange/onnx/reader/onnx_grid.h"

/* Axes in this order, in `to` those that have more than one element; their number. */
static int long_axes(const dt_ox_tensor *t, const int *turn, int rank, int to[DT_OX_RANK])
{
    int count = 0;
    for (int j = 0; j < rank; j++)
        if (t->dim[turn[j]] > 1) to[count++] = turn[j];
    return count;
}

/* The parameter that was made of this constant in this order, `alike`: whatever axes of one element
 * it has; -1: none. */
static int find(const dt_ox_walk *w, const dt_ox_tensor *t, const int *turn, int rank, bool alike)
{
    int want[DT_OX_RANK], have[DT_OX_RANK], count = long_axes(t, turn, rank, want);
    for (int i = 0; i < w->param_count; i++) {
        const dt_ox_param *p = &w->param[i];
        int own = w->b->graph->value[p->value].shape.rank;
        bool same = p->from == t && (alike || own == rank);
        for (int j = 0; same && !alike && j < rank; j++)
            same = p->turn[j] == turn[j];
        if (same && alike)
            same = w->b->graph->value[p->value].role != DT_ROLE_WEIGHT &&
                   long_axes(t, p->turn, own, have) == count &&
                   memcmp(want, have, (size_t)count * sizeof *want) == 0 &&
                   (count == 0 || p->turn[own - 1] == want[count - 1]);
        if (same) return p->seen;
    }
    return -1;
}

/* The elements of t with axis turn[j] as axis j. NULL: no memory. */
static const float *turned(dt_ox_walk *w, const dt_ox_tensor *t, const int *turn, int rank)
{
    int64_t step[DT_OX_RANK] = { 0 }, at[DT_OX_RANK] = { 0 }, from = 0;
    bool same = true;
    for (int j = 0; j < rank; j++) {
        same = same && turn[j] == j;
        step[j] = 1;
        for (int i = turn[j] + 1; i < t->rank; i++)
            step[j] *= t->dim[i];
    }
    if (same) return t->x;
    float *to = dt_arena_get(w->file->arena, (size_t)t->count * sizeof *to);
    for (int64_t i = 0; to && i < t->count; i++) {
        to[i] = t->x[from];
        for (int j = rank; j-- > 0;) { /* the next element, as an odometer */
            from += step[j];
            if (++at[j] < t->dim[turn[j]]) break;
            from -= step[j] * at[j];
            at[j] = 0;
        }
    }
    return to;
}

static int fail(dt_ox_walk *w, dt_status st)
{
    return dt_builder_fail(w->b, st);
}

dt_status dt_ox_keep_named(dt_ox_walk *w, int value, const float *data)
{
    char *name = dt_arena_strdup(w->file->arena, w->b->graph->value[value].name);
    dt_ox_named *n = dt_arena_get(w->file->arena, sizeof *n);
    if (!name || !n) return DT_ERR_NOMEM;
    n->data = data;
    return dt_ox_map_set(&w->params, name, n, w->err);
}

/* Are all dimensions 1 but one of `outputs`, the from_end-th from behind? */
static bool is_row(const dt_ox_tensor *t, int64_t outputs, int from_end, int *out_axis)
{
    *out_axis = t->rank - from_end;
    return !t->whole && t->count == outputs && *out_axis >= 0 && t->dim[*out_axis] == outputs;
}

const dt_ox_tensor *dt_ox_bias_behind(dt_ox_walk *w, int64_t outputs, int from_end, int *out_axis)
{
    const char *name = w->node->out_count ? w->node->out[0] : "";
    const dt_ox_reader *r = dt_ox_map_find(&w->readers, name);
    const dt_ox_node *add = *name && r && r->count == 1 ? r->node : NULL;
    if (!add || strcmp(add->op, "Add") != 0 || *add->domain || add->in_count != 2) return NULL;
    const char *other = strcmp(add->in[0], name) == 0 ? add->in[1] : add->in[0];
    const dt_ox_value *v = dt_ox_map_find(&w->values, other);
    if (!v || !v->constant || !is_row(v->constant, outputs, from_end, out_axis)) return NULL;
    w->taken[add - w->file->node] = true;
    return v->constant;
}

/* A weight behind its quantizer, where the file has one; a bias is rounded as integer models have
 * it, whatever its codes are. */
static int quantized(dt_ox_walk *w, const char *layer, const char *part, const dt_ox_param *p,
                     bool anew)
{
    const dt_ox_grid *from = p->from->grid;
    if (!w->sites || !from || w->b->graph->value[p->value].role != DT_ROLE_WEIGHT) return p->value;
    if (anew)
        return fail(w,
                    dt_ox_refuse(w, "it gets other outputs than the file's, which has scales for "
                                    "its own alone; quant.placement=deploy starts quantizers "
                                    "from data"));
    dt_ox_grid g = *from;
    int rank = w->b->graph->value[p->value].shape.rank;
    for (int j = 0; from->axis >= 0 && j < rank; j++)
        if (p->turn[j] == from->axis) g.axis = j;
    return dt_ox_site(w, layer, dt_layer_name(w->b, "%s.%s_quant", layer, part), p->value, true,
                      &g);
}

int dt_ox_param_alike(dt_ox_walk *w, const char *layer, const char *part, const dt_ox_tensor *t,
                      const int *turn, int rank, dt_value kind)
{
    int known = find(w, t, turn, rank, true);
    return known >= 0 ? known : dt_ox_param_of(w, layer, part, t, turn, rank, kind);
}

int dt_ox_param_of(dt_ox_walk *w, const char *layer, const char *part, const dt_ox_tensor *t,
                   const int *turn, int rank, dt_value kind)
{
    int known = find(w, t, turn, rank, false);
    if (dt_ox_built(w) != DT_OK || known >= 0) return known;
    dt_ox_param p = { .from = t };
    void *array = w->param;
    kind.shape = (dt_shape){ .rank = rank };
    for (int j = 0; j < rank; j++) {
        p.turn[j] = turn[j];
        kind.shape.dim[j] = t->dim[turn[j]];
    }
    bool anew = w->resized && strcmp(layer, w->resized) == 0;
    if (anew) kind.shape.dim[0] = w->outputs;
    p.data = anew ? NULL : turned(w, t->latent ? t->latent : t, turn, rank);
    if (!anew && !p.data) return fail(w, dt_ox_no_memory(w));
    p.value = dt_part_value(w->b, layer, part, kind);
    dt_status st = dt_grow(w->file->alloc, &array, &w->param_room, (size_t)w->param_count + 1,
                           sizeof p, "ONNX parameters", w->err);
    if (p.value < 0 || st != DT_OK) return fail(w, st);
    w->param = array;
    if (dt_ox_keep_named(w, p.value, p.data) != DT_OK) return fail(w, dt_ox_no_memory(w));
    p.seen = quantized(w, layer, part, &p, anew);
    w->param[w->param_count++] = p;
    return p.seen;
}
