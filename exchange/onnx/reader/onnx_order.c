/* Orders of elements, and the nodes that move them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_order.h"

#include <string.h>

#include "autograd/op_arrange.h"
#include "autograd/op_powers.h"

dt_ox_order dt_ox_order_of(const dt_ox_walk *w, const dt_ox_value *v)
{
    if (v->order) return *v->order;
    const dt_shape *s = dt_ox_shape(w, v);
    dt_ox_order o = { .layer = w->layer };
    bool batch = false;
    for (int i = 0; i < v->rank; i++)
        batch = batch || v->axis[i] == 0;
    if (!batch) o.part[o.parts++] = (dt_ox_part){ .count = 1, .step = 1 };
    for (int i = 0; i < v->rank; i++)
        if (v->axis[i] == 0 || (v->axis[i] > 0 && s->dim[v->axis[i]] > 1))
            o.part[o.parts++] = (dt_ox_part){ v->axis[i], i, s->dim[v->axis[i]], 1 };
    return o;
}

/* Is v's order that of whole axes, one for each dimension, the batch first? Fills `axis`. */
static bool is_plain(const dt_shape *s, const dt_ox_order *o, int rank, int *axis)
{
    bool seen[DT_MAX_RANK] = { false };
    if (rank < 3 && s->rank > 2) return false; /* rows are [N,C] here, too */
    for (int i = 0; i < rank; i++)
        axis[i] = -1;
    for (int k = 0; k < o->parts; k++) {
        const dt_ox_part *p = &o->part[k];
        bool whole = p->count == s->dim[p->axis] && o->first[p->axis] == 0;
        if (seen[p->axis] || !whole || axis[p->dim] >= 0 || (p->axis == 0) != (p->dim == 0))
            return false;
        axis[p->dim] = p->axis;
        seen[p->axis] = true;
    }
    for (int a = 0; a < s->rank; a++)
        if (!seen[a] && (s->dim[a] > 1 || a == 0)) return false;
    /* Axes of one element stand for such dimensions. */
    for (int i = 1, a = 1; i < rank; i++) {
        while (a < s->rank && (seen[a] || s->dim[a] != 1))
            a++;
        if (axis[i] < 0 && a < s->rank) axis[i] = a++;
    }
    return true;
}

dt_status dt_ox_set_order(dt_ox_walk *w, int k, const dt_ox_value *v, const dt_ox_order *o,
                          int rank, const int64_t *dim)
{
    dt_ox_value out = { .value = v->value, .rank = rank, .factor = v->factor };
    memcpy(out.dim, dim, (size_t)rank * sizeof *dim);
    if (is_plain(dt_ox_shape(w, v), o, rank, out.axis)) return dt_ox_set(w, k, &out);
    dt_ox_order *copy = dt_arena_get(w->file->arena, sizeof *copy);
    if (!copy) return dt_ox_no_memory(w);
    *copy = *o;
    copy->layer = w->layer;
    out.order = copy;
    return dt_ox_set(w, k, &out);
}

/* Adds a part, joined with the one before it where both are one. False: there is no room. */
static bool add(dt_ox_order *o, dt_ox_part p)
{
    dt_ox_part *last = o->parts ? &o->part[o->parts - 1] : NULL;
    if (last && p.axis && last->axis == p.axis && last->dim == p.dim &&
        last->step == p.step * p.count) {
        last->count *= p.count;
        last->step = p.step;
        return true;
    }
    if (o->parts == DT_OX_PARTS) return false;
    o->part[o->parts++] = p;
    return true;
}

/* Does the batch, which comes next, go with what was filled? It is 1 in the walk, so its place has
 * to be told from what follows: a dimension that splits a part was made of N times it. */
static bool joins_batch(const dt_ox_part *part, int parts, int at, int64_t next)
{
    bool batch = at < parts && part[at].axis == 0;
    return batch && next != 1 && (at + 1 == parts || part[at + 1].count <= next);
}

