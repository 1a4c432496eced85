/* Layers that move elements: padding around a picture, resizing to the nearest pixels, channels
 * that are pixels and the other way round (torch.nn.PixelShuffle, PixelUnshuffle), and channels of
 * groups in turn (torch.nn.ChannelShuffle), or a part of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_arrange.h"
#include "autograd/op_remap.h"
#include "autograd/op_slice.h"
#include "layers/layer.h"
#include "layers/nodes.h"

enum { MOST = 1 << 10, PIXELS = 1 << 14 };

static int refuse(dt_builder *b, const char *name, const char *why)
{
    return dt_builder_fail(b, dt_fail(b->err, DT_ERR_SHAPE, &(dt_where){ .key = name }, "%s", why));
}

/* Its shape; NULL: it is no picture, which is refused. */
static const dt_shape *picture_of(dt_builder *b, const char *name, int x)
{
    const dt_shape *s = x < 0 ? NULL : &b->graph->value[x].shape;
    if (!s || s->rank == 4) return s;
    refuse(b, name, "its input is no picture [N,H,W,C]");
    return NULL;
}

/* ---- pad ---- */

typedef struct pad_conf {
    int pad, top, bottom, left, right, mode;
} pad_conf;

static const dt_opt pad_opts[] = {
    DT_OPT_INT(pad_conf, pad, 0, 0, MOST, "pixels on every side"),
    DT_OPT_INT(pad_conf, top, -1, -1, MOST, "above; -1: pad"),
    DT_OPT_INT(pad_conf, bottom, -1, -1, MOST, "below; -1: pad"),
    DT_OPT_INT(pad_conf, left, -1, -1, MOST, "left; -1: pad"),
    DT_OPT_INT(pad_conf, right, -1, -1, MOST, "right; -1: pad"),
    DT_OPT_ENUM(pad_conf, mode, DT_REMAP_FILL, "zeros|edge|reflect|wrap",
                "what they are: zeros, the nearest pixel, a mirror, the other side"),
    DT_OPT_END,
};

static int build_pad(dt_builder *b, const char *name, const void *config, const int *in,
                     int in_count)
{
    const pad_conf *c = config;
    const dt_shape *s = picture_of(b, name, in[0]);
    const int side[] = { c->top, c->bottom, c->left, c->right };
    int64_t by[4];
    dt_remap_conf m = { .axis = { { 0 } } };
    (void)in_count;
    if (!s) return -1;
    for (int i = 0; i < 4; i++)
        by[i] = side[i] < 0 ? c->pad : side[i];
    for (int i = 0; i < 2; i++)
        m.axis[1 + i] =
            (dt_remap_axis){ s->dim[1 + i] + by[2 * i] + by[2 * i + 1], 1, -by[2 * i], 1, c->mode };
    return dt_part_node(b, "remap", name, &m, in, 1);
}

const dt_layer dt_layer_row_pad = {
    .row = { "pad", "pixels around a picture", pad_opts, sizeof(pad_conf) },
    .in_min = 1,
    .in_max = 1,
    .build = build_pad,
};

/* ---- nearest pixels ---- */

typedef struct resize_conf {
    int factor, height, width;
} resize_conf;

static const dt_opt resize_opts[] = {
    DT_OPT_INT(resize_conf, factor, 2, 1, MOST, "so many times as high and wide"),
    DT_OPT_INT(resize_conf, height, 0, 0, PIXELS, "rows; 0: factor"),
    DT_OPT_INT(resize_conf, width, 0, 0, PIXELS, "columns; 0: factor"),
    DT_OPT_END,
};

static int build_resize(dt_builder *b, const char *name, const void *config, const int *in,
                        int in_count)
{
    const resize_conf *c = config;
    const dt_shape *s = picture_of(b, name, in[0]);
    const int to[] = { c->height, c->width };
    dt_remap_conf m = { .axis = { { 0 } } };
    (void)in_count;
    if (!s) return -1;
    for (int i = 0; i < 2; i++) {
        int64_t size = s->dim[1 + i], out = to[i] ? to[i] : size * c->factor;
        m.axis[1 + i] = (dt_remap_axis){ out, size, 0, out, DT_REMAP_EDGE };
    }
    return dt_part_node(b, "remap", name, &m, in, 1);
}

const dt_layer dt_layer_row_nearest = {
    .row = { "nearest", "a picture of another size, of the nearest pixels", resize_opts,
             sizeof(resize_conf) },
    .in_min = 1,
    .in_max = 1,
    .build = build_resize,
};

/* ---- channels and pixels ---- */

typedef struct block_conf {
    int block;
} block_conf;

static const dt_opt block_opts[] = {
    DT_OPT_INT(block_conf, block, 2, 1, MOST, "rows and columns of a block"),
    DT_OPT_END,
};

