/* Vision transformers (Dosovitskiy 2020, arXiv:2010.11929; DeiT: Touvron 2021, arXiv:2012.12877):
 * patches as tokens, a class token, blocks of attention and MLP with the norms in front, a linear
 * head on the class token. Parameter names are timm's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/models.h"
#include "layers/token_layers.h"

typedef struct conf {
    int patch, dim, depth, heads;
    double mlp_ratio, dropout, drop_path, norm_eps;
    int gelu; /* 0: erf, 1: tanh */
} conf;

/* The picture's size comes from the data; patches must divide it. */
#define OPTS(patch_, dim_, depth_, heads_)                                                         \
    {                                                                                              \
        DT_OPT_INT(conf, patch, patch_, 1, 64, "side of a patch in pixels"),                       \
            DT_OPT_INT(conf, dim, dim_, 1, 4096, "numbers of a token"),                            \
            DT_OPT_INT(conf, depth, depth_, 1, 64, "blocks"),                                      \
            DT_OPT_INT(conf, heads, heads_, 1, 64, "heads of attention; they divide dim"),         \
            DT_OPT_FLOAT(conf, mlp_ratio, 4, 0.25, 16, "hidden layer of the MLP, in dims"),        \
            DT_OPT_FLOAT(conf, dropout, 0, 0, 0.9,                                                 \
                         "share of zeros behind embedding, attention, and both MLP layers"),       \
            DT_OPT_FLOAT(conf, drop_path, 0, 0, 0.9,                                               \
                         "stochastic depth: rate of the last block, rising from 0"),               \
            DT_OPT_FLOAT(conf, norm_eps, 1e-6, 1e-12, 0.1, "added to variances"),                  \
            DT_OPT_ENUM(conf, gelu, 0, "erf|tanh", "formula of GELU"), DT_OPT_END,                 \
    }

static const dt_opt opts[] = OPTS(4, 192, 6, 3);
static const dt_opt tiny_opts[] = OPTS(16, 192, 12, 3);
static const dt_opt small_opts[] = OPTS(16, 384, 12, 6);

static int attention(dt_builder *b, const conf *c, const char *name, int x)
{
    x = dt_layer_linear(b, dt_layer_name(b, "%s.qkv", name), DT_LAYER_BODY, x, 3 * (int64_t)c->dim);
    x = dt_layer_attention(b, name, x, c->heads);
    x = dt_layer_linear(b, dt_layer_name(b, "%s.proj", name), DT_LAYER_BODY, x, c->dim);
    return dt_layer_dropout(b, dt_layer_name(b, "%s.proj_drop", name), x, c->dropout, false);
}

static int mlp(dt_builder *b, const conf *c, const char *name, int x)
{
    int64_t hidden = (int64_t)(c->mlp_ratio * c->dim);
    x = dt_layer_linear(b, dt_layer_name(b, "%s.fc1", name), DT_LAYER_BODY, x, hidden);
    x = dt_layer_gelu(b, dt_layer_name(b, "%s.act", name), x, c->gelu == 1);
    x = dt_layer_dropout(b, dt_layer_name(b, "%s.drop1", name), x, c->dropout, false);
    x = dt_layer_linear(b, dt_layer_name(b, "%s.fc2", name), DT_LAYER_BODY, x, c->dim);
    return dt_layer_dropout(b, dt_layer_name(b, "%s.drop2", name), x, c->dropout, false);
}

static int block(dt_builder *b, const conf *c, int index, int x)
{
    const char *name = dt_layer_name(b, "blocks.%d", index);
    double rate = c->depth > 1 ? c->drop_path * index / (c->depth - 1) : 0;
    int y = dt_layer_layernorm(b, dt_layer_name(b, "%s.norm1", name), x, c->norm_eps);
    y = attention(b, c, dt_layer_name(b, "%s.attn", name), y);
    x = dt_layer_drop_residual(b, dt_layer_name(b, "%s.add1", name), y, x, rate);
    y = dt_layer_layernorm(b, dt_layer_name(b, "%s.norm2", name), x, c->norm_eps);
    y = mlp(b, c, dt_layer_name(b, "%s.mlp", name), y);
    return dt_layer_drop_residual(b, dt_layer_name(b, "%s.add2", name), y, x, rate);
}

static int build(dt_builder *b, const void *options, int classes, int x)
{
    const conf *c = options;
    b->small_init = true;
    x = dt_layer_patch_embed(b, "patch_embed.proj", x, c->dim, c->patch);
    x = dt_layer_dropout(b, "pos_drop", dt_layer_embed(b, x), c->dropout, false);
    for (int i = 0; i < c->depth; i++)
        x = block(b, c, i, x);
    /* The norm is a token's own affair, so only the class token goes through it. */
    x = dt_layer_select_token(b, "select", x);
    x = dt_layer_layernorm(b, "norm", x, c->norm_eps);
    return dt_layer_linear(b, "head", DT_LAYER_LAST, x, classes);
}

#define VIT(name, help, options)                                                                   \
    const dt_model dt_model_##name = { .row = { #name, help, options, sizeof(conf) },              \
                                       .build = build }

VIT(vit, "vision transformer; patches of 4 and 6 blocks fit 32x32 pictures", opts);
VIT(deit_tiny_patch16_224, "Touvron 2021, arXiv:2012.12877, table 1: DeiT-Ti", tiny_opts);
VIT(deit_small_patch16_224, "Touvron 2021, arXiv:2012.12877, table 1: DeiT-S", small_opts);
