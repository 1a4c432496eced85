/* What rows share that fold constants. Computed ones are small: shapes, paddings, indices. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_FOLD_H
#define DT_EXCHANGE_ONNX_READER_ONNX_FOLD_H

#include "exchange/onnx/reader/onnx_ops.h"

/* Elements of a computed constant, and of all of a file: few bytes of one must not take all memory.
 */
enum { DT_OX_FOLDED = 1 << 22, DT_OX_FOLDED_ALL = 1 << 26 };

/* A constant of zeros; NULL: failed, dt_ox_made tells. */
dt_ox_tensor *dt_ox_make(dt_ox_walk *w, bool whole, int rank, const int64_t *dim);
/* DT_OK, or why there is no constant. */
dt_status dt_ox_made(dt_ox_walk *w, const dt_ox_tensor *t);
/* Element from of a to element to of b, which are of one kind. */
static inline void dt_ox_move(const dt_ox_tensor *a, int64_t from, dt_ox_tensor *b, int64_t to)
{
    if (a->whole)
        b->n[to] = a->n[from];
    else
        b->x[to] = a->x[from];
}

/* Elements before and behind an axis. */
int64_t dt_ox_outer(const dt_ox_tensor *t, int axis);
int64_t dt_ox_inner(const dt_ox_tensor *t, int axis);

/* A window of t: in each dimension `count` elements from `first` on, `step` apart (step may be
 * negative); its axes in the order `turn` (NULL: as they are). The caller has checked that they are
 * inside. */
typedef struct dt_ox_window {
    int64_t first[DT_OX_RANK], step[DT_OX_RANK], count[DT_OX_RANK];
} dt_ox_window;
dt_status dt_ox_cut(dt_ox_walk *w, const dt_ox_tensor *t, const dt_ox_window *at, const int *turn,
                    dt_ox_tensor **out) DT_MUST_CHECK;

#endif
