/* Concat of constants; of values along their channels, or stacked in front of their samples; of
 * parts of one value's axis; of a class token and tokens. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "exchange/onnx/reader/onnx_fold.h"
#include "exchange/onnx/reader/onnx_names.h"
#include "exchange/onnx/reader/onnx_remap.h"

static dt_status sizes(dt_ox_walk *w, int axis, int64_t *dim)
{
    const dt_ox_tensor *first = dt_ox_input(w, 0)->constant;
    for (int i = 0; i < first->rank; i++)
        dim[i] = first->dim[i];
    for (int k = 1; k < w->node->in_count; k++) {
        const dt_ox_tensor *t = dt_ox_input(w, k)->constant;
        bool fits = t->rank == first->rank && t->whole == first->whole;
        for (int i = 0; fits && i < t->rank; i++)
            fits = i == axis || t->dim[i] == dim[i];
        if (!fits) return dt_ox_refuse(w, "its operands do not fit together");
        dim[axis] += t->dim[axis];
    }
    return DT_OK;
}

static dt_status fold(dt_ox_walk *w, dt_ox_tensor **out)
{
    int axis;
    int64_t dim[DT_OX_RANK] = { 0 }, before = 0;
    for (int k = 0; k < w->node->in_count; k++)
        if (!dt_ox_input(w, k)) return dt_ox_refuse(w, "input %d is not there", k);
    const dt_ox_tensor *first = dt_ox_input(w, 0)->constant;
    DT_TRY(dt_ox_axis(w, dt_ox_int(w->node, "axis", 0), first->rank, &axis));
    DT_TRY(sizes(w, axis, dim));
    out[0] = dt_ox_make(w, first->whole, first->rank, dim);
    DT_TRY(dt_ox_made(w, out[0]));
    for (int k = 0; k < w->node->in_count; k++) {
        const dt_ox_tensor *t = dt_ox_input(w, k)->constant;
        int64_t run = t->dim[axis] * dt_ox_inner(t, axis);
        int64_t whole = dim[axis] * dt_ox_inner(t, axis);
        for (int64_t i = 0; i < t->count; i++)
            dt_ox_move(t, i, out[0], i / run * whole + before + i % run);
        before += run;
    }
    return DT_OK;
}

/* Does v fit beside `first` along a dimension that is the engine's last axis? */
static bool is_beside(const dt_ox_walk *w, int axis, const dt_ox_value *first, const dt_ox_value *v)
{
    int last = dt_ox_shape(w, v)->rank - 1;
    bool fits =
        v->rank == first->rank && v->axis[axis] == last && last == dt_ox_shape(w, first)->rank - 1;
    for (int i = 0; fits && i < v->rank; i++)
        fits = i == axis || (v->dim[i] == first->dim[i] && v->axis[i] == first->axis[i]);
    return fits;
}

/* The value with the most elements, whose axes the others take. */
static int largest(const dt_ox_walk *w)
{
    int best = 0;
    int64_t most = 0;
    for (int k = 0; k < w->node->in_count; k++) {
        const dt_ox_value *v = dt_ox_input(w, k);
        int64_t n = 1;
        for (int i = 0; v && i < v->rank; i++)
            n *= v->dim[i];
        if (v && n > most) most = n, best = k;
    }
    return best;
}

/* Is one of them a picture? Then rows beside it are one, too. */
static bool has_picture(const dt_ox_walk *w)
{
    for (int k = 0; k < w->node->in_count; k++) {
        const dt_ox_value *v = dt_ox_input(w, k);
        if (v && !v->constant && dt_ox_is_picture(w, v)) return true;
    }
    return false;
}

/* Value k, whose dimension `axis` is the engine's last. */
static dt_status need_last(dt_ox_walk *w, int k, int axis, bool picture, const dt_ox_value **out)
{
    int to[DT_OX_RANK], next = 0;
    DT_TRY(picture ? dt_ox_need_pixels(w, k, out) : dt_ox_need_value(w, k, out));
    const dt_ox_value *v = *out;
    if (axis >= v->rank || !axis || v->axis[axis] == dt_ox_shape(w, v)->rank - 1) return DT_OK;
    dt_ox_value *made = dt_arena_get(w->file->arena, sizeof *made);
    if (!made) return dt_ox_no_memory(w);
    if (v->rank > DT_MAX_RANK)
        return dt_ox_refuse(w, "its values have %d dimensions; up to %d are read", v->rank,
                            DT_MAX_RANK);
    for (int i = 0; i < v->rank; i++)
        to[i] = i == axis ? v->rank - 1 : next++;
    DT_TRY(dt_ox_settle_to(w, v, v->rank, to, made));
    *out = made;
    return dt_ox_map_set(&w->values, w->node->in[k], made, w->err);
}

