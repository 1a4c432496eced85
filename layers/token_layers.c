/* Layers of transformers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/token_layers.h"

#include <math.h>

#include "autograd/op_attention.h"
#include "autograd/op_dropout.h"
#include "autograd/op_gelu.h"
#include "autograd/op_layernorm.h"
#include "autograd/op_slice.h"
#include "layers/nodes.h"

int dt_layer_patch_embed(dt_builder *b, const char *name, int x, int64_t out, int patch)
{
    if (b->status != DT_OK || x < 0) return -1;
    int64_t in = b->graph->value[x].shape.dim[3];
    int w = dt_part_value(b, name, "weight",
                          (dt_value){ .kind = DT_VALUE_PARAM,
                                      .shape = DT_SHAPE(out, patch, patch, in),
                                      .layout = DT_LAYOUT_OIHW,
                                      .init = DT_INIT_SMALL });
    int bias = dt_part_value(b, name, "bias",
                             (dt_value){ .kind = DT_VALUE_PARAM,
                                         .shape = DT_SHAPE(out),
                                         .role = DT_ROLE_BIAS,
                                         .init = DT_INIT_ZERO });
    return dt_part_role(b, DT_LAYER_FIRST,
                        dt_part_node(b, "patch_embed", name, NULL, (int[]){ x, w, bias }, 3));
}

int dt_layer_embed(dt_builder *b, int x)
{
    if (b->status != DT_OK || x < 0) return -1;
    int64_t T = b->graph->value[x].shape.dim[1], C = b->graph->value[x].shape.dim[2];
    dt_value v = { .kind = DT_VALUE_PARAM, .role = DT_ROLE_EMBED, .init = DT_INIT_SMALL };
    v.shape = DT_SHAPE(1, 1, C);
    int token = dt_part_value(b, NULL, "cls_token", v);
    v.shape = DT_SHAPE(1, T + 1, C);
    int position = dt_part_value(b, NULL, "pos_embed", v);
    int sum = dt_part_node(b, "class_position", "pos_embed", NULL, (int[]){ token, position }, 2);
    return dt_part_node(b, "class_token", "embed", NULL, (int[]){ x, sum }, 2);
}

int dt_layer_layernorm(dt_builder *b, const char *name, int x, double eps)
{
    if (b->status != DT_OK || x < 0) return -1;
    dt_shape s = b->graph->value[x].shape;
    dt_value v = { .kind = DT_VALUE_PARAM,
                   .shape = DT_SHAPE(s.dim[s.rank - 1]),
                   .role = DT_ROLE_NORM,
                   .init = DT_INIT_ONE };
    int in[DT_LN_INPUTS] = { x };
    in[DT_LN_GAMMA] = dt_part_value(b, name, "weight", v);
    v.init = DT_INIT_ZERO;
    in[DT_LN_BETA] = dt_part_value(b, name, "bias", v);
    return dt_part_node(b, "layernorm", name, &(dt_layernorm_conf){ eps }, in, DT_LN_INPUTS);
}

int dt_layer_gelu(dt_builder *b, const char *name, int x, bool by_tanh)
{
    return dt_part_node(b, "gelu", name, &(dt_gelu_conf){ by_tanh }, &x, 1);
}

int dt_layer_dropout(dt_builder *b, const char *name, int x, double rate, bool by_sample)
{
    if (rate <= 0) return x;
    return dt_part_node(b, "dropout", name, &(dt_dropout_conf){ rate, by_sample }, &x, 1);
}

/* Part `part` of three of qkv. */
static int operand(dt_builder *b, const char *name, int qkv, int part)
{
    static const char *const letters[] = { "q", "k", "v" };
    const char *layer = dt_layer_name(b, "%s.%s", name, letters[part]);
    return dt_part_node(b, "slice", layer, &(dt_slice_conf){ part, 3 }, &qkv, 1);
}

int dt_layer_attention(dt_builder *b, const char *name, int qkv, int heads)
{
    if (b->status != DT_OK || qkv < 0) return -1;
    int64_t C = b->graph->value[qkv].shape.dim[2] / 3;
    const dt_attention_heads conf = { heads, 1 / sqrt((double)C / heads) };
    const char *probs = dt_layer_name(b, "%s.probs", name);
    int q = operand(b, name, qkv, 0), k = operand(b, name, qkv, 1), v = operand(b, name, qkv, 2);
    int x = dt_part_node(b, "attention_scores", dt_layer_name(b, "%s.scores", name), &conf,
                         (int[]){ q, k }, 2);
    x = dt_part_node(b, "softmax", probs, NULL, &x, 1);
    return dt_part_node(b, "attention_mix", name, &conf, (int[]){ x, v }, 2);
}

int dt_layer_drop_residual(dt_builder *b, const char *name, int branch, int skip, double rate)
{
    branch = dt_layer_dropout(b, dt_layer_name(b, "%s.drop_path", name), branch, rate, true);
    return dt_layer_add(b, name, branch, skip);
}

int dt_layer_select_token(dt_builder *b, const char *name, int x)
{
    return dt_part_node(b, "select_token", name, NULL, &x, 1);
}
