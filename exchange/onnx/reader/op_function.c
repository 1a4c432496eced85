/* Functions of one value, element by element: a row of the engine's operations each; some of
 * constants, too. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "autograd/op_gelu.h"
#include "autograd/op_hard.h"
#include "exchange/onnx/reader/onnx_order.h"

static dt_status build(dt_ox_walk *w, const char *op, const void *conf)
{
    const dt_ox_value *v;
    DT_TRY(dt_ox_need_elements(w, 0, &v));
    return dt_ox_set_like(w, dt_part_node(w->b, op, w->layer, conf, &v->value, 1), v);
}

#define PLAIN(title, op)                                                                           \
    static dt_status build_##title(dt_ox_walk *w)                                                  \
    {                                                                                              \
        return build(w, op, NULL);                                                                 \
    }                                                                                              \
    const dt_ox_op dt_ox_op_##title = {                                                            \
        .name = #title, .in_min = 1, .in_max = 1, .build = build_##title                           \
    }

PLAIN(HardSwish, "hard_swish");
PLAIN(Mish, "mish");
PLAIN(Sigmoid, "sigmoid");
PLAIN(Softplus, "softplus");
PLAIN(Tanh, "tanh");

/* Of constants: real ones by `real_of`, whole ones by `whole_of`. */
static dt_status fold(dt_ox_walk *w, float (*real_of)(float), int64_t (*whole_of)(int64_t),
                      dt_ox_tensor **out)
{
    const dt_ox_tensor *t = dt_ox_input(w, 0)->constant;
    if (t->whole && !whole_of) return dt_ox_refuse(w, "it is read of real numbers");
    out[0] = dt_ox_make(w, t->whole, t->rank, t->dim);
    DT_TRY(dt_ox_made(w, out[0]));
    for (int64_t i = 0; i < t->count; i++)
        if (t->whole)
            out[0]->n[i] = whole_of(t->n[i]);
        else
            out[0]->x[i] = real_of(t->x[i]);
    return DT_OK;
}

static float negative(float x)
{
    return -x;
}

/* Wraps, as two's complement does. */
static int64_t whole_negative(int64_t n)
{
    return (int64_t)(0 - (uint64_t)n);
}

static int64_t whole_abs(int64_t n)
{
    return n < 0 ? whole_negative(n) : n;
}

#define FOLDED(title, op, real_of, whole_of)                                                       \
    static dt_status build_##title(dt_ox_walk *w)                                                  \
    {                                                                                              \
        return build(w, op, NULL);                                                                 \
    }                                                                                              \
    static dt_status fold_##title(dt_ox_walk *w, dt_ox_tensor **out)                               \
    {                                                                                              \
        return fold(w, real_of, whole_of, out);                                                    \
    }                                                                                              \
    const dt_ox_op dt_ox_op_##title = {                                                            \
        .name = #title, .in_min = 1, .in_max = 1, .fold = fold_##title, .build = build_##title     \
    }

FOLDED(Abs, "abs", fabsf, whole_abs);
FOLDED(Exp, "exp", expf, NULL);
FOLDED(Neg, "neg", negative, whole_negative);
FOLDED(Sqrt, "sqrt", sqrtf, NULL);

/* Of constants alone. */
static float unread(float x)
{
    return x;
}

static int64_t whole_not(int64_t n)
{
    return !n;
}

#define CONSTANT(title, real_of)                                                                   \
    static dt_status fold_##title(dt_ox_walk *w, dt_ox_tensor **out)                               \
    {                                                                                              \
        return fold(w, real_of, NULL, out);                                                        \
    }                                                                                              \
    const dt_ox_op dt_ox_op_##title = {                                                            \
        .name = #title, .in_min = 1, .in_max = 1, .fold = fold_##title                             \
    }

CONSTANT(Ceil, ceilf);
CONSTANT(Cos, cosf);
CONSTANT(Floor, floorf);
CONSTANT(Sin, sinf);

static dt_status fold_not(dt_ox_walk *w, dt_ox_tensor **out)
{
    if (!dt_ox_input(w, 0)->constant->whole) return dt_ox_refuse(w, "it is read of truths");
    return fold(w, unread, whole_not, out);
}

const dt_ox_op dt_ox_op_Not = { .name = "Not", .in_min = 1, .in_max = 1, .fold = fold_not };

static dt_status build_elu(dt_ox_walk *w)
{
    const dt_elu_conf c = { (double)dt_ox_float(w->node, "alpha", 1) };
    return build(w, "elu", &c);
}

static dt_status build_leaky(dt_ox_walk *w)
{
    const dt_leaky_relu_conf c = { (double)dt_ox_float(w->node, "alpha", 0.01f) };
    return build(w, "leaky_relu", &c);
}

static dt_status build_hard_sigmoid(dt_ox_walk *w)
{
    const dt_hard_sigmoid_conf c = { (double)dt_ox_float(w->node, "alpha", 0.2f),
                                     (double)dt_ox_float(w->node, "beta", 0.5f) };
    return build(w, "hard_sigmoid", &c);
}

static dt_status build_gelu(dt_ox_walk *w)
{
    const char *how = dt_ox_text(w->node, "approximate", "none");
    bool by_tanh = strcmp(how, "tanh") == 0;
    if (!by_tanh && strcmp(how, "none") != 0)
        return dt_ox_refuse(w, "approximate '%.40s'; none or tanh is read", how);
    return build(w, "gelu", &(dt_gelu_conf){ .by_tanh = by_tanh });
}

const dt_ox_op dt_ox_op_Elu = { .name = "Elu", .in_min = 1, .in_max = 1, .build = build_elu };
const dt_ox_op dt_ox_op_LeakyRelu = {
    .name = "LeakyRelu", .in_min = 1, .in_max = 1, .build = build_leaky
};
const dt_ox_op dt_ox_op_HardSigmoid = {
    .name = "HardSigmoid", .in_min = 1, .in_max = 1, .build = build_hard_sigmoid
};
const dt_ox_op dt_ox_op_Gelu = { .name = "Gelu", .in_min = 1, .in_max = 1, .build = build_gelu };