/* A constant [1,tokens,C] in front of tokens. */
static bool is_class(const dt_ox_walk *w)
{
    const dt_ox_value *a = dt_ox_input(w, 0), *b = dt_ox_input(w, 1);
    const dt_ox_tensor *t = w->node->in_count == 2 && a ? a->constant : NULL;
    return t && !t->whole && t->rank == 3 && t->dim[0] == 1 && t->dim[1] >= 1 && b &&
           !b->constant && b->rank == 3 && dt_ox_int(w->node, "axis", 0) == 1;
}

/* The positions [1,T,C] that only an Add behind adds, which is then part of this node. */
static const dt_ox_tensor *positions_behind(dt_ox_walk *w, int64_t T, int64_t C)
{
    const char *name = w->node->out[0];
    const dt_ox_reader *r = dt_ox_map_find(&w->readers, name);
    const dt_ox_node *add = r && r->count == 1 ? r->node : NULL;
    if (!add || strcmp(add->op, "Add") != 0 || *add->domain || add->in_count != 2) return NULL;
    const char *other = strcmp(add->in[0], name) == 0 ? add->in[1] : add->in[0];
    const dt_ox_value *v = dt_ox_map_find(&w->values, other);
    const dt_ox_tensor *t = v ? v->constant : NULL;
    if (!t || t->whole || t->rank != 3 || t->dim[0] != 1 || t->dim[1] != T || t->dim[2] != C)
        return NULL;
    w->taken[add - w->file->node] = true;
    return t;
}

/* Token k of a constant [1,tokens,C]; the constant itself where it is one. */
static dt_status token_of(dt_ox_walk *w, const dt_ox_tensor *t, int64_t k, dt_ox_tensor **out)
{
    dt_ox_window one = { .step = { 1, 1, 1 }, .count = { 1, 1, t->dim[2] }, .first = { 0, k, 0 } };
    if (t->dim[1] > 1) return dt_ox_cut(w, t, &one, NULL, out);
    *out = (dt_ox_tensor *)(uintptr_t)t;
    return DT_OK;
}

/* Token `token` in front of x [N,T,C], and `at` [1,T+1,C] on all of them; NULL: nothing. */
static dt_status put_token(dt_ox_walk *w, int x, const dt_ox_tensor *token, const dt_ox_tensor *at,
                           const char *layer, int *out)
{
    static const int same[] = { 0, 1, 2 };
    const dt_shape s = w->b->graph->value[x].shape;
    dt_value kind = { .kind = DT_VALUE_PARAM, .role = DT_ROLE_EMBED };
    int in[] = { dt_ox_param_alike(w, layer, "class_token", token, same, 3, kind), -1 };
    if (!at) { /* zeros that nothing trains */
        const int64_t dim[] = { 1, s.dim[1] + 1, s.dim[2] };
        dt_ox_tensor *zeros = dt_ox_make(w, false, 3, dim);
        DT_TRY(dt_ox_made(w, zeros));
        at = zeros;
        kind.kind = DT_VALUE_BUFFER;
    }
    in[1] = dt_ox_param_of(w, layer, "pos_embed", at, same, 3, kind);
    const char *sum = dt_layer_name(w->b, "%s.pos_embed", layer);
    in[1] = dt_part_node(w->b, "class_position", sum, NULL, in, 2);
    *out = dt_part_node(w->b, "class_token", layer, NULL, (int[]){ x, in[1] }, 2);
    return dt_ox_built(w);
}

