/* Cast: of constants to real or whole numbers; of values to float32, which they are. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "exchange/onnx/reader/onnx_fold.h"

enum { TO_FLOAT = 1, TO_BOOL = 9, TO_HALF = 10, TO_DOUBLE = 11, TO_BFLOAT = 16 };

static bool is_real(int64_t type)
{
    return type == TO_FLOAT || type == TO_HALF || type == TO_DOUBLE || type == TO_BFLOAT;
}

static dt_status fold(dt_ox_walk *w, dt_ox_tensor **out)
{
    const dt_ox_tensor *t = dt_ox_input(w, 0)->constant;
    int64_t to = dt_ox_int(w->node, "to", 0);
    out[0] = dt_ox_make(w, !is_real(to), t->rank, t->dim);
    DT_TRY(dt_ox_made(w, out[0]));
    for (int64_t i = 0; i < t->count; i++) {
        if (t->whole == out[0]->whole) dt_ox_move(t, i, out[0], i);
        if (t->whole && is_real(to)) out[0]->x[i] = (float)t->n[i];
        if (t->whole || is_real(to)) continue;
        if (!(fabsf(t->x[i]) < 9e18f)) return dt_ox_refuse(w, "a number that no integer holds");
        out[0]->n[i] = (int64_t)t->x[i];
    }
    for (int64_t i = 0; to == TO_BOOL && i < t->count; i++)
        out[0]->n[i] = t->whole ? t->n[i] != 0 : t->x[i] != 0;
    return DT_OK;
}

static dt_status build(dt_ox_walk *w)
{
    const dt_ox_value *v;
    DT_TRY(dt_ox_need(w, 0, &v));
    if (!is_real(dt_ox_int(w->node, "to", 0)))
        return dt_ox_refuse(w, "values are real numbers; they are not made whole");
    return dt_ox_set(w, 0, v);
}

const dt_ox_op dt_ox_op_Cast = {
    .name = "Cast", .in_min = 1, .in_max = 1, .fold = fold, .build = build
};
