/* Layers of transformers, like those of builder.h. Tokens are [N,T,C]. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_LAYERS_TOKEN_LAYERS_H
#define DT_LAYERS_TOKEN_LAYERS_H

#include "layers/builder.h"

/* x [N,H,W,I] -> [N,(H/patch)(W/patch),out]; "<name>.weight", ".bias". A layer of role FIRST. */
int dt_layer_patch_embed(dt_builder *b, const char *name, int x, int64_t out, int patch);
/* "cls_token" in front of x, "pos_embed" added: [N,T,C] -> [N,T+1,C]. */
int dt_layer_embed(dt_builder *b, int x);
/* Over the last axis; "<name>.weight", ".bias". */
int dt_layer_layernorm(dt_builder *b, const char *name, int x, double eps);
int dt_layer_gelu(dt_builder *b, const char *name, int x, bool by_tanh);
/* Rate 0 gives x back. By sample: stochastic depth. */
int dt_layer_dropout(dt_builder *b, const char *name, int x, double rate, bool by_sample);
/* qkv [N,T,3C] -> [N,T,C], by nodes "<name>.q", ".k", ".v", ".scores" and ".probs". */
int dt_layer_attention(dt_builder *b, const char *name, int qkv, int heads);
/* skip + branch, the branch left out of a share `rate` of the samples in training. */
int dt_layer_drop_residual(dt_builder *b, const char *name, int branch, int skip, double rate);
/* The first token: [N,T,C] -> [N,C]. */
int dt_layer_select_token(dt_builder *b, const char *name, int x);

#endif