static dt_status build_class(dt_ox_walk *w)
{
    const dt_ox_tensor *tokens = dt_ox_input(w, 0)->constant;
    const dt_ox_value *x;
    dt_ox_value turned;
    dt_ox_tensor *token;
    DT_TRY(dt_ox_need_value(w, 1, &x));
    if (dt_ox_shape(w, x)->rank != 3 || x->axis[1] != 1 || x->axis[2] != 2) {
        DT_TRY(dt_ox_settle_to(w, x, 3, (const int[]){ 0, 1, 2 }, &turned));
        x = &turned;
    }
    const dt_shape s = *dt_ox_shape(w, x);
    const int64_t count = tokens->dim[1];
    if (s.rank != 3 || tokens->dim[2] != s.dim[2])
        return dt_ox_refuse(w, "its tokens have %lld elements, the others %lld",
                            (long long)tokens->dim[2], (long long)s.dim[s.rank - 1]);
    int y = x->value;
    for (int64_t k = count; k-- > 0;) { /* the first one comes last */
        const dt_ox_tensor *at = count == 1 ? positions_behind(w, s.dim[1] + 1, s.dim[2]) : NULL;
        const char *layer =
            k ? dt_layer_name(w->b, "%s.token_%lld", w->layer, (long long)k) : w->layer;
        DT_TRY(token_of(w, tokens, k, &token));
        DT_TRY(put_token(w, y, token, at, layer, &y));
    }
    dt_ox_value out = *x;
    out.dim[1] = s.dim[1] + count;
    return dt_ox_set_like(w, y, &out);
}

/* A dimension's part of an axis, which is the only one; NULL: it has none, or several. */
static const dt_ox_part *part_of(const dt_ox_order *o, int dim)
{
    const dt_ox_part *found = NULL;
    for (int k = 0; k < o->parts; k++) {
        if (o->part[k].dim != dim) continue;
        if (found || o->part[k].axis == 0) return NULL;
        found = &o->part[k];
    }
    return found;
}

/* Are both the same but for a part of one axis along dimension `dim`? */
static bool differ_in(const dt_ox_order *a, const dt_ox_order *b, int dim)
{
    const dt_ox_part *p = part_of(a, dim);
    if (!p || a->parts != b->parts) return false;
    for (int k = 0; k < a->parts; k++) {
        const dt_ox_part *x = &a->part[k], *y = &b->part[k];
        bool same = x->axis == y->axis && x->dim == y->dim;
        if (!same || (x != p && (x->count != y->count || x->step != y->step))) return false;
    }
    for (int i = 0; i < DT_MAX_RANK; i++)
        if (i != p->axis && a->first[i] != b->first[i]) return false;
    return true;
}

/* Parts of one axis of one value beside each other, as a roll has them: indices [*out_count] of
 * that axis, and the order with all of it. False: it is something else. */
static bool is_roll(dt_ox_walk *w, int axis, int64_t *index, int64_t *out_count, dt_ox_order *all)
{
    const dt_ox_value *first = dt_ox_input(w, 0);
    int64_t count = 0;
    for (int k = 0; k < w->node->in_count; k++) {
        const dt_ox_value *v = dt_ox_input(w, k);
        if (!v || v->constant || v->value != first->value || !v->order || v->padded ||
            v->factor != first->factor || v->rank != first->rank)
            return false;
        const dt_ox_part *p = part_of(v->order, axis);
        if (!p || !differ_in(first->order, v->order, axis) || p->count > DT_REMAP_MOST - count)
            return false;
        for (int64_t i = 0; index && i < p->count; i++)
            index[count + i] = v->order->first[p->axis] + i * p->step;
        count += p->count;
    }
    *out_count = count;
    *all = *first->order;
    dt_ox_part *p = &all->part[part_of(all, axis) - all->part];
    all->first[p->axis] = 0;
    p->count = dt_ox_shape(w, first)->dim[p->axis];
    p->step = 1;
    return true;
}

static dt_status build_roll(dt_ox_walk *w, int axis, int64_t count)
{
    int64_t *index = dt_arena_get(w->file->arena, (size_t)count * sizeof *index);
    const dt_ox_value *v = dt_ox_input(w, 0);
    dt_ox_order all;
    dt_ox_value whole = *v;
    if (!index) return dt_ox_no_memory(w);
    is_roll(w, axis, index, &count, &all);
    whole.dim[axis] = dt_ox_shape(w, v)->dim[part_of(&all, axis)->axis];
    DT_TRY(dt_ox_set_order(w, 0, &whole, &all, whole.rank, whole.dim));
    return dt_ox_set_indices(w, 0, dt_ox_map_find(&w->values, w->node->out[0]), axis, index, count);
}

/* More values than a node takes are joined by several, each with what the one before it gives. */
static int join(dt_ox_walk *w, int *in, int count)
{
    while (count > DT_OP_MAX_IN) {
        const char *part = dt_ox_part_name(w, "part");
        if (!part) return dt_builder_fail(w->b, dt_ox_no_memory(w));
        int y = dt_part_node(w->b, "concat", part, NULL, in, DT_OP_MAX_IN);
        count -= DT_OP_MAX_IN - 1;
        memmove(in + 1, in + DT_OP_MAX_IN, (size_t)(count - 1) * sizeof *in);
        in[0] = y;
    }
    return dt_part_node(w->b, "concat", w->layer, NULL, in, count);
}

