/* A learned factor for each channel (the scale of a layer: Touvron et al. 2021, arXiv:2103.17239),
 * named "gamma" as in timm's networks. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/layer.h"
#include "layers/nodes.h"

typedef struct conf {
    double start;
} conf;

static const dt_opt opts[] = {
    DT_OPT_FLOAT(conf, start, 1e-6, -1e6, 1e6, "value of every factor"),
    DT_OPT_END,
};

static int build(dt_builder *b, const char *name, const void *config, const int *in, int in_count)
{
    const conf *c = config;
    const dt_shape *x = &b->graph->value[in[0]].shape;
    (void)in_count;
    int factor = dt_part_value(b, name, "gamma",
                               (dt_value){ .kind = DT_VALUE_PARAM,
                                           .shape = DT_SHAPE(x->dim[x->rank - 1]),
                                           .role = DT_ROLE_NORM,
                                           .init = DT_INIT_NUMBER,
                                           .number = (real)c->start });
    return dt_part_node(b, "scale", name, NULL, (const int[]){ in[0], factor }, 2);
}

const dt_layer dt_layer_row_layer_scale = {
    .row = { "layer_scale", "a learned factor for each channel", opts, sizeof(conf) },
    .in_min = 1,
    .in_max = 1,
    .build = build,
};
