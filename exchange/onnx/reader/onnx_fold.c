/* Folding constants. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_fold.h"

dt_ox_tensor *dt_ox_make(dt_ox_walk *w, bool whole, int rank, const int64_t *dim)
{
    int64_t left = DT_OX_FOLDED_ALL - w->folded, most = left < DT_OX_FOLDED ? left : DT_OX_FOLDED;
    dt_ox_tensor *t = dt_ox_tensor_new(w->file->arena, whole, rank, dim, most, NULL);
    if (t) w->folded += t->count;
    return t;
}

dt_status dt_ox_made(dt_ox_walk *w, const dt_ox_tensor *t)
{
    if (t) return DT_OK;
    return dt_ox_refuse(w,
                        "it makes a constant of a negative size, of more than %d elements, or with "
                        "those before it of more than %d",
                        DT_OX_FOLDED, DT_OX_FOLDED_ALL);
}

int64_t dt_ox_outer(const dt_ox_tensor *t, int axis)
{
    int64_t n = 1;
    for (int i = 0; i < axis; i++)
        n *= t->dim[i];
    return n;
}

int64_t dt_ox_inner(const dt_ox_tensor *t, int axis)
{
    int64_t n = 1;
    for (int i = axis + 1; i < t->rank; i++)
        n *= t->dim[i];
    return n;
}

dt_status dt_ox_cut(dt_ox_walk *w, const dt_ox_tensor *t, const dt_ox_window *c, const int *turn,
                    dt_ox_tensor **out)
{
    int64_t dim[DT_OX_RANK] = { 0 }, step[DT_OX_RANK] = { 0 }, at[DT_OX_RANK] = { 0 }, from = 0;
    for (int j = 0; j < t->rank; j++) {
        int i = turn ? turn[j] : j;
        dim[j] = c->count[i];
        step[j] = dt_ox_inner(t, i) * c->step[i];
        from += dt_ox_inner(t, i) * c->first[i];
    }
    *out = dt_ox_make(w, t->whole, t->rank, dim);
    DT_TRY(dt_ox_made(w, *out));
    (*out)->low = t->low;
    (*out)->high = t->high;
    (*out)->wide = t->wide;
    for (int64_t i = 0; i < (*out)->count; i++) {
        dt_ox_move(t, from, *out, i);
        for (int j = t->rank; j-- > 0;) {
            from += step[j];
            if (++at[j] < dim[j]) break;
            from -= step[j] * at[j];
            at[j] = 0;
        }
    }
    return DT_OK;
}