/* The dimension that the samples are; -1: it is not told. */
static int batch_of(const dt_ox_walk *w, const dt_ox_value *v)
{
    const dt_ox_order o = dt_ox_order_of(w, v);
    for (int k = 0; k < o.parts; k++)
        if (o.part[k].axis == 0) return o.part[k].dim;
    return -1;
}

/* Are the samples of all values the same dimension, behind the first? So a stack in front of them
 * is [parts,N,...]. */
static bool is_stack(const dt_ox_walk *w, int axis, int *out_batch)
{
    const dt_ox_value *first = dt_ox_input(w, 0);
    *out_batch = -1;
    for (int k = 0; k < w->node->in_count; k++) {
        const dt_ox_value *v = dt_ox_input(w, k);
        if (!v || v->constant || v->padded || v->factor || v->rank != first->rank) return false;
        for (int i = 0; i < v->rank; i++)
            if (i != axis && v->dim[i] != first->dim[i]) return false;
        int batch = batch_of(w, v);
        if (batch < 1 || batch == axis || (k && batch != *out_batch)) return false;
        *out_batch = batch;
    }
    return first->rank <= DT_MAX_RANK;
}

/* Samples in front, then what is alike, the parts last; the file has them in its order. */
static dt_status build_stack(dt_ox_walk *w, int axis, int batch, int *in)
{
    const dt_ox_value *first = dt_ox_input(w, 0);
    dt_ox_order o = { .layer = w->layer };
    dt_ox_value out = *first, moved;
    int to[DT_OX_RANK], next = 1;
    for (int i = 0; i < first->rank; i++)
        to[i] = i == batch ? 0 : i == axis ? first->rank - 1 : next++;
    out.dim[axis] = 0;
    for (int k = 0; k < w->node->in_count; k++) {
        const dt_ox_value *v = dt_ox_input(w, k);
        DT_TRY(dt_ox_settle_to(w, v, v->rank, to, &moved));
        out.dim[axis] += v->dim[axis];
        in[k] = moved.value;
    }
    out.value = join(w, in, w->node->in_count);
    DT_TRY(dt_ox_built(w));
    for (int i = 0; i < out.rank; i++)
        if (out.dim[i] > 1 || i == batch)
            o.part[o.parts++] = (dt_ox_part){ to[i], i, out.dim[i], 1 };
    return dt_ox_set_order(w, 0, &out, &o, out.rank, out.dim);
}

static dt_status build(dt_ox_walk *w)
{
    const dt_ox_value *first, *v;
    dt_ox_value moved;
    int64_t count;
    dt_ox_order all;
    int axis, batch, *in = dt_arena_get(w->file->arena, (size_t)w->node->in_count * sizeof *in);
    if (!in) return dt_ox_no_memory(w);
    if (is_class(w)) return build_class(w);
    DT_TRY(dt_ox_need(w, 0, &first));
    DT_TRY(dt_ox_axis(w, dt_ox_int(w->node, "axis", 1), first->rank, &axis));
    if (!first->constant && w->node->in_count > 1 && is_roll(w, axis, NULL, &count, &all))
        return build_roll(w, axis, count);
    if (is_stack(w, axis, &batch)) return build_stack(w, axis, batch, in);
    DT_TRY(dt_ox_need_value(w, 0, &first));
    int64_t size = 0;
    bool picture = has_picture(w);
    int most = largest(w);
    DT_TRY(need_last(w, most, axis, picture, &first));
    for (int k = 0; k < w->node->in_count; k++) {
        DT_TRY(need_last(w, k, axis, picture, &v));
        if (!is_beside(w, axis, first, v) && v->rank == first->rank) {
            DT_TRY(dt_ox_settle_like(w, v, first, &moved));
            v = &moved;
        }
        if (!is_beside(w, axis, first, v))
            return dt_ox_refuse(w, "its values differ in more than dimension %d", axis);
        size += v->dim[axis];
        in[k] = v->value;
    }
    if (w->node->in_count == 1) return dt_ox_set(w, 0, first);
    dt_ox_value out = *first;
    out.dim[axis] = size;
    return dt_ox_set_like(w, join(w, in, w->node->in_count), &out);
}

const dt_ox_op dt_ox_op_Concat = {
    .name = "Concat", .in_min = 1, .fold = fold, .build = build, .moves = true
};
