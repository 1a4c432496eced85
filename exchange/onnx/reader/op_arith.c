/* Add, Sub, Mul, Div: of constants with broadcasting; Add of two values; Mul of two, one of which
 * may be a factor for each channel. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_fold.h"

typedef enum arith { ADD, SUB, MUL, DIV } arith;

/* The dimensions of a result, and the steps with which an operand is read. */
static bool broadcast(const dt_ox_tensor *a, const dt_ox_tensor *b, int *rank, int64_t *dim)
{
    *rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 0; i < *rank; i++) {
        int ia = i - (*rank - a->rank), ib = i - (*rank - b->rank);
        int64_t da = ia < 0 ? 1 : a->dim[ia], db = ib < 0 ? 1 : b->dim[ib];
        if (da != db && da != 1 && db != 1) return false;
        dim[i] = da == 1 ? db : da;
    }
    return true;
}

/* The element of an operand for element `at` of the result. */
static int64_t index_of(const dt_ox_tensor *t, const dt_ox_tensor *result, int64_t at)
{
    int64_t index = 0, step = 1;
    for (int i = result->rank; i-- > 0;) {
        int k = i - (result->rank - t->rank);
        int64_t here = at % result->dim[i];
        at /= result->dim[i];
        if (k < 0) break;
        if (t->dim[k] > 1) index += here * step;
        step *= t->dim[k];
    }
    return index;
}

/* Wraps as two's complement does; false: division by 0. */
static bool whole(arith op, int64_t a, int64_t b, int64_t *out)
{
    uint64_t x = (uint64_t)a, y = (uint64_t)b;
    if (op == DIV && (b == 0 || (a == INT64_MIN && b == -1))) return false;
    *out = op == ADD   ? (int64_t)(x + y)
           : op == SUB ? (int64_t)(x - y)
           : op == MUL ? (int64_t)(x * y)
                       : a / b;
    return true;
}

static float real_of(arith op, float a, float b)
{
    return op == ADD ? a + b : op == SUB ? a - b : op == MUL ? a * b : a / b;
}

static dt_status fold(dt_ox_walk *w, arith op, dt_ox_tensor **out)
{
    const dt_ox_tensor *a = dt_ox_input(w, 0)->constant, *b = dt_ox_input(w, 1)->constant;
    int rank;
    int64_t dim[DT_OX_RANK];
    if (a->whole != b->whole) return dt_ox_refuse(w, "its operands are of different types");
    if (!broadcast(a, b, &rank, dim)) return dt_ox_refuse(w, "its operands do not fit together");
    out[0] = dt_ox_make(w, a->whole, rank, dim);
    DT_TRY(dt_ox_made(w, out[0]));
    for (int64_t i = 0; i < out[0]->count; i++) {
        int64_t ia = index_of(a, out[0], i), ib = index_of(b, out[0], i);
        if (!a->whole) out[0]->x[i] = real_of(op, a->x[ia], b->x[ib]);
        if (a->whole && !whole(op, a->n[ia], b->n[ib], &out[0]->n[i]))
            return dt_ox_refuse(w, "it divides by 0");
    }
    return DT_OK;
}

static dt_status build_add(dt_ox_walk *w)
{
    const dt_ox_value *a, *b;
    DT_TRY(dt_ox_need_value(w, 0, &a));
    DT_TRY(dt_ox_need_value(w, 1, &b));
    if (!dt_ox_is_alike(w, a, b))
        return dt_ox_refuse(w, "its operands have other shapes or orders of axes; equal ones are "
                               "read");
    int y = dt_layer_add(w->b, w->layer, a->value, b->value);
    return dt_ox_set_like(w, y, a);
}

/* Rows [N,C] that the file has as [N,C,1,1] beside a picture of as many channels. */
static bool is_factor(const dt_ox_walk *w, const dt_ox_value *rows, const dt_ox_value *picture)
{
    return rows->rank == 4 && dt_ox_is_rows(w, rows) && dt_ox_is_picture(w, picture) &&
           rows->dim[1] == picture->dim[1];
}

static dt_status build_mul(dt_ox_walk *w)
{
    const dt_ox_value *a, *b;
    DT_TRY(dt_ox_need_value(w, 0, &a));
    DT_TRY(dt_ox_need_value(w, 1, &b));
    if (is_factor(w, a, b)) {
        const dt_ox_value *rows = a;
        a = b;
        b = rows;
    }
    if (!is_factor(w, b, a) && !dt_ox_is_alike(w, a, b))
        return dt_ox_refuse(w, "its operands have other shapes or orders of axes; equal ones are "
                               "read, and a factor for each channel [N,C,1,1]");
    const int in[] = { a->value, b->value };
    return dt_ox_set_like(w, dt_part_node(w->b, "mul", w->layer, NULL, in, 2), a);
}

#define ARITH(kind, title)                                                                         \
    static dt_status fold_##title(dt_ox_walk *w, dt_ox_tensor **out)                               \
    {                                                                                              \
        return fold(w, kind, out);                                                                 \
    }
ARITH(ADD, add)
ARITH(SUB, sub)
ARITH(MUL, mul)
ARITH(DIV, div)

const dt_ox_op dt_ox_op_Add = {
    .name = "Add", .in_min = 2, .in_max = 2, .fold = fold_add, .build = build_add
};
const dt_ox_op dt_ox_op_Sub = { .name = "Sub", .in_min = 2, .in_max = 2, .fold = fold_sub };
const dt_ox_op dt_ox_op_Mul = {
    .name = "Mul", .in_min = 2, .in_max = 2, .fold = fold_mul, .build = build_mul
};
const dt_ox_op dt_ox_op_Div = { .name = "Div", .in_min = 2, .in_max = 2, .fold = fold_div };