/* Takes from the parts at *at what fills a dimension of `size`. */
static bool fill(dt_ox_order *to, int dim, int64_t size, dt_ox_part *part, int parts, int *at)
{
    int64_t have = 1;
    if (size == 1 && *at < parts && part[*at].count == 1) {
        part[*at].dim = dim;
        return add(to, part[(*at)++]);
    }
    while (have < size) {
        if (*at == parts || size % have) return false;
        dt_ox_part *p = &part[*at], piece = *p;
        int64_t want = size / have;
        piece.dim = dim;
        if (p->count <= want) {
            if (want % p->count) return false;
            have *= p->count;
            (*at)++;
        } else {
            if (p->count % want) return false;
            piece.count = want;
            piece.step = p->step * (p->count / want);
            p->count /= want;
            have = size;
        }
        if (!add(to, piece)) return false;
    }
    return true;
}

bool dt_ox_order_reshape(dt_ox_order *o, int rank, const int64_t *dim)
{
    dt_ox_order to = *o, from = *o;
    int at = 0;
    to.parts = 0;
    for (int i = 0; i < rank; i++) {
        if (!fill(&to, i, dim[i], from.part, from.parts, &at)) return false;
        if (dim[i] == 1 || !joins_batch(from.part, from.parts, at, i + 1 < rank ? dim[i + 1] : 0))
            continue;
        from.part[at].dim = i;
        if (!add(&to, from.part[at++])) return false;
    }
    for (; at < from.parts; at++) {
        if (from.part[at].count != 1 || rank == 0) return false;
        from.part[at].dim = rank - 1;
        if (!add(&to, from.part[at])) return false;
    }
    *o = to;
    return true;
}

/* Does a wider step go over the same axis? Then what is left is no part of the axis. */
static bool is_inner(const dt_ox_order *o, const dt_ox_part *p)
{
    for (int k = 0; k < o->parts; k++)
        if (o->part[k].axis == p->axis && o->part[k].step > p->step) return true;
    return false;
}

bool dt_ox_order_cut(dt_ox_order *o, int dim, int64_t first, int64_t count, int64_t step)
{
    dt_ox_order from = *o;
    int64_t inner = 1;
    bool begun = false;
    for (int k = 0; k < from.parts; k++)
        if (from.part[k].dim == dim) inner *= from.part[k].count;
    if (first == 0 && count == inner && step == 1) return true;
    o->parts = 0;
    for (int k = 0; k < from.parts; k++) {
        dt_ox_part p = from.part[k];
        if (p.dim != dim || p.axis == 0 || begun) {
            o->part[o->parts++] = p;
            continue;
        }
        inner /= p.count;
        int64_t last = first + (count - 1) * step;
        if (is_inner(&from, &p)) return false;
        o->first[p.axis] += first / inner * p.step;
        if (first / inner == last / inner && inner > 1) { /* one of these; the rest goes on */
            first %= inner;
            continue;
        }
        if (inner > 1 && (step != 1 || first % inner || count % inner)) return false;
        p.count = inner > 1 ? count / inner : count;
        p.step *= step;
        if (p.count > 1) o->part[o->parts++] = p;
        begun = true;
    }
    return true;
}

const char *dt_ox_moved_name(dt_ox_walk *w, const char *base)
{
    const char *name = base;
    int *next = base ? dt_ox_map_find(&w->moved, base) : NULL; /* the number that may be free */
    int *first = dt_arena_get(w->file->arena, sizeof *first);
    for (; next && name && (name == base || dt_ox_map_find(&w->moved, name)); ++*next) {
        name = dt_arena_printf(w->file->arena, "%s_%d", base, *next);
        if (name && dt_ox_map_find(&w->layers, name) && !dt_ox_map_find(&w->moved, name))
            name = dt_arena_printf(w->file->arena, "%s_%d.moved", base, *next);
    }
    if (!name || !first) return NULL;
    *first = 2;
    return dt_ox_map_set(&w->moved, name, first, NULL) == DT_OK ? name : NULL;
}

