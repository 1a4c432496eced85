/* y = elements of x by an index for each axis: resized to the nearest, padded, rolled, repeated. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_remap.h"

#include <string.h>

#include "autograd/op.h"

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q * b > a ? q - 1 : q;
}

int64_t dt_remap_index(const dt_remap_axis *a, int64_t size, int64_t i)
{
    if (!a->count) return i;
    int64_t top = a->num * i + a->add, at = floor_div(top, a->den), around = 2 * (size - 1);
    if (a->border == DT_REMAP_FILL && at * a->den != top) return -1;
    if (at >= 0 && at < size) return at;
    switch (a->border) {
    case DT_REMAP_EDGE:
        return at < 0 ? 0 : size - 1;
    case DT_REMAP_REFLECT:
        if (size == 1) return 0;
        at -= floor_div(at, around) * around;
        return at < size ? at : around - at;
    case DT_REMAP_WRAP:
        return at - floor_div(at, size) * size;
    default:
        return -1;
    }
}

int64_t dt_remap_row(const dt_remap_conf *c, const dt_shape *x, const dt_shape *y, int64_t row)
{
    int64_t from = 0, stride = x->dim[x->rank - 1];
    for (int k = x->rank - 2; k > 0; k--) {
        int64_t at = dt_remap_index(&c->axis[k], x->dim[k], row % y->dim[k]);
        if (at < 0) return -1;
        from += at * stride;
        row /= y->dim[k];
        stride *= x->dim[k];
    }
    return from;
}

/* Fits a rule of the slope num / den: what lies at an end may have been beyond it. */
static bool fit_slope(const int64_t *index, int64_t count, int64_t size, dt_remap_axis *out)
{
    int64_t low = INT64_MIN, high = INT64_MAX;
    for (int64_t i = 0; i < count; i++) {
        int64_t least = out->den * index[i] - out->num * i, most = least + out->den - 1;
        if (index[i] > 0 && least > low) low = least;
        if (index[i] < size - 1 && most < high) high = most;
    }
    if (low > high || (low == INT64_MIN && high == INT64_MAX)) return false;
    out->add = low == INT64_MIN ? high : low;
    out->border = DT_REMAP_EDGE;
    return out->add >= -DT_REMAP_MOST && out->add <= DT_REMAP_MOST;
}

static bool has(const int64_t *index, int64_t count, int64_t size, const dt_remap_axis *a)
{
    for (int64_t i = 0; i < count; i++)
        if (dt_remap_index(a, size, i) != index[i]) return false;
    return true;
}

/* One step, which goes on beyond the ends: zeros, a mirror, the axis again. */
static bool fit_step(const int64_t *index, int64_t count, int64_t size, dt_remap_axis *out)
{
    int64_t at = 0;
    while (at < count && index[at] < 0)
        at++;
    if (at == count) return false;
    for (int64_t border = 0; border < DT_REMAP_BORDERS; border++)
        for (int64_t way = 1; way >= -1; way -= 2) {
            *out = (dt_remap_axis){ count, way, index[at] - way * at, 1, border };
            if (has(index, count, size, out)) return true;
            /* A mirror, whose first places are seen from behind it. */
            out->add = -index[at] - way * at;
            if (has(index, count, size, out)) return true;
        }
    return false;
}

bool dt_remap_fit(const int64_t *index, int64_t count, int64_t size, dt_remap_axis *out)
{
    const int64_t step = count > 1 ? index[1] - index[0] : 0;
    const int64_t slope[][2] = {
        { 0, 1 }, { size, count }, { step, 1 }, { size - 1, count - 1 }, { count, size },
    };
    bool inside = true;
    if (count < 1 || count > DT_REMAP_MOST || size < 1 || size > DT_REMAP_MOST) return false;
    for (int64_t i = 0; i < count; i++) {
        if (index[i] < -1 || index[i] >= size) return false;
        inside = inside && index[i] >= 0;
    }
    if (fit_step(index, count, size, out)) return true;
    for (int k = 0; inside && k < (int)(sizeof slope / sizeof *slope); k++) {
        *out = (dt_remap_axis){ count, slope[k][0], 0, slope[k][1], DT_REMAP_EDGE };
        if (out->den < 1) continue;
        if (fit_slope(index, count, size, out) && has(index, count, size, out)) return true;
    }
    return inside && size == 1 && (*out = (dt_remap_axis){ count, 0, 0, 1, DT_REMAP_EDGE }, true);
}

