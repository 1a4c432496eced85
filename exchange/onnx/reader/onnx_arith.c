/* Arithmetic on values. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_arith.h"

#include <math.h>
#include <string.h>

#include "autograd/op_powers.h"
#include "exchange/onnx/reader/onnx_remap.h"
#include "exchange/onnx/reader/onnx_spread.h"

/* ---- a value and a number ---- */

static dt_status affine(dt_ox_walk *w, const dt_ox_value *v, double factor, double shift)
{
    const dt_affine_conf c = { factor, shift };
    return dt_ox_set_like(w, dt_part_node(w->b, "affine", w->layer, &c, &v->value, 1), v);
}

/* 1 / x, as "<layer>.inverse". */
static int inverse(dt_ox_walk *w, int x)
{
    const dt_power_conf c = { -1 };
    return dt_part_node(w->b, "power", dt_layer_name(w->b, "%s.inverse", w->layer), &c, &x, 1);
}

/* What is in another order is multiplied where something reads it: products of two values take the
 * factor with them. */
static bool waits(const dt_ox_value *v)
{
    return v->order && !v->padded;
}

static dt_status with_number(dt_ox_walk *w, dt_ox_arith op, int k, double c)
{
    const dt_ox_value *v = dt_ox_input(w, k);
    bool behind = k == 0; /* v op c */
    if ((op == DT_OX_MUL || (op == DT_OX_DIV && behind)) && waits(v)) {
        dt_ox_value out = *v;
        out.factor = (v->factor ? v->factor : 1) * (op == DT_OX_MUL ? c : 1 / c);
        if (!isfinite(out.factor) || out.factor == 0)
            return dt_ox_refuse(w, "it multiplies by %g", out.factor);
        return dt_ox_set(w, 0, &out);
    }
    DT_TRY(dt_ox_need_elements(w, k, &v));
    if ((op == DT_OX_ADD || op == DT_OX_SUB) && c == 0 && behind) return dt_ox_set(w, 0, v);
    if ((op == DT_OX_MUL || op == DT_OX_DIV) && c == 1 && behind) return dt_ox_set(w, 0, v);
    if (op == DT_OX_DIV && !behind) {
        dt_ox_value by = *v;
        by.value = inverse(w, v->value);
        return affine(w, &by, c, 0);
    }
    if (!isfinite(op == DT_OX_DIV ? 1 / c : c)) return dt_ox_refuse(w, "its constant is %g", c);
    if (op == DT_OX_MUL || op == DT_OX_DIV) return affine(w, v, op == DT_OX_MUL ? c : 1 / c, 0);
    return affine(w, v, op == DT_OX_SUB && !behind ? -1 : 1, op == DT_OX_SUB && behind ? -c : c);
}

/* ---- a value and a constant ---- */

/* Dimension i of v is dimension i - (v->rank - t->rank) of a constant beside it. */
static int64_t beside(const dt_ox_value *v, const dt_ox_tensor *t, int i)
{
    int k = i - (v->rank - t->rank);
    return k < 0 ? 1 : t->dim[k];
}

/* Does the constant have the size of v, or 1, everywhere; and where has it more? */
static dt_status check_sizes(dt_ox_walk *w, const dt_ox_value *v, const dt_ox_tensor *t,
                             bool *out_last_alone)
{
    *out_last_alone = true;
    for (int i = t->rank - v->rank; i > 0; i--)
        if (t->dim[i - 1] != 1)
            return dt_ox_refuse(w, "its constant has more dimensions than its value");
    for (int i = 0; i < v->rank; i++) {
        int64_t n = beside(v, t, i);
        if (n != 1 && n != v->dim[i])
            return dt_ox_refuse(w,
                                "its constant has %lld elements along dimension %d, its value "
                                "%lld",
                                (long long)n, i, (long long)v->dim[i]);
        if (n != 1 && i + 1 < v->rank) *out_last_alone = false;
    }
    return DT_OK;
}

/* turn[]: the constant's axes along the last axes of v; *out_rank of them. False: it varies along
 * others, or along parts of axes. */
static bool is_last_axes(const dt_ox_walk *w, const dt_ox_value *v, const dt_ox_tensor *t,
                         int *turn, int *out_rank)
{
    if (v->order) return false;
    int rank = dt_ox_shape(w, v)->rank, at[DT_MAX_RANK], first = rank;
    for (int a = 0; a < rank; a++)
        at[a] = -1;
    for (int i = 0; i < v->rank; i++)
        if (beside(v, t, i) != 1 && v->axis[i] >= 0) at[v->axis[i]] = i - (v->rank - t->rank);
    for (int a = rank - 1; a > 0 && at[a] >= 0; a--)
        first = a;
    for (int a = 0; a < first; a++)
        if (at[a] >= 0) return false;
    for (int a = first; a < rank; a++)
        turn[a - first] = at[a];
    *out_rank = rank - first;
    return true;
}

