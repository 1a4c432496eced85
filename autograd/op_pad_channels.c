/* The parameter-free shortcut of CIFAR ResNets (He 2016, option A): subsample, pad channels with
 * zeros: [N,H,W,C] -> [N,ceil(H/s),ceil(W/s),before+C+after]. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_pad_channels.h"

#include "autograd/op.h"

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)in_count;
    const dt_pad_channels_conf *c = conf;
    char a[DT_SHAPE_TEXT];
    if (in[0].rank != 4 || c->stride < 1 || c->before < 0 || c->after < 0)
        return dt_fail(err, DT_ERR_SHAPE, NULL, "input %s: wants 4 dimensions, stride 1 or more",
                       dt_shape_print(&in[0], a));
    int64_t s = c->stride;
    out[0] = DT_SHAPE(in[0].dim[0], (in[0].dim[1] + s - 1) / s, (in[0].dim[2] + s - 1) / s,
                      in[0].dim[3] + c->before + c->after);
    return DT_OK;
}

/* Picture n, forward or (`back`) gradient. */
static void move(const dt_op_run *r, int64_t n, bool back)
{
    const dt_pad_channels_conf *c = r->conf;
    const dt_shape *xs = &r->in_shape[0], *ys = &r->out_shape[0];
    int64_t W = xs->dim[2], C = xs->dim[3], OH = ys->dim[1], OW = ys->dim[2], O = ys->dim[3];
    int64_t from = n * xs->dim[1] * W * C, to = n * OH * OW * O;
    for (int64_t h = 0; h < OH; h++)
        for (int64_t w = 0; w < OW; w++) {
            int64_t xi = from + (h * c->stride * W + w * c->stride) * C;
            int64_t yi = to + (h * OW + w) * O;
            if (back) {
                for (int64_t i = 0; i < C; i++)
                    r->d_in[0][xi + i] += r->d_out[0][yi + c->before + i];
                continue;
            }
            const real *x = (const real *)r->in[0] + xi;
            real *y = (real *)r->out[0] + yi;
            for (int64_t i = 0; i < O; i++)
                y[i] = i >= c->before && i < c->before + C ? x[i - c->before] : 0;
        }
}

static void forward_one(void *arg, int64_t n, int thread)
{
    (void)thread;
    move(arg, n, false);
}

static void forward(const dt_op_run *r)
{
    dt_op_each(r, r->in_shape[0].dim[0], forward_one);
}

static void backward_one(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    int64_t size = dt_shape_count(&r->in_shape[0]) / r->in_shape[0].dim[0];
    if (!r->add[0])
        for (int64_t i = 0; i < size; i++)
            r->d_in[0][n * size + i] = 0;
    move(r, n, true);
}

static void backward(const dt_op_run *r)
{
    dt_op_each(r, r->in_shape[0].dim[0], backward_one);
}

static const dt_pad_channels_conf half = { 2, 1, 2 };
static const dt_op_example examples[] = {
    { .in_count = 1, .in = { { 4, { 2, 5, 4, 3 } } }, .conf = &half },
    { .in_count = 0 },
};

static const dt_opt opts[] = {
    DT_OPT_INT(dt_pad_channels_conf, stride, 1, 1, 1 << 20, "rows and columns that are kept"),
    DT_OPT_INT(dt_pad_channels_conf, before, 0, 0, 1 << 30, "zero channels in front"),
    DT_OPT_INT(dt_pad_channels_conf, after, 0, 0, 1 << 30, "zero channels behind"),
    DT_OPT_END,
};

const dt_op dt_op_pad_channels = {
    .name = "pad_channels",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .opts = opts,
    .conf_size = sizeof(dt_pad_channels_conf),
    .grads = 1,
    .accumulates = 1,
    .sign = DT_SIGN_KEEP,
    .moves_codes = true,
    .form = "pad",
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
