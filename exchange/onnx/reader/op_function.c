/* Functions of one value, element by element: a row of the engine's operations each. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/op_gelu.h"
#include "autograd/op_hard.h"
#include "exchange/onnx/reader/onnx_ops.h"

static dt_status build(dt_ox_walk *w, const char *op, const void *conf)
{
    const dt_ox_value *v;
    DT_TRY(dt_ox_need_value(w, 0, &v));
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

PLAIN(Abs, "abs");
PLAIN(Exp, "exp");
PLAIN(HardSwish, "hard_swish");
PLAIN(Mish, "mish");
PLAIN(Neg, "neg");
PLAIN(Sigmoid, "sigmoid");
PLAIN(Softplus, "softplus");
PLAIN(Sqrt, "sqrt");
PLAIN(Tanh, "tanh");

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
