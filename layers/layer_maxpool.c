/* Maximum over windows, as torch.nn.MaxPool2d. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_maxpool.h"
#include "layers/layer.h"
#include "layers/nodes.h"

typedef struct conf {
    int kernel, stride, pad;
    bool ceil;
} conf;

static const dt_opt opts[] = {
    DT_OPT_INT(conf, kernel, 2, 1, 1024, "rows and columns of a window"),
    DT_OPT_INT(conf, stride, 0, 0, 1024, "pixels to the next; 0: kernel"),
    DT_OPT_INT(conf, pad, 0, 0, 1024, "on every side, at most half of the kernel"),
    DT_OPT_BOOL(conf, ceil, false, "a last window may reach beyond the padding"),
    DT_OPT_END,
};

/* How far a further window reaches, which has to begin inside or in the padding in front. */
static int more(const conf *c, int64_t size, int stride)
{
    int64_t room = size + 2 * c->pad - c->kernel, left = room % stride;
    bool begins = room >= 0 && left && (room / stride + 1) * stride < size + c->pad;
    return begins ? (int)(stride - left) : 0;
}

static int build(dt_builder *b, const char *name, const void *config, const int *in, int in_count)
{
    const conf *c = config;
    const dt_shape *x = &b->graph->value[in[0]].shape;
    int stride = c->stride ? c->stride : c->kernel;
    (void)in_count;
    bool up = c->ceil && x->rank == 4;
    const dt_maxpool_conf pool = { { .kernel_h = c->kernel,
                                     .kernel_w = c->kernel,
                                     .stride_h = stride,
                                     .stride_w = stride,
                                     .pad_h = c->pad,
                                     .pad_w = c->pad,
                                     .more_h = up ? more(c, x->dim[1], stride) : 0,
                                     .more_w = up ? more(c, x->dim[2], stride) : 0 } };
    return dt_part_node(b, "maxpool", name, &pool, in, 1);
}

const dt_layer dt_layer_row_maxpool = {
    .row = { "maxpool", "maximum over windows", opts, sizeof(conf) },
    .in_min = 1,
    .in_max = 1,
    .build = build,
};
