/* Constants in the order of values. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_spread.h"

/* Where the constant's elements are found. */
typedef struct spread {
    dt_ox_order order;
    const dt_shape *shape;      /* the engine's */
    int64_t step[DT_OX_RANK];   /* of the constant, by dimension of the value; 0: it has 1 there */
    int64_t inner[DT_OX_PARTS]; /* of a dimension: what its parts behind this one are together */
    int first;                  /* axis that varies first */
    int64_t period;             /* after which that repeats itself */
} spread;

static int64_t size_beside(const dt_ox_value *v, const dt_ox_tensor *t, int i)
{
    int k = i - (v->rank - t->rank);
    return k < 0 ? 1 : t->dim[k];
}

static void find_steps(const dt_ox_value *v, const dt_ox_tensor *t, spread *s)
{
    int64_t step = 1;
    for (int i = v->rank; i-- > 0;) {
        int64_t n = size_beside(v, t, i);
        s->step[i] = n == 1 ? 0 : step;
        step *= n;
    }
    for (int k = s->order.parts; k-- > 0;) {
        const dt_ox_part *p = &s->order.part[k];
        s->inner[k] = 1;
        for (int j = k + 1; j < s->order.parts; j++)
            if (s->order.part[j].dim == p->dim) s->inner[k] *= s->order.part[j].count;
    }
}

static dt_status find_first(dt_ox_walk *w, spread *s)
{
    s->first = s->shape->rank;
    s->period = 1;
    for (int k = 0; k < s->order.parts; k++) {
        const dt_ox_part *p = &s->order.part[k];
        if (!s->step[p->dim]) continue;
        if (p->axis == 0)
            return dt_ox_refuse(w, "its constant varies along dimension %d, the samples", p->dim);
        if (p->axis < s->first) s->period = 1;
        if (p->axis <= s->first && p->step * p->count > s->period) s->period = p->step * p->count;
        if (p->axis < s->first) s->first = p->axis;
    }
    return s->first < s->shape->rank ? DT_OK : dt_ox_refuse(w, "its constant does not vary");
}

/* The constant's element for one place of the last axes. */
static int64_t element_of(const spread *s, const int64_t *at)
{
    int64_t from = 0;
    for (int k = 0; k < s->order.parts; k++) {
        const dt_ox_part *p = &s->order.part[k];
        if (!s->step[p->dim]) continue;
        from += at[p->axis] / p->step % p->count * s->inner[k] * s->step[p->dim];
    }
    return from;
}

dt_status dt_ox_spread(dt_ox_walk *w, const dt_ox_value *v, const dt_ox_tensor *t,
                       dt_ox_tensor **out)
{
    spread s = { .order = dt_ox_order_of(w, v), .shape = dt_ox_shape(w, v) };
    int64_t dim[DT_MAX_RANK], at[DT_MAX_RANK];
    find_steps(v, t, &s);
    DT_TRY(find_first(w, &s));
    const int rank = s.shape->rank - s.first;
    for (int i = 0; i < rank; i++)
        dim[i] = i == 0 ? s.period : s.shape->dim[s.first + i];
    *out = dt_ox_make(w, false, rank, dim);
    DT_TRY(dt_ox_made(w, *out));
    for (int64_t e = 0; e < (*out)->count; e++) {
        int64_t left = e;
        for (int i = rank; i-- > 0; left /= dim[i])
            at[s.first + i] = left % dim[i];
        (*out)->x[e] = t->x[element_of(&s, at)];
    }
    return DT_OK;
}