/* Makes the node: dimension i of the file becomes axis to[i] (-1: it has one element). */
static dt_status arrange(dt_ox_walk *w, const dt_ox_value *v, int rank, const int *to,
                         dt_ox_value *out)
{
    const dt_ox_order o = dt_ox_order_of(w, v);
    dt_arrange_conf c = { .rank = rank };
    bool later = v->order && strcmp(o.layer, w->layer) != 0; /* than the node that asked for it */
    const char *name = dt_ox_moved_name(
        w, later ? o.layer : dt_arena_printf(w->file->arena, "%s.input", o.layer));
    if (!name) return dt_ox_no_memory(w);
    memcpy(c.first, o.first, sizeof c.first);
    for (int axis = 1; axis < rank; axis++)
        for (int k = 0; k < o.parts; k++) {
            const dt_ox_part *p = &o.part[k];
            if (to[p->dim] != axis) continue;
            if (p->axis == 0)
                return dt_ox_refuse(w, "the first dimension of its input is not N alone; what "
                                       "cuts a picture into several is not read");
            if (c.loops == DT_ARRANGE_LOOPS)
                return dt_ox_refuse(w, "its input is in an order of more than %d parts",
                                    DT_ARRANGE_LOOPS);
            c.loop[c.loops++] = (dt_arrange_loop){ p->axis, axis, p->count, p->step };
        }
    for (int k = 0; k < o.parts; k++)
        if (to[o.part[k].dim] < 0 && o.part[k].count > 1)
            return dt_ox_refuse(w,
                                "dimension %d of its input has %lld elements, the other operand "
                                "one, and the other way round",
                                o.part[k].dim, (long long)v->dim[o.part[k].dim]);
    for (int k = 0; k < o.parts; k++)
        if (to[o.part[k].dim] == 0 && o.part[k].axis)
            return dt_ox_refuse(w,
                                "the first dimension of its input is %lld of each picture; it "
                                "has to stay N",
                                (long long)v->dim[o.part[k].dim]);
    int y = dt_part_node(w->b, "arrange", name, &c, &v->value, 1);
    DT_TRY(dt_ox_built(w));
    *out = (dt_ox_value){ .value = y, .rank = v->rank, .factor = v->factor };
    memcpy(out->dim, v->dim, sizeof out->dim);
    memcpy(out->axis, to, (size_t)v->rank * sizeof *to);
    return DT_OK;
}

/* The dimension that has the engine's last axis, by its smallest step; -1: none. */
static int channels_of(const dt_ox_order *o, int last_axis)
{
    int best = -1;
    for (int k = 0; k < o->parts; k++)
        if (o->part[k].axis == last_axis && (best < 0 || o->part[k].step < o->part[best].step))
            best = k;
    return best < 0 ? -1 : o->part[best].dim;
}

static dt_status settle(dt_ox_walk *w, const dt_ox_value *v, int last, dt_ox_value *out)
{
    const dt_ox_order o = dt_ox_order_of(w, v);
    int to[DT_OX_RANK], axis = 1, wide = 0, widest = v->rank - 1;
    if (v->rank > DT_MAX_RANK)
        return dt_ox_refuse(w, "its input has %d dimensions; up to %d are read", v->rank,
                            DT_MAX_RANK);
    for (int i = 1; i < v->rank; i++) {
        wide += v->dim[i] > 1;
        if (v->dim[i] > 1) widest = i;
    }
    bool rows = wide <= 1; /* [N,C,1,1] is [N,C] */
    if (last < 0) last = channels_of(&o, dt_ox_shape(w, v)->rank - 1);
    if (last < 1 || rows) last = widest;
    for (int i = 0; i < v->rank; i++) {
        to[i] = i == 0 ? 0 : rows || i == last ? -1 : axis++;
        if (i == last && i > 0) to[i] = -2;
    }
    for (int i = 1; i < v->rank; i++)
        if (to[i] == -2) to[i] = axis++;
    return arrange(w, v, axis < 2 ? 2 : axis, to, out);
}

/* Times the factor that waited. */
static dt_status multiply(dt_ox_walk *w, dt_ox_value *v)
{
    const dt_affine_conf c = { v->factor, 0 };
    const char *name = dt_ox_moved_name(w, dt_arena_printf(w->file->arena, "%s.factor", w->layer));
    if (!name) return dt_ox_no_memory(w);
    v->value = dt_part_node(w->b, "affine", name, &c, &v->value, 1);
    v->factor = 0;
    return dt_ox_built(w);
}

