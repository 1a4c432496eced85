/* Reshape, Flatten, Squeeze, Unsqueeze: of constants; of values, which they give another order. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "exchange/onnx/reader/onnx_fold.h"
#include "exchange/onnx/reader/onnx_grid.h"
#include "exchange/onnx/reader/onnx_order.h"

/* Dimensions that the node gives to something of `rank` and `dim`. */
typedef dt_status sizes_fn(dt_ox_walk *w, int rank, const int64_t *dim, int *out_rank,
                           int64_t *out);

static dt_status reshape_sizes(dt_ox_walk *w, int rank, const int64_t *dim, int *out_rank,
                               int64_t *out)
{
    const int64_t *to;
    int count, open = -1;
    int64_t all = 1, known = 1, sizes = 1; /* sizes: without those of 0 */
    bool zero_is_zero = dt_ox_int(w->node, "allowzero", 0) != 0;
    DT_TRY(dt_ox_list(w, "shape", 1, &to, &count));
    if (count < 0 || count > DT_OX_RANK)
        return dt_ox_refuse(w, "its shape is no list of at most 8");
    for (int i = 0; i < rank; i++)
        all *= dim[i];
    for (int i = 0; i < count; i++) {
        out[i] = to[i] == 0 && !zero_is_zero && i < rank ? dim[i] : to[i];
        if (out[i] == -1 && open < 0) {
            open = i;
            continue;
        }
        if (out[i] < 0 || (out[i] > 0 && sizes > INT64_MAX / out[i]))
            return dt_ox_refuse(w, "its shape has %lld", (long long)to[i]);
        known *= out[i];
        sizes *= out[i] ? out[i] : 1;
    }
    if (open >= 0) out[open] = known > 0 && all % known == 0 ? all / known : -1;
    if (open >= 0 && out[open] > 0) known *= out[open];
    if (known != all || (open >= 0 && out[open] < 0))
        return dt_ox_refuse(w, "its shape does not hold %lld elements", (long long)all);
    *out_rank = count;
    return DT_OK;
}

static dt_status flatten_sizes(dt_ox_walk *w, int rank, const int64_t *dim, int *out_rank,
                               int64_t *out)
{
    int64_t axis = dt_ox_int(w->node, "axis", 1);
    if (axis < 0) axis += rank;
    if (axis < 0 || axis > rank) return dt_ox_refuse(w, "its axis is outside of %d", rank);
    out[0] = out[1] = 1;
    for (int i = 0; i < rank; i++)
        out[i < axis ? 0 : 1] *= dim[i];
    *out_rank = 2;
    return DT_OK;
}

/* gone[i]: dimension i, of 1, is taken away. */
static dt_status find_gone(dt_ox_walk *w, int rank, const int64_t *dim, bool *gone)
{
    int axis[DT_OX_RANK], count;
    DT_TRY(dt_ox_axes(w, "axes", 1, rank, axis, &count));
    for (int i = 0; i < rank; i++) {
        gone[i] = count < 0 && dim[i] == 1;
        for (int k = 0; k < count; k++)
            gone[i] = gone[i] || axis[k] == i;
        if (gone[i] && dim[i] != 1)
            return dt_ox_refuse(w, "dimension %d is %lld, not 1", i, (long long)dim[i]);
    }
    return DT_OK;
}

/* is_new[i]: dimension i of the result, which has *out_rank, is a new one of 1. */
static dt_status find_new(dt_ox_walk *w, int rank, bool *is_new, int *out_rank)
{
    const int64_t *list;
    int count;
    DT_TRY(dt_ox_list(w, "axes", 1, &list, &count));
    if (count < 0 || rank + count > DT_OX_RANK)
        return dt_ox_refuse(w, "its axes are not there, or more than 8");
    for (int k = 0; k < count; k++) {
        int axis;
        DT_TRY(dt_ox_axis(w, list[k], rank + count, &axis));
        if (is_new[axis]) return dt_ox_refuse(w, "an axis comes twice");
        is_new[axis] = true;
    }
    *out_rank = rank + count;
    return DT_OK;
}