/* The constant, or its negative or inverse. */
static const dt_ox_tensor *turned_round(dt_ox_walk *w, dt_ox_arith op, const dt_ox_tensor *t)
{
    if (op == DT_OX_ADD || op == DT_OX_MUL) return t;
    dt_ox_tensor *to = dt_ox_make(w, false, t->rank, t->dim);
    for (int64_t i = 0; to && i < t->count; i++)
        to->x[i] = op == DT_OX_SUB ? -t->x[i] : 1 / t->x[i];
    return to;
}

static dt_status with_constant(dt_ox_walk *w, dt_ox_arith op, int k, const dt_ox_tensor *t)
{
    const dt_ox_value *v = dt_ox_input(w, k);
    bool rows, scales = op == DT_OX_MUL || op == DT_OX_DIV;
    int turn[DT_OX_RANK] = { 0 }, rank = 0;
    dt_ox_tensor *spread;
    DT_TRY(check_sizes(w, v, t, &rows));
    if (rows && v->rank > 1 && (v->order || v->rank == 3))
        DT_TRY(dt_ox_need_rows(w, k, &v));
    else
        DT_TRY(dt_ox_need_elements(w, k, &v));
    if (rows && v->order) {
        rank = 1;
        turn[0] = t->rank - 1;
    } else if (!is_last_axes(w, v, t, turn, &rank)) {
        DT_TRY(dt_ox_spread(w, v, t, &spread));
        t = spread;
        for (rank = 0; rank < t->rank; rank++)
            turn[rank] = rank;
    }
    dt_ox_value x = *v;
    if (op == DT_OX_DIV && k == 1) x.value = inverse(w, v->value);
    if (op == DT_OX_SUB && k == 1)
        x.value =
            dt_part_node(w->b, "neg", dt_layer_name(w->b, "%s.neg", w->layer), NULL, &v->value, 1);
    t = k == 0 ? turned_round(w, op, t) : t;
    DT_TRY(dt_ox_made(w, t));
    for (int64_t i = 0; i < t->count; i++)
        if (!isfinite(t->x[i])) return dt_ox_refuse(w, "its constant has a number of no use");
    const dt_value kind = { .kind = DT_VALUE_PARAM, .role = scales ? DT_ROLE_NORM : DT_ROLE_BIAS };
    int in[] = { x.value,
                 dt_ox_param_alike(w, w->layer, scales ? "weight" : "bias", t, turn, rank, kind) };
    return dt_ox_set_like(w, dt_part_node(w->b, scales ? "scale" : "shift", w->layer, NULL, in, 2),
                          v);
}

/* ---- two values ---- */

/* Rows [N,C] that the file has as [N,C,1,1] beside a picture of as many channels. */
static bool is_factor(const dt_ox_walk *w, const dt_ox_value *rows, const dt_ox_value *picture)
{
    return rows->rank == 4 && dt_ox_is_rows(w, rows) && dt_ox_is_picture(w, picture) &&
           rows->dim[1] == picture->dim[1];
}

static bool same_order(const dt_ox_walk *w, const dt_ox_value *a, const dt_ox_value *b)
{
    bool same = a->order && b->order && !a->factor && !b->factor && a->rank == b->rank &&
                a->order->parts == b->order->parts &&
                dt_shape_equal(dt_ox_shape(w, a), dt_ox_shape(w, b));
    for (int i = 0; same && i < a->order->parts; i++) {
        const dt_ox_part *p = &a->order->part[i], *q = &b->order->part[i];
        same = p->axis == q->axis && p->dim == q->dim && p->count == q->count && p->step == q->step;
    }
    return same;
}

/* Both operands, with axes in one order where that can be had. */
static dt_status need_pair(dt_ox_walk *w, const dt_ox_value **a, const dt_ox_value **b)
{
    DT_TRY(dt_ox_need_elements(w, 0, a));
    DT_TRY(dt_ox_need_elements(w, 1, b));
    if (same_order(w, *a, *b)) return DT_OK;
    DT_TRY(dt_ox_need_value(w, 0, a));
    DT_TRY(dt_ox_need_value(w, 1, b));
    DT_TRY(dt_ox_need_value(w, 0, a)); /* both may be one name */
    bool sizes = (*a)->rank == (*b)->rank;
    for (int i = 0; sizes && i < (*a)->rank; i++)
        sizes = (*a)->dim[i] == (*b)->dim[i];
    if (!sizes || dt_ox_is_alike(w, *a, *b)) return DT_OK;
    if (is_factor(w, *a, *b)) return dt_ox_need_pixels(w, 0, a);
    if (is_factor(w, *b, *a)) return dt_ox_need_pixels(w, 1, b);
    int last = -1;
    for (int i = 0; i < (*a)->rank; i++)
        if ((*a)->axis[i] == dt_ox_shape(w, *a)->rank - 1) last = i;
    return last < 1 ? DT_OK : dt_ox_settle(w, w->node->in[1], last, b);
}

