/* Layers: parameters and nodes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "autograd/op_batchnorm.h"
#include "autograd/op_conv2d.h"
#include "autograd/op_maxpool.h"
#include "autograd/op_pad_channels.h"
#include "layers/nodes.h"

const char *dt_layer_name(dt_builder *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *name = dt_arena_vprintf(b->graph->arena, fmt, args);
    va_end(args);
    if (name) return name;
    dt_builder_fail(b, dt_fail(b->err, DT_ERR_NOMEM, NULL, "no memory"));
    return "";
}

int dt_builder_fail(dt_builder *b, dt_status status)
{
    if (b->status == DT_OK) b->status = status;
    return -1;
}

int dt_part_node(dt_builder *b, const char *op, const char *name, const void *conf, const int *in,
                 int in_count)
{
    int out = -1;
    if (b->status != DT_OK) return -1;
    for (int i = 0; i < in_count; i++)
        if (in[i] < 0) return -1;
    dt_status st = dt_graph_node(b->graph, op, name, conf, in, in_count, &out, b->err);
    return st == DT_OK ? out : dt_builder_fail(b, st);
}

int dt_part_value(dt_builder *b, const char *layer, const char *part, dt_value v)
{
    int id = -1;
    if (b->status != DT_OK) return -1;
    v.name = layer ? dt_arena_printf(b->graph->arena, "%s.%s", layer, part) : part;
    if (!v.name) return dt_builder_fail(b, dt_fail(b->err, DT_ERR_NOMEM, NULL, "no memory"));
    dt_status st = dt_graph_value(b->graph, &v, &id, b->err);
    return st == DT_OK ? id : dt_builder_fail(b, st);
}

/* The node that makes x, to be told more of; NULL: none, or something failed. */
static dt_node *maker_of(const dt_builder *b, int x)
{
    if (b->status != DT_OK || x < 0) return NULL;
    int at = b->graph->value[x].producer;
    return at >= 0 ? &b->graph->node[at] : NULL;
}

int dt_part_role(dt_builder *b, dt_layer_role role, int y)
{
    dt_node *node = maker_of(b, y);
    if (node) node->role = (int)role;
    return y;
}

static int bias_of(dt_builder *b, const char *name, int64_t out)
{
    return dt_part_value(b, name, "bias",
                         (dt_value){ .kind = DT_VALUE_PARAM,
                                     .shape = DT_SHAPE(out),
                                     .role = DT_ROLE_BIAS,
                                     .init = DT_INIT_ZERO });
}

static int conv2d(dt_builder *b, const char *name, dt_layer_role role, int x, int64_t out,
                  int kernel, int groups, const dt_conv2d_conf *conf, bool biased)
{
    if (b->status != DT_OK || x < 0) return -1;
    int64_t in = b->graph->value[x].shape.dim[3] / (groups > 0 ? groups : 1);
    int w = dt_part_value(b, name, "weight",
                          (dt_value){ .kind = DT_VALUE_PARAM,
                                      .shape = DT_SHAPE(out, kernel, kernel, in),
                                      .layout = DT_LAYOUT_OIHW,
                                      .init = DT_INIT_KAIMING,
                                      .fan_in = in * kernel * kernel });
    const int inputs[] = { x, w, biased ? bias_of(b, name, out) : -1 };
    return dt_part_role(b, role, dt_part_node(b, "conv2d", name, conf, inputs, biased ? 3 : 2));
}

int dt_layer_conv2d(dt_builder *b, const char *name, dt_layer_role role, int x, int64_t out,
                    int kernel, int stride, int pad, int groups)
{
    const dt_conv2d_conf conf = { stride, stride, pad, pad, groups };
    return conv2d(b, name, role, x, out, kernel, groups, &conf, false);
}

int dt_layer_conv2d_bias(dt_builder *b, const char *name, dt_layer_role role, int x, int64_t out,
                         int kernel, int stride, int pad, int groups)
{
    const dt_conv2d_conf conf = { stride, stride, pad, pad, groups };
    return conv2d(b, name, role, x, out, kernel, groups, &conf, true);
}