dt_status dt_ox_settle(dt_ox_walk *w, const char *name, int last, const dt_ox_value **out)
{
    const dt_ox_value *v = dt_ox_map_find(&w->values, name);
    dt_ox_value *copy = dt_arena_get(w->file->arena, sizeof *copy);
    if (!copy) return dt_ox_no_memory(w);
    *copy = *v;
    if (v->order || last >= 0) DT_TRY(settle(w, v, last, copy));
    if (v->factor) DT_TRY(multiply(w, copy));
    *out = copy;
    return dt_ox_map_set(&w->values, name, copy, w->err);
}

dt_status dt_ox_settle_pixel(dt_ox_walk *w, const char *name, const dt_ox_value **out)
{
    static const int planes[] = { 0, 3, 1, 2 };
    const dt_ox_value *v = dt_ox_map_find(&w->values, name);
    dt_ox_value *copy = dt_arena_get(w->file->arena, sizeof *copy);
    if (!copy) return dt_ox_no_memory(w);
    DT_TRY(arrange(w, v, 4, planes, copy));
    *out = copy;
    return dt_ox_map_set(&w->values, name, copy, w->err);
}

dt_status dt_ox_settle_flat(dt_ox_walk *w, const dt_ox_value *v, dt_ox_value *out)
{
    dt_ox_value all = *v;
    dt_ox_order o = dt_ox_order_of(w, v);
    const int to[] = { 0, 1 };
    all.rank = 2;
    all.dim[0] = all.dim[1] = 1;
    for (int k = 0; k < o.parts; k++) {
        o.part[k].dim = o.part[k].axis ? 1 : 0;
        all.dim[1] *= o.part[k].count;
    }
    all.order = &o;
    return arrange(w, &all, 2, to, out);
}

dt_status dt_ox_settle_as(dt_ox_walk *w, const dt_ox_value *v, dt_ox_value *out)
{
    int to[DT_OX_RANK];
    for (int i = 0; i < v->rank; i++)
        to[i] = i;
    return arrange(w, v, v->rank, to, out);
}

dt_status dt_ox_settle_like(dt_ox_walk *w, const dt_ox_value *v, const dt_ox_value *like,
                            dt_ox_value *out)
{
    bool same = !v->order && dt_ox_shape(w, v)->rank == dt_ox_shape(w, like)->rank;
    for (int i = 0; same && i < v->rank; i++)
        same = v->axis[i] == like->axis[i];
    *out = *v;
    return same ? DT_OK : arrange(w, v, dt_ox_shape(w, like)->rank, like->axis, out);
}

/* Is the first dimension N times something of each sample? */
static bool has_windows(const dt_ox_value *v)
{
    for (int k = 0; v->order && k < v->order->parts; k++)
        if (v->order->part[k].dim == 0 && v->order->part[k].axis != 0) return true;
    return false;
}

/* Windows [N windows,...] as [N,windows,...], in the order of the file's dimensions. */
static dt_status settle_windows(dt_ox_walk *w, const char *name, const dt_ox_value **out)
{
    const dt_ox_value *v = dt_ox_map_find(&w->values, name);
    dt_ox_value apart = *v, *made = dt_arena_get(w->file->arena, sizeof *made);
    dt_ox_order o = *v->order, back = { .layer = o.layer };
    if (!made) return dt_ox_no_memory(w);
    apart.rank = v->rank + 1;
    apart.dim[1] = 1;
    for (int i = 1; i < v->rank; i++)
        apart.dim[i + 1] = v->dim[i];
    for (int k = 0; k < o.parts; k++) {
        dt_ox_part *p = &o.part[k];
        if (p->axis == 0 && p->dim != 0)
            return dt_ox_refuse(w, "the samples are dimension %d of its input", p->dim);
        if (p->dim == 0 && p->axis) apart.dim[1] *= p->count;
        p->dim += p->axis != 0;
    }
    apart.dim[0] = 1;
    apart.order = &o;
    if (apart.rank > DT_MAX_RANK)
        return dt_ox_refuse(w, "its windows have %d dimensions; up to %d are read", v->rank,
                            DT_MAX_RANK - 1);
    DT_TRY(dt_ox_settle_as(w, &apart, made));
    back.part[back.parts++] = (dt_ox_part){ 0, 0, 1, 1 };
    for (int i = 1; i < apart.rank; i++)
        if (apart.dim[i] > 1)
            back.part[back.parts++] = (dt_ox_part){ i, i == 1 ? 0 : i - 1, apart.dim[i], 1 };
    dt_ox_order *copy = dt_arena_get(w->file->arena, sizeof *copy);
    if (!copy) return dt_ox_no_memory(w);
    *copy = back;
    made->rank = v->rank;
    memcpy(made->dim, v->dim, sizeof made->dim);
    made->order = copy;
    *out = made;
    return dt_ox_map_set(&w->values, name, made, w->err);
}

