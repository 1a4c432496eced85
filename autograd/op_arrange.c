/* y = elements of x in another order: parts of axes, axes in another order, split and joined. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_arrange.h"

#include <string.h>

#include "autograd/op.h"

/* What a configuration says of an input, or the rule that it breaks. */
static const char *check(const dt_arrange_conf *c, const dt_shape *x)
{
    int64_t last[DT_MAX_RANK];
    if (c->rank < 2 || c->rank > DT_MAX_RANK || c->loops < 0 || c->loops > DT_ARRANGE_LOOPS)
        return "has ranks or loops that there are not";
    for (int i = 0; i < x->rank; i++)
        last[i] = c->first[i];
    for (int k = 0; k < c->loops; k++) {
        const dt_arrange_loop *l = &c->loop[k];
        if (l->from < 1 || l->from >= x->rank || l->to < 1 || l->to >= c->rank)
            return "has a loop over an axis that there is not";
        if (k > 0 && l->to < l[-1].to) return "has loops in another order than axes";
        if (l->count < 1 || l->step < 1 || l->count > x->dim[l->from] || l->step > x->dim[l->from])
            return "has a loop of more elements than there are";
        last[l->from] += (l->count - 1) * l->step;
    }
    for (int i = 1; i < x->rank; i++)
        if (c->first[i] < 0 || last[i] >= x->dim[i]) return "leaves an axis";
    return NULL;
}

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    const dt_arrange_conf *c = conf;
    (void)in_count;
    char text[DT_SHAPE_TEXT];
    const char *wrong = check(c, &in[0]);
    if (wrong)
        return dt_fail(err, DT_ERR_SHAPE, NULL, "the order of elements of %s %s",
                       dt_shape_print(&in[0], text), wrong);
    *out = (dt_shape){ .rank = c->rank, .dim = { in[0].dim[0] } };
    for (int i = 1; i < c->rank; i++)
        out->dim[i] = 1;
    for (int k = 0; k < c->loops; k++)
        out->dim[c->loop[k].to] *= c->loop[k].count;
    return DT_OK;
}

dt_arrange_walk dt_arrange_walk_of(const dt_arrange_conf *c, const dt_shape *x)
{
    dt_arrange_walk w = { .loops = 0 };
    int64_t stride[DT_MAX_RANK], all = 1;
    for (int i = x->rank - 1; i > 0; i--) {
        stride[i] = all;
        w.offset += c->first[i] * all;
        all *= x->dim[i];
    }
    for (int k = 0; k < c->loops; k++) {
        int64_t count = c->loop[k].count, step = c->loop[k].step * stride[c->loop[k].from];
        if (count == 1) continue;
        if (w.loops && w.stride[w.loops - 1] == step * count) {
            w.count[w.loops - 1] *= count;
            w.stride[w.loops - 1] = step;
            continue;
        }
        w.count[w.loops] = count;
        w.stride[w.loops++] = step;
    }
    if (!w.loops) w.count[w.loops++] = 1;
    return w;
}

/* Goes on to the next run of the innermost loop; false: there is none. */
static bool next(const dt_arrange_walk *w, int64_t *at, int64_t *from)
{
    for (int k = w->loops - 1; k-- > 0;) {
        *from += w->stride[k];
        if (++at[k] < w->count[k]) return true;
        *from -= w->stride[k] * at[k];
        at[k] = 0;
    }
    return false;
}

static void forward_sample(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    const dt_arrange_walk w = dt_arrange_walk_of(r->conf, &r->in_shape[0]);
    int64_t N = r->in_shape[0].dim[0], at[DT_ARRANGE_LOOPS] = { 0 }, from = w.offset;
    int64_t run = w.count[w.loops - 1], step = w.stride[w.loops - 1];
    const real *x = (const real *)r->in[0] + n * (dt_shape_count(&r->in_shape[0]) / N);
    real *y = (real *)r->out[0] + n * (dt_shape_count(&r->out_shape[0]) / N);
    do {
        if (step == 1)
            memcpy(y, x + from, (size_t)run * sizeof *y);
        else
            for (int64_t i = 0; i < run; i++)
                y[i] = x[from + i * step];
        y += run;
    } while (next(&w, at, &from));
}