static bool is_rule(const dt_remap_axis *a)
{
    return a->count >= 0 && a->count <= DT_REMAP_MOST && a->num >= -DT_REMAP_MOST &&
           a->num <= DT_REMAP_MOST && a->add >= -DT_REMAP_MOST && a->add <= DT_REMAP_MOST &&
           a->den >= 1 && a->den <= DT_REMAP_MOST && a->border >= 0 && a->border < DT_REMAP_BORDERS;
}

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    const dt_remap_conf *c = conf;
    char text[DT_SHAPE_TEXT];
    (void)in_count;
    out[0] = in[0];
    bool fits = in[0].rank > 1 && !c->axis[0].count;
    for (int i = 1; i < in[0].rank; i++) {
        if (!c->axis[i].count) continue;
        fits = fits && is_rule(&c->axis[i]);
        out[0].dim[i] = c->axis[i].count;
    }
    for (int i = in[0].rank; i < DT_MAX_RANK; i++)
        fits = fits && !c->axis[i].count;
    if (fits && dt_shape_count(out)) return DT_OK;
    return dt_fail(err, DT_ERR_SHAPE, NULL, "the indices are no rules for the axes of %s",
                   dt_shape_print(&in[0], text));
}

/* Sample n: forward, or (`back`) the gradient, which is added. */
static void move(const dt_op_run *r, int64_t n, bool back)
{
    const dt_remap_conf *c = r->conf;
    const dt_shape *xs = &r->in_shape[0], *ys = &r->out_shape[0];
    const int last = xs->rank - 1;
    const int64_t C = xs->dim[last], O = ys->dim[last], N = xs->dim[0];
    const int64_t each = dt_shape_count(xs) / N, rows = dt_shape_count(ys) / N / O;
    for (int64_t row = 0; row < rows; row++) {
        int64_t from = dt_remap_row(c, xs, ys, row), to = (n * rows + row) * O;
        for (int64_t i = 0; i < O; i++) {
            int64_t at = from < 0 ? -1 : dt_remap_index(&c->axis[last], C, i);
            if (!back)
                ((real *)r->out[0])[to + i] =
                    at < 0 ? 0 : ((const real *)r->in[0])[n * each + from + at];
            else if (at >= 0)
                r->d_in[0][n * each + from + at] += r->d_out[0][to + i];
        }
    }
}

static void forward_sample(void *arg, int64_t n, int thread)
{
    (void)thread;
    move(arg, n, false);
}

static void backward_sample(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    const int64_t each = dt_shape_count(&r->in_shape[0]) / r->in_shape[0].dim[0];
    if (!r->add[0]) memset(r->d_in[0] + n * each, 0, (size_t)each * sizeof *r->d_in[0]);
    move(r, n, true);
}

static void forward(const dt_op_run *r)
{
    dt_op_each(r, r->in_shape[0].dim[0], forward_sample);
}

static void backward(const dt_op_run *r)
{
    dt_op_each(r, r->in_shape[0].dim[0], backward_sample);
}

static bool keeps_channels(const void *conf, const dt_shape *in)
{
    return !((const dt_remap_conf *)conf)->axis[in->rank - 1].count;
}

/* Twice as high and 5 columns of 3; zeros around, with one channel more; a mirror and a roll;
 * zeros between; tokens turned round, the second one of their channels repeated. */
static const dt_remap_conf larger = {
    .axis = { { 0 }, { 4, 1, 0, 2, DT_REMAP_EDGE }, { 5, 3, 0, 5, DT_REMAP_EDGE } }
};
static const dt_remap_conf padded = {
    .axis = { { 0 }, { 5, 1, -2, 1, 0 }, { 4, 1, -1, 1, 0 }, { 4, 1, -1, 1, 0 } }
};
static const dt_remap_conf mirrored = {
    .axis = { { 0 }, { 6, 1, -2, 1, DT_REMAP_REFLECT }, { 3, 1, 2, 1, DT_REMAP_WRAP } }
};
static const dt_remap_conf spread = {
    .axis = { { 0 }, { 6, 1, -1, 2, 0 }, { 5, 1, 0, 2, 0 }, { 4, 1, 1, 3, 0 } }
};
static const dt_remap_conf turned = { .axis = { { 0 }, { 3, -1, 2, 1, 0 }, { 4, 0, 1, 1, 0 } } };
static const dt_op_example examples[] = {
    { .in_count = 1, .in = { { 4, { 2, 2, 3, 2 } } }, .conf = &larger },
    { .in_count = 1, .in = { { 4, { 2, 2, 3, 2 } } }, .conf = &padded },
    { .in_count = 1, .in = { { 4, { 2, 3, 3, 2 } } }, .conf = &mirrored },
    { .in_count = 1, .in = { { 4, { 2, 3, 3, 2 } } }, .conf = &spread },
    { .in_count = 1, .in = { { 3, { 2, 3, 2 } } }, .conf = &turned },
    { .in_count = 0 },
};

const dt_op dt_op_remap = {
    .name = "remap",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .conf_size = sizeof(dt_remap_conf),
    .grads = 1,
    .accumulates = 1,
    .sign = DT_SIGN_KEEP,
    .moves_codes = true,
    .keeps_channels = keeps_channels,
    .form = "remap",
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