dt_status dt_ox_settle_to(dt_ox_walk *w, const dt_ox_value *v, int rank, const int *to,
                          dt_ox_value *out)
{
    return arrange(w, v, rank, to, out);
}

const dt_node *dt_ox_maker(const dt_ox_walk *w, const dt_ox_value *v)
{
    const dt_value *value = v->value < 0 ? NULL : &w->b->graph->value[v->value];
    return value && value->producer >= 0 ? &w->b->graph->node[value->producer] : NULL;
}

/* Has the order every element of its value? */
static bool has_all(const dt_ox_walk *w, const dt_ox_value *v)
{
    const dt_shape *s = dt_ox_shape(w, v);
    int64_t all = 1;
    for (int k = 0; v->order && k < v->order->parts; k++)
        all *= v->order->part[k].count;
    return !v->order || all == dt_shape_count(s);
}

dt_status dt_ox_need_elements(dt_ox_walk *w, int i, const dt_ox_value **out)
{
    const dt_ox_value *v = dt_ox_input(w, i);
    *out = v;
    bool fits = v && !v->constant && !v->padded && has_all(w, v) && !v->factor;
    return fits ? DT_OK : dt_ox_need_value(w, i, out);
}

/* Is the last dimension the engine's last axis, and nothing else? */
static bool ends_alike(const dt_ox_walk *w, const dt_ox_value *v)
{
    int last = dt_ox_shape(w, v)->rank - 1;
    if (v->rank < 2 || last < 1) return false;
    if (!v->order) return v->axis[v->rank - 1] == last;
    for (int k = 0; k < v->order->parts; k++) {
        const dt_ox_part *p = &v->order->part[k];
        if ((p->axis == last) != (p->dim == v->rank - 1)) return false;
        if (p->axis == last && p->count != dt_ox_shape(w, v)->dim[last]) return false;
    }
    return v->dim[v->rank - 1] == dt_ox_shape(w, v)->dim[last];
}

/* Each dimension as an axis, also the last one where it has one element: [N,C,1] is no row of C. */
static dt_status settle_last(dt_ox_walk *w, const char *name, const dt_ox_value **out)
{
    const dt_ox_value *v = dt_ox_map_find(&w->values, name);
    dt_ox_value *made = dt_arena_get(w->file->arena, sizeof *made);
    if (!made) return dt_ox_no_memory(w);
    if (v->rank > DT_MAX_RANK || v->rank < 2)
        return dt_ox_refuse(w, "its input has %d dimensions; 2 to %d are read", v->rank,
                            DT_MAX_RANK);
    DT_TRY(dt_ox_settle_as(w, v, made));
    *out = made;
    return dt_ox_map_set(&w->values, name, made, w->err);
}

dt_status dt_ox_need_rows(dt_ox_walk *w, int i, const dt_ox_value **out)
{
    DT_TRY(dt_ox_need_elements(w, i, out));
    if (ends_alike(w, *out)) return DT_OK;
    if (has_windows(*out)) return settle_windows(w, w->node->in[i], out);
    DT_TRY(dt_ox_settle(w, w->node->in[i], (*out)->rank - 1, out));
    return ends_alike(w, *out) ? DT_OK : settle_last(w, w->node->in[i], out);
}

dt_status dt_ox_set_rows(dt_ox_walk *w, int y, const dt_ox_value *v)
{
    dt_ox_value out = *v;
    DT_TRY(dt_ox_built(w));
    out.value = y;
    const dt_shape *s = dt_ox_shape(w, &out);
    int last = s->rank - 1;
    out.dim[v->rank - 1] = s->dim[last];
    if (!v->order) return dt_ox_set(w, 0, &out);
    dt_ox_order o = *v->order;
    int kept = 0;
    for (int k = 0; k < o.parts; k++)
        if (o.part[k].axis != last) o.part[kept++] = o.part[k];
    o.parts = kept;
    if (s->dim[last] > 1) o.part[o.parts++] = (dt_ox_part){ last, v->rank - 1, s->dim[last], 1 };
    return dt_ox_set_order(w, 0, &out, &o, out.rank, out.dim);
}

