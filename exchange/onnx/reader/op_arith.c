/* Add, Sub, Mul, Div, Pow: of constants with broadcasting, and of values. Mod of whole constants,
 * comparisons, And, Or, Xor, Where, Expand: what exporters compute shapes and masks with. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "exchange/onnx/reader/onnx_arith.h"
#include "exchange/onnx/reader/onnx_remap.h"

/* From EQUAL on they give truths; from AND on they take them. */
typedef enum arith {
    ADD,
    SUB,
    MUL,
    DIV,
    POW,
    MOD,
    EQUAL,
    GREATER,
    GREATER_OR_EQUAL,
    LESS,
    LESS_OR_EQUAL,
    AND,
    OR,
    XOR
} arith;

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

/* a to the power of b >= 0, wrapping. */
static uint64_t whole_power(uint64_t a, int64_t b)
{
    uint64_t y = 1;
    for (; b > 0; b >>= 1, a *= a)
        if (b & 1) y *= a;
    return y;
}

/* The rest of a division has the sign of the divisor. */
static int64_t rest(int64_t a, int64_t b)
{
    int64_t r = a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static bool truth_of_wholes(arith op, int64_t a, int64_t b)
{
    return op == EQUAL              ? a == b
           : op == GREATER          ? a > b
           : op == GREATER_OR_EQUAL ? a >= b
           : op == LESS             ? a < b
           : op == LESS_OR_EQUAL    ? a <= b
           : op == AND              ? a && b
           : op == OR               ? a || b
                                    : !a != !b;
}

/* Comparisons; none is true of nan. */
static bool truth_of_reals(arith op, float a, float b)
{
    return op == EQUAL              ? a == b
           : op == GREATER          ? a > b
           : op == GREATER_OR_EQUAL ? a >= b
           : op == LESS             ? a < b
                                    : a <= b;
}

/* Wraps as two's complement does; false: division by 0, a power below 0. */
static bool whole(arith op, int64_t a, int64_t b, int64_t *out)
{
    uint64_t x = (uint64_t)a, y = (uint64_t)b;
    bool divides = op == DIV || op == MOD;
    if ((divides && (b == 0 || (a == INT64_MIN && b == -1))) || (op == POW && b < 0)) return false;
    switch (op) {
    case ADD:
        *out = (int64_t)(x + y);
        break;
    case SUB:
        *out = (int64_t)(x - y);
        break;
    case MUL:
        *out = (int64_t)(x * y);
        break;
    case DIV:
        *out = a / b;
        break;
    case POW:
        *out = (int64_t)whole_power(x, b);
        break;
    case MOD:
        *out = rest(a, b);
        break;
    default:
        *out = truth_of_wholes(op, a, b);
    }
    return true;
}

static float real_of(arith op, float a, float b)
{
    return op == ADD   ? a + b
           : op == SUB ? a - b
           : op == MUL ? a * b
           : op == DIV ? a / b
                       : powf(a, b);
}

static dt_status fold(dt_ox_walk *w, arith op, dt_ox_tensor **out)
{
    const dt_ox_tensor *a = dt_ox_input(w, 0)->constant, *b = dt_ox_input(w, 1)->constant;
    int rank;
    int64_t dim[DT_OX_RANK];
    if (a->whole != b->whole) return dt_ox_refuse(w, "its operands are of different types");
    if (!a->whole && (op == MOD || op >= AND))
        return dt_ox_refuse(w, "it is read of whole numbers");
    if (!broadcast(a, b, &rank, dim)) return dt_ox_refuse(w, "its operands do not fit together");
    out[0] = dt_ox_make(w, a->whole || op >= EQUAL, rank, dim);
    DT_TRY(dt_ox_made(w, out[0]));
    for (int64_t i = 0; i < out[0]->count; i++) {
        int64_t ia = index_of(a, out[0], i), ib = index_of(b, out[0], i);
        if (!a->whole && op >= EQUAL) out[0]->n[i] = truth_of_reals(op, a->x[ia], b->x[ib]);
        if (!a->whole && op < EQUAL) out[0]->x[i] = real_of(op, a->x[ia], b->x[ib]);
        if (a->whole && !whole(op, a->n[ia], b->n[ib], &out[0]->n[i]))
            return dt_ox_refuse(w, "it divides by 0, or has an exponent below 0");
    }
    return DT_OK;
}

/* Everything of t, in the dimensions of a result that it fits. */
static dt_status expand(dt_ox_walk *w, const dt_ox_tensor *t, int rank, const int64_t *dim,
                        dt_ox_tensor **out)
{
    *out = dt_ox_make(w, t->whole, rank, dim);
    DT_TRY(dt_ox_made(w, *out));
    for (int64_t i = 0; i < (*out)->count; i++)
        dt_ox_move(t, index_of(t, *out, i), *out, i);
    return DT_OK;
}

static dt_status fold_expand(dt_ox_walk *w, dt_ox_tensor **out)
{
    const dt_ox_tensor *t = dt_ox_input(w, 0)->constant, *to;
    dt_ox_tensor wanted = { .whole = true };
    int rank;
    int64_t dim[DT_OX_RANK];
    DT_TRY(dt_ox_wholes(w, 1, &to));
    if (!to || to->rank != 1 || to->count > DT_OX_RANK)
        return dt_ox_refuse(w, "its shape is no list of at most 8");
    wanted.rank = (int)to->count;
    for (int i = 0; i < wanted.rank; i++)
        wanted.dim[i] = to->n[i];
    if (!broadcast(t, &wanted, &rank, dim)) return dt_ox_refuse(w, "its shape does not fit");
    DT_TRY(expand(w, t, rank, dim, out));
    if (out[0]->count == t->count) out[0]->name = t->name;
    return DT_OK;
}

/* A value keeps its shape, or is repeated along dimensions of one element. */
static dt_status build_expand(dt_ox_walk *w)
{
    const dt_ox_value *v;
    const dt_ox_tensor *to;
    dt_remap_axis rule[DT_OX_RANK] = { { 0 } };
    dt_ox_value out;
    bool same = true;
    DT_TRY(dt_ox_need(w, 0, &v));
    DT_TRY(dt_ox_wholes(w, 1, &to));
    if (!to || to->rank != 1 || to->count > v->rank)
        return dt_ox_refuse(w, "it adds dimensions to a value, whose own are repeated");
    for (int i = 0; i < (int)to->count; i++) {
        int k = v->rank - (int)to->count + i;
        if (to->n[i] == 1 || to->n[i] == v->dim[k]) continue;
        if (v->dim[k] != 1 || to->n[i] < 1)
            return dt_ox_refuse(w, "its shape does not fit %lld elements of dimension %d",
                                (long long)v->dim[k], k);
        rule[k] = (dt_remap_axis){ to->n[i], 0, 0, 1, DT_REMAP_EDGE };
        same = false;
    }
    if (same) return dt_ox_set(w, 0, v);
    if (v->padded) DT_TRY(dt_ox_need_value(w, 0, &v));
    DT_TRY(dt_ox_remap(w, v, rule, w->layer, &out));
    return dt_ox_set(w, 0, &out);
}

static dt_status fold_where(dt_ox_walk *w, dt_ox_tensor **out)
{
    const dt_ox_tensor *c = dt_ox_input(w, 0)->constant, *a = dt_ox_input(w, 1)->constant;
    const dt_ox_tensor *b = dt_ox_input(w, 2)->constant;
    dt_ox_tensor both = { .whole = true };
    int rank;
    int64_t dim[DT_OX_RANK];
    if (!c->whole || a->whole != b->whole)
        return dt_ox_refuse(w, "its operands are of types that are not read");
    if (!broadcast(a, b, &both.rank, both.dim) || !broadcast(c, &both, &rank, dim))
        return dt_ox_refuse(w, "its operands do not fit together");
    out[0] = dt_ox_make(w, a->whole, rank, dim);
    DT_TRY(dt_ox_made(w, out[0]));
    for (int64_t i = 0; i < out[0]->count; i++) {
        const dt_ox_tensor *from = c->n[index_of(c, out[0], i)] ? a : b;
        dt_ox_move(from, index_of(from, out[0], i), out[0], i);
    }
    return DT_OK;
}

#define FOLD(kind, title)                                                                          \
    static dt_status fold_##title(dt_ox_walk *w, dt_ox_tensor **out)                               \
    {                                                                                              \
        return fold(w, kind, out);                                                                 \
    }
#define ARITH(kind, title)                                                                         \
    FOLD(kind, title)                                                                              \
    static dt_status build_##title(dt_ox_walk *w)                                                  \
    {                                                                                              \
        return dt_ox_build_arith(w, DT_OX_##kind);                                                 \
    }
ARITH(ADD, add)
ARITH(SUB, sub)
ARITH(MUL, mul)
ARITH(DIV, div)
FOLD(POW, pow)
FOLD(MOD, mod)

const dt_ox_op dt_ox_op_Add = {
    .name = "Add", .in_min = 2, .in_max = 2, .fold = fold_add, .build = build_add
};
const dt_ox_op dt_ox_op_Sub = {
    .name = "Sub", .in_min = 2, .in_max = 2, .fold = fold_sub, .build = build_sub
};
const dt_ox_op dt_ox_op_Mul = {
    .name = "Mul", .in_min = 2, .in_max = 2, .fold = fold_mul, .build = build_mul
};
const dt_ox_op dt_ox_op_Div = {
    .name = "Div", .in_min = 2, .in_max = 2, .fold = fold_div, .build = build_div
};
const dt_ox_op dt_ox_op_Pow = {
    .name = "Pow", .in_min = 2, .in_max = 2, .fold = fold_pow, .build = dt_ox_build_power
};
const dt_ox_op dt_ox_op_Mod = { .name = "Mod", .in_min = 2, .in_max = 2, .fold = fold_mod };

#define TRUTH(kind, title)                                                                         \
    FOLD(kind, title)                                                                              \
    const dt_ox_op dt_ox_op_##title = {                                                            \
        .name = #title, .in_min = 2, .in_max = 2, .fold = fold_##title                             \
    }
TRUTH(EQUAL, Equal);
TRUTH(GREATER, Greater);
TRUTH(GREATER_OR_EQUAL, GreaterOrEqual);
TRUTH(LESS, Less);
TRUTH(LESS_OR_EQUAL, LessOrEqual);
TRUTH(AND, And);
TRUTH(OR, Or);
TRUTH(XOR, Xor);

const dt_ox_op dt_ox_op_Expand = {
    .name = "Expand", .in_min = 2, .in_max = 2, .fold = fold_expand, .build = build_expand
};
const dt_ox_op dt_ox_op_Where = { .name = "Where", .in_min = 3, .in_max = 3, .fold = fold_where };
