/* Parametric ReLU, as torch.nn.PReLU. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/layer.h"
#include "layers/nodes.h"

typedef struct conf {
    bool shared;
} conf;

static const dt_opt opts[] = {
    DT_OPT_BOOL(conf, shared, true, "one slope for all channels; false: one each"),
    DT_OPT_END,
};

static int build(dt_builder *b, const char *name, const void *config, const int *in, int in_count)
{
    const conf *c = config;
    const dt_shape *x = &b->graph->value[in[0]].shape;
    (void)in_count;
    int slope = dt_part_value(b, name, "weight",
                              (dt_value){ .kind = DT_VALUE_PARAM,
                                          .shape = DT_SHAPE(c->shared ? 1 : x->dim[x->rank - 1]),
                                          .role = DT_ROLE_BIAS,
                                          .init = DT_INIT_NUMBER,
                                          .number = (real)0.25 });
    return dt_part_node(b, "prelu", name, NULL, (const int[]){ in[0], slope }, 2);
}

const dt_layer dt_layer_row_prelu = {
    .row = { "prelu", "a learned slope below 0", opts, sizeof(conf) },
    .in_min = 1,
    .in_max = 1,
    .build = build,
};
