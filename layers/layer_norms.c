/* Layers that normalise: batchnorm and layernorm, as torch.nn has them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_batchnorm.h"
#include "layers/layer.h"
#include "layers/nodes.h"
#include "layers/token_layers.h"

typedef struct batchnorm_conf {
    double eps, momentum;
} batchnorm_conf;

static const dt_opt batchnorm_opts[] = {
    DT_OPT_FLOAT(batchnorm_conf, eps, 1e-5, 0, 1, "added to the variance"),
    DT_OPT_FLOAT(batchnorm_conf, momentum, 0.1, 0, 1, "share of the batch in running statistics"),
    DT_OPT_END,
};

typedef struct layernorm_conf {
    double eps;
} layernorm_conf;

static const dt_opt layernorm_opts[] = {
    DT_OPT_FLOAT(layernorm_conf, eps, 1e-5, 0, 1, "added to the variance"),
    DT_OPT_END,
};

static int build_batchnorm(dt_builder *b, const char *name, const void *conf, const int *in,
                           int in_count)
{
    const batchnorm_conf *c = conf;
    (void)in_count;
    return dt_layer_batchnorm_of(b, name, in[0], c->eps, c->momentum);
}

static int build_layernorm(dt_builder *b, const char *name, const void *conf, const int *in,
                           int in_count)
{
    (void)in_count;
    return dt_layer_layernorm(b, name, in[0], ((const layernorm_conf *)conf)->eps);
}

const dt_layer dt_layer_row_batchnorm = {
    .row = { "batchnorm", "channels by mean and deviation of the batch", batchnorm_opts,
             sizeof(batchnorm_conf) },
    .in_min = 1,
    .in_max = 1,
    .build = build_batchnorm,
};
const dt_layer dt_layer_row_layernorm = {
    .row = { "layernorm", "the last axis by its mean and deviation", layernorm_opts,
             sizeof(layernorm_conf) },
    .in_min = 1,
    .in_max = 1,
    .build = build_layernorm,
};