static int build_pixels(dt_builder *b, const char *name, const void *config, const int *in,
                        int in_count)
{
    const int64_t k = ((const block_conf *)config)->block;
    const dt_shape *s = picture_of(b, name, in[0]);
    (void)in_count;
    if (!s) return -1;
    if (s->dim[3] % (k * k)) return refuse(b, name, "its channels are no blocks");
    const dt_arrange_conf c = { .rank = 4,
                                .loops = 5,
                                .loop = { { 1, 1, s->dim[1], 1 },
                                          { 3, 1, k, k },
                                          { 2, 2, s->dim[2], 1 },
                                          { 3, 2, k, 1 },
                                          { 3, 3, s->dim[3] / (k * k), k * k } } };
    return dt_part_node(b, "arrange", name, &c, in, 1);
}

static int build_depth(dt_builder *b, const char *name, const void *config, const int *in,
                       int in_count)
{
    const int64_t k = ((const block_conf *)config)->block;
    const dt_shape *s = picture_of(b, name, in[0]);
    (void)in_count;
    if (!s) return -1;
    if (s->dim[1] % k || s->dim[2] % k) return refuse(b, name, "its pixels are no blocks");
    const dt_arrange_conf c = { .rank = 4,
                                .loops = 5,
                                .loop = { { 1, 1, s->dim[1] / k, k },
                                          { 2, 2, s->dim[2] / k, k },
                                          { 3, 3, s->dim[3], 1 },
                                          { 1, 3, k, 1 },
                                          { 2, 3, k, 1 } } };
    return dt_part_node(b, "arrange", name, &c, in, 1);
}

const dt_layer dt_layer_row_pixel_shuffle = {
    .row = { "pixel_shuffle", "channels become blocks of pixels", block_opts, sizeof(block_conf) },
    .in_min = 1,
    .in_max = 1,
    .build = build_pixels,
};
const dt_layer dt_layer_row_pixel_unshuffle = {
    .row = { "pixel_unshuffle", "blocks of pixels become channels", block_opts,
             sizeof(block_conf) },
    .in_min = 1,
    .in_max = 1,
    .build = build_depth,
};

/* ---- channels in turn ---- */

typedef struct shuffle_conf {
    int groups;
} shuffle_conf;

static const dt_opt shuffle_opts[] = {
    DT_OPT_INT(shuffle_conf, groups, 2, 1, PIXELS, "of channels, whose first come first"),
    DT_OPT_END,
};

static int build_shuffle(dt_builder *b, const char *name, const void *config, const int *in,
                         int in_count)
{
    const int64_t groups = ((const shuffle_conf *)config)->groups;
    const dt_shape *s = picture_of(b, name, in[0]);
    (void)in_count;
    if (!s) return -1;
    if (s->dim[3] % groups) return refuse(b, name, "its channels are no groups");
    const dt_arrange_conf c = { .rank = 4,
                                .loops = 4,
                                .loop = { { 1, 1, s->dim[1], 1 },
                                          { 2, 2, s->dim[2], 1 },
                                          { 3, 3, s->dim[3] / groups, 1 },
                                          { 3, 3, groups, s->dim[3] / groups } } };
    return dt_part_node(b, "arrange", name, &c, in, 1);
}

const dt_layer dt_layer_row_channel_shuffle = {
    .row = { "channel_shuffle", "channels of groups in turn", shuffle_opts, sizeof(shuffle_conf) },
    .in_min = 1,
    .in_max = 1,
    .build = build_shuffle,
};

/* ---- a part of the channels ---- */

typedef struct slice_conf {
    int part, parts;
} slice_conf;

static const dt_opt slice_opts[] = {
    DT_OPT_INT(slice_conf, part, 0, 0, PIXELS, "which of equal parts of the last axis"),
    DT_OPT_INT(slice_conf, parts, 2, 1, PIXELS, "of the last axis"),
    DT_OPT_END,
};

static int build_slice(dt_builder *b, const char *name, const void *config, const int *in,
                       int in_count)
{
    const slice_conf *c = config;
    const dt_shape *s = in[0] < 0 ? NULL : &b->graph->value[in[0]].shape;
    (void)in_count;
    if (!s) return -1;
    int last = s->rank - 1;
    if (s->dim[last] % c->parts || c->part >= c->parts)
        return refuse(b, name, "its part is none of equal ones of the last axis");
    const dt_slice_conf part = { c->part, c->parts };
    if (s->rank == 3) return dt_part_node(b, "slice", name, &part, in, 1); /* of tokens */
    int64_t size = s->dim[last] / c->parts;
    dt_arrange_conf m = { .rank = s->rank, .loops = last };
    m.first[last] = c->part * size;
    for (int i = 1; i <= last; i++)
        m.loop[i - 1] = (dt_arrange_loop){ i, i, i < last ? s->dim[i] : size, 1 };
    return dt_part_node(b, "arrange", name, &m, in, 1);
}

const dt_layer dt_layer_row_slice = {
    .row = { "slice", "one of equal parts of the last axis", slice_opts, sizeof(slice_conf) },
    .in_min = 1,
    .in_max = 1,
    .build = build_slice,
};