static void backward_sample(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    const dt_arrange_walk w = dt_arrange_walk_of(r->conf, &r->in_shape[0]);
    int64_t N = r->in_shape[0].dim[0], at[DT_ARRANGE_LOOPS] = { 0 }, from = w.offset;
    int64_t run = w.count[w.loops - 1], step = w.stride[w.loops - 1];
    int64_t each = dt_shape_count(&r->in_shape[0]) / N;
    const real *g = r->d_out[0] + n * (dt_shape_count(&r->out_shape[0]) / N);
    real *d = r->d_in[0] + n * each;
    if (!r->add[0]) memset(d, 0, (size_t)each * sizeof *d);
    do {
        for (int64_t i = 0; i < run; i++)
            d[from + i * step] += g[i];
        g += run;
    } while (next(&w, at, &from));
}

static void forward(const dt_op_run *r)
{
    dt_op_each(r, r->in_shape[0].dim[0], forward_sample);
}

static void backward(const dt_op_run *r)
{
    dt_op_each(r, r->in_shape[0].dim[0], backward_sample);
}

/* The last axis alone goes to the last axis, as it is. */
static bool keeps_channels(const void *conf, const dt_shape *in)
{
    const dt_arrange_conf *c = conf;
    int64_t C = in->dim[in->rank - 1];
    for (int k = 0; k < c->loops; k++) {
        const dt_arrange_loop *l = &c->loop[k];
        bool from = l->from == in->rank - 1, to = l->to == c->rank - 1;
        if (l->count > 1 && (from != to || (from && (l->count != C || l->step != 1)))) return false;
    }
    return c->first[in->rank - 1] == 0;
}

/* Channels in the order of a shuffle of 2 groups; rows that a foreign file flattens as [C,H,W];
 * every second channel of a picture's part; one token. */
static const dt_arrange_conf shuffle = {
    .rank = 4,
    .loops = 4,
    .loop = { { 1, 1, 3, 1 }, { 2, 2, 2, 1 }, { 3, 3, 3, 1 }, { 3, 3, 2, 3 } }
};
static const dt_arrange_conf flat = { .rank = 2,
                                      .loops = 3,
                                      .loop = { { 3, 1, 4, 1 }, { 1, 1, 2, 1 }, { 2, 1, 3, 1 } } };
static const dt_arrange_conf some = { .rank = 4,
                                      .loops = 3,
                                      .first = { 0, 1, 0, 1 },
                                      .loop = { { 1, 1, 2, 1 }, { 2, 2, 2, 1 }, { 3, 3, 2, 2 } } };
static const dt_arrange_conf token = {
    .rank = 2, .loops = 1, .first = { 0, 2 }, .loop = { { 2, 1, 5, 1 } }
};
static const dt_op_example examples[] = {
    { .in_count = 1, .in = { { 4, { 2, 3, 2, 6 } } }, .conf = &shuffle },
    { .in_count = 1, .in = { { 4, { 2, 2, 3, 4 } } }, .conf = &flat },
    { .in_count = 1, .in = { { 4, { 2, 3, 2, 4 } } }, .conf = &some },
    { .in_count = 1, .in = { { 3, { 3, 4, 5 } } }, .conf = &token },
    { .in_count = 0 },
};

const dt_op dt_op_arrange = {
    .name = "arrange",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .conf_size = sizeof(dt_arrange_conf),
    .grads = 1,
    .accumulates = 1,
    .sign = DT_SIGN_KEEP,
    .moves_codes = true,
    .keeps_channels = keeps_channels,
    .form = "arrange",
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
