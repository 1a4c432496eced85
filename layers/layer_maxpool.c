/* Maximum over windows, as torch.nn.MaxPool2d. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/layer.h"

typedef struct conf {
    int kernel, stride, pad;
} conf;

static const dt_opt opts[] = {
    DT_OPT_INT(conf, kernel, 2, 1, 1024, "rows and columns of a window"),
    DT_OPT_INT(conf, stride, 0, 0, 1024, "pixels to the next; 0: kernel"),
    DT_OPT_INT(conf, pad, 0, 0, 1024, "on every side, at most half of the kernel"),
    DT_OPT_END,
};

static int build(dt_builder *b, const char *name, const void *config, const int *in, int in_count)
{
    const conf *c = config;
    (void)in_count;
    return dt_layer_maxpool(b, name, in[0], c->kernel, c->stride ? c->stride : c->kernel, c->pad);
}

const dt_layer dt_layer_row_maxpool = {
    .row = { "maxpool", "maximum over windows", opts, sizeof(conf) },
    .in_min = 1,
    .in_max = 1,
    .build = build,
};