static dt_status squeeze_sizes(dt_ox_walk *w, int rank, const int64_t *dim, int *out_rank,
                               int64_t *out)
{
    bool gone[DT_OX_RANK];
    DT_TRY(find_gone(w, rank, dim, gone));
    *out_rank = 0;
    for (int i = 0; i < rank; i++)
        if (!gone[i]) out[(*out_rank)++] = dim[i];
    return DT_OK;
}

static dt_status unsqueeze_sizes(dt_ox_walk *w, int rank, const int64_t *dim, int *out_rank,
                                 int64_t *out)
{
    bool is_new[DT_OX_RANK] = { false };
    DT_TRY(find_new(w, rank, is_new, out_rank));
    for (int i = 0, at = 0; i < *out_rank; i++)
        out[i] = is_new[i] ? 1 : dim[at++];
    return DT_OK;
}

/* The same elements with other dimensions. */
static void set_sizes(dt_ox_tensor *to, const dt_ox_tensor *t, int rank, const int64_t *dim)
{
    *to = *t;
    to->rank = rank;
    memcpy(to->dim, dim, (size_t)rank * sizeof *dim);
}

/* What was rounded gets the same dimensions, and scales of an axis follow it. */
static dt_status reshape_codes(dt_ox_walk *w, const dt_ox_tensor *t, dt_ox_tensor *to)
{
    int axis = 0;
    if (t->latent) {
        dt_ox_tensor *latent = dt_arena_get(w->file->arena, sizeof *latent);
        if (!latent) return dt_ox_no_memory(w);
        set_sizes(latent, t->latent, to->rank, to->dim);
        to->latent = latent;
    }
    if (!t->grid || t->grid->axis < 0) return DT_OK;
    int64_t outer = dt_ox_outer(t, t->grid->axis), size = t->dim[t->grid->axis];
    while (axis < to->rank && (dt_ox_outer(to, axis) != outer || to->dim[axis] != size))
        axis++;
    if (axis == to->rank)
        return dt_ox_refuse(w, "it joins or splits the axis that its input has scales along");
    dt_ox_grid *g = dt_arena_get(w->file->arena, sizeof *g);
    if (!g) return dt_ox_no_memory(w);
    *g = *t->grid;
    g->axis = axis;
    to->grid = g;
    return DT_OK;
}

static dt_status fold(dt_ox_walk *w, sizes_fn *sizes, dt_ox_tensor **out)
{
    const dt_ox_tensor *t = dt_ox_input(w, 0)->constant;
    int rank;
    int64_t dim[DT_OX_RANK];
    DT_TRY(sizes(w, t->rank, t->dim, &rank, dim));
    out[0] = dt_arena_get(w->file->arena, sizeof *t);
    if (!out[0]) return dt_ox_no_memory(w);
    set_sizes(out[0], t, rank, dim);
    return reshape_codes(w, t, out[0]);
}

static dt_status need_unpadded(dt_ox_walk *w, const dt_ox_value **v)
{
    DT_TRY(dt_ox_need(w, 0, v));
    return (*v)->padded ? dt_ox_need_value(w, 0, v) : DT_OK;
}

/* Of a value: parts of its axes become its dimensions; where that cannot be said, its elements are
 * put along one axis first. */
static dt_status build(dt_ox_walk *w, sizes_fn *sizes)
{
    const dt_ox_value *v;
    dt_ox_value flat;
    int rank;
    int64_t dim[DT_OX_RANK];
    DT_TRY(need_unpadded(w, &v));
    DT_TRY(sizes(w, v->rank, v->dim, &rank, dim));
    dt_ox_order o = dt_ox_order_of(w, v);
    if (!dt_ox_order_reshape(&o, rank, dim)) {
        DT_TRY(dt_ox_settle_flat(w, v, &flat));
        v = &flat;
        o = dt_ox_order_of(w, v);
        if (!dt_ox_order_reshape(&o, rank, dim))
            return dt_ox_refuse(w, "it gives more than %d dimensions that it splits", DT_OX_PARTS);
    }
    return dt_ox_set_order(w, 0, v, &o, rank, dim);
}

