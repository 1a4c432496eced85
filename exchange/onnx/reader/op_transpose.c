/* Transpose: of constants; of values, which it gives another order. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_fold.h"
#include "exchange/onnx/reader/onnx_grid.h"
#include "exchange/onnx/reader/onnx_order.h"

/* The order of axes; without one they are turned round. */
static dt_status order(dt_ox_walk *w, int rank, int *out)
{
    const int64_t *perm;
    int count;
    bool seen[DT_OX_RANK] = { false };
    DT_TRY(dt_ox_list(w, "perm", -1, &perm, &count));
    if (count >= 0 && count != rank) return dt_ox_refuse(w, "'perm' is not of %d axes", rank);
    for (int i = 0; i < rank; i++) {
        DT_TRY(dt_ox_axis(w, count < 0 ? rank - 1 - i : perm[i], rank, &out[i]));
        if (seen[out[i]]) return dt_ox_refuse(w, "'perm' has an axis twice");
        seen[out[i]] = true;
    }
    return DT_OK;
}

static dt_status fold(dt_ox_walk *w, dt_ox_tensor **out)
{
    const dt_ox_tensor *t = dt_ox_input(w, 0)->constant;
    int turn[DT_OX_RANK];
    dt_ox_window all;
    DT_TRY(order(w, t->rank, turn));
    for (int i = 0; i < t->rank; i++) {
        all.first[i] = 0;
        all.step[i] = 1;
        all.count[i] = t->dim[i];
    }
    DT_TRY(dt_ox_cut(w, t, &all, turn, out));
    if (!t->grid || t->whole) return DT_OK;
    dt_ox_grid *g = dt_arena_get(w->file->arena, sizeof *g);
    dt_ox_tensor *latent = NULL;
    if (!g) return dt_ox_no_memory(w);
    *g = *t->grid;
    for (int j = 0; t->grid->axis >= 0 && j < t->rank; j++)
        if (turn[j] == t->grid->axis) g->axis = j;
    if (t->latent) DT_TRY(dt_ox_cut(w, t->latent, &all, turn, &latent));
    out[0]->grid = g;
    out[0]->latent = latent;
    return DT_OK;
}

static dt_status build(dt_ox_walk *w)
{
    const dt_ox_value *v;
    int turn[DT_OX_RANK], parts = 0;
    int64_t dim[DT_OX_RANK];
    DT_TRY(dt_ox_need(w, 0, &v));
    if (v->padded) DT_TRY(dt_ox_need_value(w, 0, &v));
    DT_TRY(order(w, v->rank, turn));
    const dt_ox_order from = dt_ox_order_of(w, v);
    dt_ox_order o = from;
    for (int i = 0; i < v->rank; i++) {
        dim[i] = v->dim[turn[i]];
        for (int k = 0; k < from.parts; k++) {
            if (from.part[k].dim != turn[i]) continue;
            o.part[parts] = from.part[k];
            o.part[parts++].dim = i;
        }
    }
    return dt_ox_set_order(w, 0, v, &o, v->rank, dim);
}

const dt_ox_op dt_ox_op_Transpose = {
    .name = "Transpose", .in_min = 1, .in_max = 1, .fold = fold, .build = build, .moves = true
};
