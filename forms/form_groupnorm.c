/* Group norm, which stays in float: groups are rows of an InstanceNormalization, whose factors are
 * 1, as PyTorch writes it for opsets that have no operator of its own for each channel's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_groupnorm.h"
#include "exchange/onnx/onnx_walker.h"
#include "integer/builder.h"

/* [G] of one number. NULL: no memory. */
static const char *filled(dt_onnx_walker *w, const dt_node *n, const char *what, int64_t G,
                          float value)
{
    const char *name = dt_onnx_text(w->m, "%s.%s", n->name, what);
    const dt_shape s = DT_SHAPE(G);
    float *x = dt_arena_get(dt_onnx_arena(w->m), (size_t)G * sizeof *x);
    for (int64_t i = 0; x && i < G; i++)
        x[i] = value;
    if (!x) return NULL;
    dt_onnx_constant(w->m, name, DT_ONNX_FLOAT, &s, x);
    return name;
}

/* gamma or beta as [C,1,1]. */
static const char *parameter(dt_onnx_walker *w, const dt_node *n, int input)
{
    const dt_shape s = DT_SHAPE(w->src->graph->value[n->in[input]].shape.dim[0], 1, 1);
    const char *name = dt_onnx_parameter(w, n, n->in[input]);
    dt_onnx_constant(w->m, name, DT_ONNX_FLOAT, &s, w->src->state->data[n->in[input]]);
    return name;
}

static dt_status onnx(dt_onnx_walker *w, const dt_node *n)
{
    const dt_groupnorm_conf *c = n->conf;
    const dt_shape *s = &w->src->graph->value[n->in[DT_GN_X]].shape;
    const int64_t C = s->dim[3], all = C / c->groups * s->dim[1] * s->dim[2];
    const char *at = dt_onnx_floats(w, n->in[DT_GN_X]);
    const char *part[] = { dt_onnx_text(w->m, "%s/Groups", n->name),
                           dt_onnx_text(w->m, "%s/InstanceNormalization", n->name),
                           dt_onnx_text(w->m, "%s/Channels", n->name),
                           dt_onnx_text(w->m, "%s/Mul", n->name),
                           dt_onnx_text(w->m, "%s/Beta", n->name) };
    const dt_onnx_attr eps[] = { { .name = "epsilon", .is_float = true, .f = (float)c->eps },
                                 { .name = NULL } };
    at = dt_onnx_reshape(w, at, part[0], 3, (const int64_t[]){ -1, c->groups, all });
    const char *in[] = { at, filled(w, n, "one", c->groups, 1), filled(w, n, "zero", c->groups, 0),
                         NULL };
    if (!in[1] || !in[2]) return dt_onnx_no_memory(w->err);
    dt_onnx_node(w->m, "InstanceNormalization", in, part[1], eps);
    at = dt_onnx_reshape(w, part[1], part[2], 4, (const int64_t[]){ -1, C, s->dim[1], s->dim[2] });
    dt_onnx_node(w->m, "Mul", (const char *[]){ at, parameter(w, n, DT_GN_GAMMA), NULL }, part[3],
                 NULL);
    dt_onnx_node(w->m, "Add", (const char *[]){ part[3], parameter(w, n, DT_GN_BETA), NULL },
                 part[4], NULL);
    return dt_onnx_set(w, n, part[4]);
}

const dt_form dt_form_groupnorm = { .name = "groupnorm", .onnx = onnx };