static int64_t elements(const dt_ox_value *v)
{
    int64_t n = 1;
    for (int i = 0; i < v->rank; i++)
        n *= v->dim[i];
    return n;
}

/* Operands of as many dimensions whose axes lie otherwise, or of which one has one element where
 * the other has more: it is moved, and repeated. */
static dt_status repeat(dt_ox_walk *w, const dt_ox_value **a, const dt_ox_value **b)
{
    bool fits = (*a)->rank == (*b)->rank, more = false, less = false;
    for (int i = 0; fits && i < (*a)->rank; i++) {
        int64_t n = (*a)->dim[i], m = (*b)->dim[i];
        fits = n == m || n == 1 || m == 1;
        more = more || n > m;
        less = less || m > n;
    }
    if (!fits || dt_ox_is_alike(w, *a, *b) || (*a)->order || (*b)->order) return DT_OK;
    if (more && less && (*a)->rank == 4) { /* [N,C,1,1] beside [N,1,H,W] */
        DT_TRY(dt_ox_need_pixels(w, 0, a));
        DT_TRY(dt_ox_need_pixels(w, 1, b));
    }
    const char *name = dt_layer_name(w->b, "%s.repeated", w->layer);
    bool first = elements(*a) < elements(*b); /* the smaller one has the other's order of axes */
    const dt_ox_value **small = first ? a : b, **large = first ? b : a;
    DT_TRY(dt_ox_repeat_like(w, w->node->in[first ? 0 : 1], *large, name, small));
    if (more && less) DT_TRY(dt_ox_repeat_like(w, w->node->in[first ? 1 : 0], *small, name, large));
    return DT_OK;
}

static dt_status two_values(dt_ox_walk *w, dt_ox_arith op)
{
    const dt_ox_value *a, *b;
    DT_TRY(need_pair(w, &a, &b));
    bool scales = op == DT_OX_MUL || op == DT_OX_DIV;
    if (!scales || (!is_factor(w, a, b) && !is_factor(w, b, a))) DT_TRY(repeat(w, &a, &b));
    bool turned = scales && is_factor(w, a, b);
    if (turned) {
        const dt_ox_value *rows = a;
        a = b;
        b = rows;
    }
    bool alike = (a->order && same_order(w, a, b)) || dt_ox_is_alike(w, a, b);
    bool factor = scales && is_factor(w, b, a);
    if (!alike && !factor)
        return dt_ox_refuse(w, "its operands have other shapes or orders of axes; equal ones are "
                               "read, and ones of as many dimensions that are 1 here or there");
    int x = a->value, y = b->value;
    if (op == DT_OX_DIV && !turned) y = inverse(w, y);
    if (op == DT_OX_DIV && turned) x = inverse(w, x);
    if (op == DT_OX_SUB)
        y = dt_part_node(w->b, "neg", dt_layer_name(w->b, "%s.neg", w->layer), NULL, &y, 1);
    DT_TRY(dt_ox_built(w));
    if (op == DT_OX_ADD || op == DT_OX_SUB)
        return dt_ox_set_like(w, dt_layer_add(w->b, w->layer, x, y), a);
    return dt_ox_set_like(w, dt_part_node(w->b, "mul", w->layer, NULL, (int[]){ x, y }, 2), a);
}

dt_status dt_ox_build_arith(dt_ox_walk *w, dt_ox_arith op)
{
    const dt_ox_value *a, *b;
    const dt_ox_tensor *t;
    DT_TRY(dt_ox_need(w, 0, &a));
    DT_TRY(dt_ox_need(w, 1, &b));
    if (!a->constant && !b->constant) return two_values(w, op);
    int k = a->constant ? 1 : 0; /* the value */
    DT_TRY(dt_ox_reals(w, 1 - k, &t));
    const dt_ox_value *v = k ? b : a;
    if (t->count == 1 && t->rank <= v->rank) return with_number(w, op, k, (double)t->x[0]);
    return with_constant(w, op, k, t);
}

dt_status dt_ox_build_power(dt_ox_walk *w)
{
    const dt_ox_value *v;
    const dt_ox_tensor *t;
    DT_TRY(dt_ox_reals(w, 1, &t));
    DT_TRY(dt_ox_need_elements(w, 0, &v));
    double e = t && t->count == 1 ? (double)t->x[0] : 0;
    if (e == 0.5)
        return dt_ox_set_like(w, dt_part_node(w->b, "sqrt", w->layer, NULL, &v->value, 1), v);
    if (!t || t->count != 1 || e != floor(e) || e == 0 || fabs(e) > DT_POWER_MOST)
        return dt_ox_refuse(w, "its exponent is not one whole number from -%d to %d, not 0, or 0.5",
                            DT_POWER_MOST, DT_POWER_MOST);
    if (e == 1) return dt_ox_set(w, 0, v);
    const dt_power_conf c = { e };
    return dt_ox_set_like(w, dt_part_node(w->b, "power", w->layer, &c, &v->value, 1), v);
}