int dt_layer_batchnorm(dt_builder *b, const char *name, int x)
{
    return dt_layer_batchnorm_of(b, name, x, 1e-5, 0.1);
}

int dt_layer_batchnorm_of(dt_builder *b, const char *name, int x, double eps, double momentum)
{
    if (b->status != DT_OK || x < 0) return -1;
    dt_shape s = b->graph->value[x].shape;
    dt_value v = { .kind = DT_VALUE_PARAM,
                   .shape = DT_SHAPE(s.dim[s.rank - 1]),
                   .role = DT_ROLE_NORM,
                   .init = DT_INIT_ONE };
    int in[5] = { x };
    in[DT_BN_GAMMA] = dt_part_value(b, name, "weight", v);
    v.init = DT_INIT_ZERO;
    in[DT_BN_BETA] = dt_part_value(b, name, "bias", v);
    v.kind = DT_VALUE_BUFFER;
    in[DT_BN_MEAN] = dt_part_value(b, name, "running_mean", v);
    v.init = DT_INIT_ONE;
    v.nonneg = true;
    in[DT_BN_VAR] = dt_part_value(b, name, "running_var", v);
    return dt_part_node(b, "batchnorm", name,
                        &(dt_batchnorm_conf){ .eps = eps, .momentum = momentum }, in, 5);
}

int dt_layer_relu(dt_builder *b, const char *name, int x)
{
    return dt_part_node(b, "relu", name, NULL, &x, 1);
}

int dt_layer_relu6(dt_builder *b, const char *name, int x)
{
    return dt_part_node(b, "relu6", name, NULL, &x, 1);
}

int dt_layer_stream(dt_builder *b, const char *name, int x)
{
    dt_node *node = maker_of(b, x);
    if (node) node->stream = name;
    return x;
}

int dt_layer_add(dt_builder *b, const char *name, int branch, int skip)
{
    return dt_part_node(b, "add", name, NULL, (int[]){ branch, skip }, 2);
}

int dt_layer_residual(dt_builder *b, const char *name, int branch, int skip)
{
    return dt_layer_relu(b, name, dt_layer_add(b, name, branch, skip));
}

int dt_layer_pad_shortcut(dt_builder *b, const char *name, int x, int64_t out, int stride)
{
    if (b->status != DT_OK || x < 0) return -1;
    int64_t extra = out - b->graph->value[x].shape.dim[3];
    const dt_pad_channels_conf conf = { stride, (int)(extra / 2), (int)(extra - extra / 2) };
    return dt_part_node(b, "pad_channels", name, &conf, &x, 1);
}

int dt_layer_maxpool(dt_builder *b, const char *name, int x, int kernel, int stride, int pad)
{
    const dt_maxpool_conf conf = { { kernel, kernel, stride, stride, pad, pad, 0, 0 } };
    return dt_part_node(b, "maxpool", name, &conf, &x, 1);
}

int dt_layer_gap(dt_builder *b, const char *name, int x)
{
    return dt_part_node(b, "gap", name, NULL, &x, 1);
}

int dt_layer_linear(dt_builder *b, const char *name, dt_layer_role role, int x, int64_t out)
{
    if (b->status != DT_OK || x < 0) return -1;
    const dt_shape *shape = &b->graph->value[x].shape;
    int64_t in = shape->dim[shape->rank - 1];
    int w = dt_part_value(b, name, "weight",
                          (dt_value){ .kind = DT_VALUE_PARAM,
                                      .shape = DT_SHAPE(out, in),
                                      .init = b->small_init ? DT_INIT_SMALL : DT_INIT_KAIMING,
                                      .fan_in = in });
    int bias = bias_of(b, name, out);
    return dt_part_role(b, role, dt_part_node(b, "linear", name, NULL, (int[]){ x, w, bias }, 3));
}