static bool cut_all(dt_ox_order *o, int rank, const dt_ox_window *cut)
{
    for (int i = 0; i < rank; i++)
        if (!dt_ox_order_cut(o, i, cut->first[i], cut->count[i], cut->step[i])) return false;
    return true;
}

/* A value whose axes are the dimensions, the batch in front; *o becomes its order. */
static dt_status move_parts(dt_ox_walk *w, const dt_ox_value *v, dt_ox_order *o, dt_ox_value *out)
{
    dt_ox_value turned = *v;
    dt_ox_order to = *o;
    int batch = 0, from[DT_OX_RANK], place[DT_OX_RANK], parts = 0;
    if (v->rank > DT_MAX_RANK)
        return dt_ox_refuse(w, "its input has %d dimensions; up to %d are read", v->rank,
                            DT_MAX_RANK);
    for (int k = 0; k < o->parts; k++)
        if (o->part[k].axis == 0) batch = o->part[k].dim;
    for (int i = 0; i < v->rank; i++) { /* dimension from[i] of v is axis i of what is made */
        from[i] = i == 0 ? batch : i - (i <= batch);
        place[from[i]] = i;
        turned.dim[i] = v->dim[from[i]];
    }
    for (int i = 0; i < v->rank; i++)
        for (int k = 0; k < o->parts; k++)
            if (o->part[k].dim == from[i]) {
                to.part[parts] = o->part[k];
                to.part[parts++].dim = i;
            }
    turned.order = &to;
    DT_TRY(dt_ox_settle_as(w, &turned, out));
    memcpy(out->dim, v->dim, sizeof out->dim);
    o->parts = 0;
    memset(o->first, 0, sizeof o->first);
    for (int i = 0; i < v->rank; i++)
        if (v->dim[i] > 1 || i == batch)
            o->part[o->parts++] = (dt_ox_part){ place[i], i, v->dim[i], 1 };
    return DT_OK;
}

dt_status dt_ox_set_cut(dt_ox_walk *w, int k, const dt_ox_window *cut)
{
    const dt_ox_value *v = dt_ox_input(w, 0);
    for (int i = 0; i < v->rank; i++)
        if (cut->step[i] < 0 || cut->count[i] < 1)
            return dt_ox_refuse(w,
                                "it takes %lld of %lld elements by steps of %lld; at least one "
                                "is read, forwards",
                                (long long)cut->count[i], (long long)v->dim[i],
                                (long long)cut->step[i]);
    dt_ox_order o = dt_ox_order_of(w, v);
    dt_ox_value moved;
    if (!cut_all(&o, v->rank, cut)) {
        o = dt_ox_order_of(w, v);
        if (o.parts && o.part[0].axis == 0) {
            DT_TRY(dt_ox_settle(w, w->node->in[0], -1, &v));
            o = dt_ox_order_of(w, v);
        } else {
            DT_TRY(move_parts(w, v, &o, &moved));
            v = &moved;
        }
        if (!cut_all(&o, v->rank, cut)) return dt_ox_refuse(w, "it takes no part of an axis");
    }
    return dt_ox_set_order(w, k, v, &o, v->rank, cut->count);
}

dt_status dt_ox_drop(dt_ox_walk *w, int k, int dim)
{
    const dt_ox_value *v =
        k < w->node->out_count ? dt_ox_map_find(&w->values, w->node->out[k]) : NULL;
    int64_t left[DT_OX_RANK];
    int rank = 0;
    if (!v) return DT_OK;
    dt_ox_order o = dt_ox_order_of(w, v);
    for (int i = 0; i < v->rank; i++)
        if (i != dim) left[rank++] = v->dim[i];
    for (int i = 0; i < o.parts; i++) {
        if (o.part[i].dim == dim) return dt_ox_refuse(w, "it takes the batch apart");
        o.part[i].dim -= o.part[i].dim > dim;
    }
    return dt_ox_set_order(w, k, v, &o, rank, left);
}