/* Dimension i becomes where[i] of `rank`; those that go have one element or are the batch. */
static dt_status set_places(dt_ox_walk *w, const dt_ox_value *v, const int *where, int rank,
                            const int64_t *dim)
{
    dt_ox_order o = dt_ox_order_of(w, v);
    for (int k = 0; k < o.parts; k++)
        o.part[k].dim = where[o.part[k].dim];
    return dt_ox_set_order(w, 0, v, &o, rank, dim);
}

/* Is dimension i the batch's? That is 1 in the walk alone. */
static bool is_batch(const dt_ox_walk *w, const dt_ox_value *v, int i)
{
    const dt_ox_order o = dt_ox_order_of(w, v);
    for (int k = 0; k < o.parts; k++)
        if (o.part[k].axis == 0 && o.part[k].dim == i) return true;
    return false;
}

static dt_status build_squeeze(dt_ox_walk *w)
{
    const dt_ox_value *v;
    bool gone[DT_OX_RANK];
    int where[DT_OX_RANK], rank = 0;
    int64_t dim[DT_OX_RANK];
    DT_TRY(need_unpadded(w, &v));
    DT_TRY(find_gone(w, v->rank, v->dim, gone));
    for (int i = 0; i < v->rank; i++) {
        if (gone[i] && is_batch(w, v, i))
            return dt_ox_refuse(w, "dimension %d is the batch, which stays", i);
        where[i] = rank;
        if (!gone[i]) dim[rank++] = v->dim[i];
    }
    return set_places(w, v, where, rank, dim);
}

static dt_status build_unsqueeze(dt_ox_walk *w)
{
    const dt_ox_value *v;
    bool is_new[DT_OX_RANK] = { false };
    int where[DT_OX_RANK], rank, at = 0;
    int64_t dim[DT_OX_RANK];
    DT_TRY(need_unpadded(w, &v));
    DT_TRY(find_new(w, v->rank, is_new, &rank));
    for (int i = 0; i < rank; i++) {
        dim[i] = is_new[i] ? 1 : v->dim[at];
        if (!is_new[i]) where[at++] = i;
    }
    return set_places(w, v, where, rank, dim);
}

#define FOLD(title)                                                                                \
    static dt_status fold_##title(dt_ox_walk *w, dt_ox_tensor **out)                               \
    {                                                                                              \
        return fold(w, title##_sizes, out);                                                        \
    }
#define BUILD(title)                                                                               \
    static dt_status build_##title(dt_ox_walk *w)                                                  \
    {                                                                                              \
        return build(w, title##_sizes);                                                            \
    }
FOLD(reshape)
FOLD(flatten)
FOLD(squeeze)
FOLD(unsqueeze)
BUILD(reshape)
BUILD(flatten)

const dt_ox_op dt_ox_op_Reshape = { .name = "Reshape",
                                    .in_min = 1,
                                    .in_max = 2,
                                    .fold = fold_reshape,
                                    .build = build_reshape,
                                    .moves = true };
const dt_ox_op dt_ox_op_Flatten = { .name = "Flatten",
                                    .in_min = 1,
                                    .in_max = 1,
                                    .fold = fold_flatten,
                                    .build = build_flatten,
                                    .moves = true };
const dt_ox_op dt_ox_op_Squeeze = { .name = "Squeeze",
                                    .in_min = 1,
                                    .in_max = 2,
                                    .fold = fold_squeeze,
                                    .build = build_squeeze,
                                    .moves = true };
const dt_ox_op dt_ox_op_Unsqueeze = { .name = "Unsqueeze",
                                      .in_min = 1,
                                      .in_max = 2,
                                      .fold = fold_unsqueeze,
                                      .build = build_unsqueeze,
                                      .moves = true };
