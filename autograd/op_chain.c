/* Batch normalisation and what follows it in one pass over memory (op_chain.h).
 *
 * Backward recomputes the stages' values from x and the operands: in a first pass it goes back
 * through the stages to the gradient of v[0], which takes the memory of x's gradient, and sums up
 * what gamma, beta and the quantizers want. The second pass makes dx of it: in place, or, where x
 * comes from a convolution, left to that (`finish_grad`) while its pictures are in cache. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_chain.h"

#include <math.h>
#include <string.h>

#include "autograd/op_fakequant.h"
#include "autograd/op_relu6.h"
#include "autograd/sums.h"
#include "core/thread.h"
#include "kernels/point_work.h"

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    const dt_chain_conf *c = conf;
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    (void)in_count;
    for (int i = 0; i < c->count; i++) {
        const dt_chain_stage *s = &c->stage[i];
        if (s->out >= 0) out[s->out] = in[0];
        if (s->kind == DT_CHAIN_ADD && !dt_shape_equal(&in[0], &in[s->in]))
            return dt_fail(err, DT_ERR_SHAPE, NULL, "%s and %s cannot be added",
                           dt_shape_print(&in[0], a), dt_shape_print(&in[s->in], b));
    }
    return DT_OK;
}

static int64_t tile_of(const dt_point_layout *l)
{
    return l->T >= DT_CHAIN_TILE ? l->T : DT_CHAIN_TILE / l->T * l->T;
}

/* Where the parts of a call's memory lie, in bytes. The work of both passes: batchnorm's, then the
 * values of a tile for each thread; then in forward what they found, in backward the sums of the
 * quantizers. */
typedef struct room {
    size_t values, bad, sums, forward, backward; /* of the work */
    size_t columns, saved;                       /* of what is saved */
} room;

static room lay_out(const dt_op_run *r, dt_batchnorm_dims d, const dt_point_layout *l)
{
    const dt_chain_conf *c = r->conf;
    size_t threads = (size_t)r->threads, stages = (size_t)c->count;
    room m = { .values = dt_aligned(dt_batchnorm_work_bytes(d, r->threads)) };
    m.bad = m.sums =
        m.values + dt_aligned(sizeof(real) * (stages + 2) * threads * (size_t)tile_of(l));
    m.forward = m.bad + sizeof(bool) * threads;
    m.backward = m.sums + sizeof(dt_encode_sums) * stages * (size_t)l->blocks;
    m.columns = dt_aligned(dt_batchnorm_saved_bytes(d));
    m.saved = m.columns + 5 * sizeof(real) * (size_t)l->T;
    return m;
}

/* The saved factors of dx, [5][T]: mean, k, a, b of dt_batchnorm_factors, and the scales of x. */
static real *saved_columns(const dt_op_run *r, const room *m)
{
    return (real *)(void *)((unsigned char *)r->saved + m->columns);
}

/* One call: what its tasks share. */
typedef struct call {
    const dt_op_run *r;
    const dt_chain_conf *c;
    dt_batchnorm_dims d;
    dt_point_layout l;
    int64_t tile;
    room m;
    dt_encode encode[DT_CHAIN_STAGES];
    dt_quant_site site[DT_CHAIN_STAGES];
    real params[DT_CHAIN_STAGES][DT_QUANT_MAX_PARAMS];
    real *values;         /* [threads][stages + 2][tile]; the last: dx where it is not wanted */
    bool *bad;            /* forward: [threads]: codes hid a value that is not finite */
    dt_encode_sums *sums; /* backward: [blocks][stages] */
} call;

static void memory(const dt_op_run *r, dt_op_memory *out)
{
    dt_batchnorm_dims d = dt_batchnorm_dims_of(&r->in_shape[0]);
    dt_point_layout l = dt_point_lay_out(d.rows, d.C, NULL);
    room m = lay_out(r, d, &l);
    out->saved = m.saved;
    out->forward_work = m.forward;
    out->backward_work = m.backward;
}

/* Per-channel factors in the layout's columns: mean, k, beta, and the scales of x where it is sums.
 */
static void expand(const call *k, int column, const real *from)
{
    for (int64_t j = 0; j < k->l.T; j++)
        k->l.column[column][j] = from[j % k->d.C];
}

/* The call's memory; the first 5 C doubles of the work are the caller's. */
static call begin(const dt_op_run *r)
{
    call k = { .r = r, .c = r->conf, .d = dt_batchnorm_dims_of(&r->in_shape[0]) };
    unsigned char *work = r->work;
    k.l = dt_point_lay_out(k.d.rows, k.d.C, (double *)r->work + 5 * k.d.C);
    k.tile = tile_of(&k.l);
    k.m = lay_out(r, k.d, &k.l);
    k.values = (real *)(void *)(work + k.m.values);
    k.bad = (bool *)(work + k.m.bad);
    k.sums = (dt_encode_sums *)(void *)(work + k.m.sums);
    if (k.c->sums) expand(&k, 3, dt_sums_at(r->in[0], k.d.C).scale);
    for (int i = 0; i < k.c->count; i++) {
        const dt_chain_stage *s = &k.c->stage[i];
        if (s->kind != DT_CHAIN_QUANT) continue;
        k.site[i] = dt_fakequant_site(s->quant, &r->in_shape[0]);
        dt_fakequant_plan(s->quant, &k.site[i], r->in + s->in, NULL, 0, k.params[i], &k.encode[i]);
    }
    return k;
}

static int64_t block_begin(const call *k, int64_t block, int64_t *n)
{
    int64_t first = block * k->l.block_rows, rows = k->d.rows - first;
    *n = (rows < k->l.block_rows ? rows : k->l.block_rows) * k->d.C;
    return first * k->d.C;
}

/* Stage i on n elements at `at`. */
static void run_stage(const call *k, int i, int64_t at, int64_t n, const real *x, real *y)
{
    const dt_chain_stage *s = &k->c->stage[i];
    const dt_tile_kernels *t = &k->r->kernels->tile;
    if (s->kind == DT_CHAIN_RELU)
        t->relu(n, x, y);
    else if (s->kind == DT_CHAIN_RELU6)
        t->clip(n, x, DT_RELU6_HIGH, y);
    else if (s->kind == DT_CHAIN_ADD)
        t->add(n, x, (const real *)k->r->in[s->in] + at, y);
    else
        t->encode(n, x, &k->encode[i], y);
}

static dt_tile_x x_at(const call *k, int64_t at)
{
    if (!k->c->sums) return (dt_tile_x){ .x = (const real *)k->r->in[0] + at };
    dt_sums x = dt_sums_at(k->r->in[0], k->d.C);
    return (dt_tile_x){ .sum = x.sum + at, .center = *x.center, .scale = k->l.column[3] };
}

static real height(dt_chain_kind kind)
{
    return kind == DT_CHAIN_RELU ? (real)INFINITY : kind == DT_CHAIN_RELU6 ? DT_RELU6_HIGH : 0;
}

/* The normalisation, and the first stage in the same pass where that is a rectifier whose input
 * nothing else reads: *stage is then 1. */
static dt_tile_norm norm_of(const call *k, int *stage)
{
    dt_tile_norm z = { k->l.column[0], k->l.column[1], k->l.column[2],
                       height(k->c->stage[0].kind) };
    *stage = z.high > 0;
    return z;
}

static void forward_tile(const call *k, int64_t at, int64_t n, real *buffer, bool *bad)
{
    const dt_tile_kernels *t = &k->r->kernels->tile;
    int i;
    dt_tile_norm z = norm_of(k, &i);
    const dt_chain_stage *s = &k->c->stage[i];
    if (i < k->c->count && s->codes && !k->encode[i].thresholds && (i == 0 || s[-1].out < 0)) {
        *bad |= !t->norm_codes(n, k->l.T, x_at(k, at), z, &k->encode[i],
                               (uint8_t *)k->r->out[s->out] + at);
        return;
    }
    real *v = i > 0 && s[-1].out >= 0 ? (real *)k->r->out[s[-1].out] + at : buffer;
    t->norm(n, k->l.T, x_at(k, at), z, v);
    for (; i < k->c->count; i++) {
        s = &k->c->stage[i];
        if (s->codes) {
            *bad |= !t->codes(n, v, &k->encode[i], (uint8_t *)k->r->out[s->out] + at);
            return;
        }
        real *to = s->out >= 0 ? (real *)k->r->out[s->out] + at : buffer;
        run_stage(k, i, at, n, v, to);
        v = to;
    }
}

static void forward_block(void *arg, int64_t block, int thread)
{
    const call *k = arg;
    int64_t n, first = block_begin(k, block, &n);
    real *buffer = k->values + thread * (k->c->count + 2) * k->tile;
    for (int64_t at = 0; at < n; at += k->tile)
        forward_tile(k, first + at, n - at < k->tile ? n - at : k->tile, buffer, &k->bad[thread]);
}

static void moments_block(void *arg, int64_t block, int thread)
{
    const call *k = arg;
    int64_t n, first = block_begin(k, block, &n), C = k->d.C, T = k->l.T;
    k->r->kernels->tile.moments(n / C, C, T, x_at(k, first), k->l.lanes + thread * 2 * T,
                                k->l.partial + block * 2 * C);
}

/* Where x is sums; else they are batchnorm's. */
static void moments(call *k, double *mean, double *var)
{
    dt_parallel(k->r->threads, k->l.blocks, moments_block, k);
    dt_point_join(&k->l, k->d.rows, k->d.C, mean, var);
}

static void measure(const dt_op_run *r, double *to)
{
    call k = begin(r);
    int64_t C = k.d.C;
    if (k.c->sums)
        moments(&k, to, to + C);
    else
        r->kernels->point.moments(r->threads, k.d.rows, C, r->in[0], (double *)r->work + 5 * C, to,
                                  to + C);
}

static void forward(const dt_op_run *r)
{
    call k = begin(r);
    double *mean = r->work;
    real *factor = (real *)(mean + 2 * k.d.C);
    bool known = k.c->sums && r->norms != DT_NORMS_RUNNING && !r->joined;
    if (known) moments(&k, mean, mean + k.d.C);
    dt_batchnorm_statistics(r, &k.c->norm, known, r->work, factor);
    const real *saved = r->saved, *beta = r->in[DT_BN_BETA];
    for (int64_t i = 0; i < k.d.C; i++)
        *r->lost = *r->lost || !isfinite(saved[i]) || !isfinite(factor[i]) || !isfinite(beta[i]);
    for (int64_t i = 0; k.c->sums && i < k.d.C; i++)
        *r->lost = *r->lost || !isfinite(dt_sums_at(r->in[0], k.d.C).scale[i]);
    for (int i = 0; i < k.c->count; i++)
        if (k.c->stage[i].kind == DT_CHAIN_QUANT)
            *r->lost = *r->lost || !isfinite(k.encode[i].scale);
    expand(&k, 0, r->saved);
    expand(&k, 1, factor);
    expand(&k, 2, r->in[DT_BN_BETA]);
    memset(k.bad, 0, sizeof *k.bad * (size_t)r->threads);
    dt_parallel(r->threads, k.l.blocks, forward_block, &k);
    for (int i = 0; i < r->threads; i++)
        *r->lost = *r->lost || k.bad[i];
}

/* The gradient of stage i's value from what reads it: outputs, and the stage after it (g, NULL:
 * none does). */
static const real *join_gradients(const call *k, int i, int64_t at, int64_t n, const real *g,
                                  real *to)
{
    int out = k->c->stage[i].out;
    const real *d_out = out >= 0 ? k->r->d_out[out] : NULL;
    if (!d_out) return g;
    if (!g) return d_out + at;
    k->r->kernels->tile.add(n, g, d_out + at, to);
    return to;
}

/* Back through the stages; v[i]: the value that stage i reads. The gradient of v[0] goes to `to`.
 */
static void back_stages(const call *k, int64_t at, int64_t n, real *const *v, real *to,
                        dt_encode_sums *sums)
{
    const dt_tile_kernels *t = &k->r->kernels->tile;
    const real *g = NULL;
    for (int i = k->c->count - 1; i >= 0; i--) {
        const dt_chain_stage *s = &k->c->stage[i];
        g = join_gradients(k, i, at, n, g, to);
        if (!g) continue;
        if (s->kind == DT_CHAIN_ADD) {
            real *other = k->r->d_in[s->in];
            if (other) memcpy(other + at, g, (size_t)n * sizeof *g);
            continue;
        }
        if (s->kind == DT_CHAIN_RELU)
            t->relu_back(n, v[i + 1], g, to, false);
        else if (s->kind == DT_CHAIN_RELU6)
            t->clip_back(n, v[i + 1], g, DT_RELU6_HIGH, to, false);
        else
            t->encode_back(n, v[i], g, &k->encode[i], to, false, &sums[i]);
        g = to;
    }
    if (g != to) memcpy(to, g, (size_t)n * sizeof *g);
}

static bool is_rectifier(dt_chain_kind kind)
{
    return kind == DT_CHAIN_RELU || kind == DT_CHAIN_RELU6;
}

static void backward_tile(const call *k, int64_t at, int64_t n, int thread, real *lanes,
                          dt_encode_sums *sums)
{
    const dt_tile_kernels *t = &k->r->kernels->tile;
    real *v[DT_CHAIN_STAGES + 2];
    for (int i = 0; i < k->c->count + 2; i++)
        v[i] = k->values + (thread * (k->c->count + 2) + i) * k->tile;
    real *dz = k->r->d_in[0] ? k->r->d_in[0] + at : v[k->c->count + 1];
    int first;
    dt_tile_norm z = norm_of(k, &first);
    t->norm(n, k->l.T, x_at(k, at), z, v[first]);
    for (int i = first; i < k->c->count; i++)
        if (i + 1 < k->c->count || is_rectifier(k->c->stage[i].kind))
            run_stage(k, i, at, n, v[i], v[i + 1]);
    back_stages(k, at, n, v, dz, sums);
    t->norm_sums(n, k->l.T, x_at(k, at), dz, k->l.column[0], lanes, lanes + k->l.T);
}

static void backward_block(void *arg, int64_t block, int thread)
{
    const call *k = arg;
    int64_t n, first = block_begin(k, block, &n), T = k->l.T, C = k->d.C;
    real *lanes = k->l.lanes + thread * 2 * T;
    dt_encode_sums *sums = k->sums + block * k->c->count;
    memset(lanes, 0, (size_t)(2 * T) * sizeof *lanes);
    for (int i = 0; i < k->c->count; i++)
        sums[i] = (dt_encode_sums){ 0 };
    for (int64_t at = 0; at < n; at += k->tile)
        backward_tile(k, first + at, n - at < k->tile ? n - at : k->tile, thread, lanes, sums);
    k->r->kernels->tile.fold(T, C, lanes, k->l.partial + block * 2 * C);
    k->r->kernels->tile.fold(T, C, lanes + T, k->l.partial + block * 2 * C + C);
}

/* Gradients of the quantizer of stage i: blocks are added in order. */
static void quantizer_gradients(const call *k, int i)
{
    const dt_chain_stage *s = &k->c->stage[i];
    dt_encode_sums total = { 0 };
    for (int64_t b = 0; b < k->l.blocks; b++) {
        const dt_encode_sums *part = &k->sums[b * k->c->count + i];
        total.residual += part->residual;
        total.inside += part->inside;
        total.below += part->below;
        total.above += part->above;
        total.kept += part->kept;
    }
    dt_fakequant_param_grads(s->quant, &k->site[i], k->params[i], &k->encode[i], &total, 0,
                             k->r->d_in + s->in);
}

static void save_columns(const call *k, const real *factor, const real *a, const real *b)
{
    const real *const from[] = { k->r->saved, factor, a, b };
    real *to = saved_columns(k->r, &k->m);
    for (int column = 0; column < 4; column++)
        for (int64_t j = 0; j < k->l.T; j++)
            *to++ = from[column][j % k->d.C];
    if (k->c->sums) memcpy(to, k->l.column[3], (size_t)k->l.T * sizeof *to);
}

/* A tile of dx from the gradient of v[0]; c: the saved factors. */
static void finish_tile(const dt_op_run *r, const real *c, int64_t C, int64_t T, int64_t at,
                        int64_t n, real *to)
{
    const dt_chain_conf *conf = r->conf;
    const dt_tile_kernels *t = &r->kernels->tile;
    dt_tile_x x = { .x = (const real *)r->in[0] + at };
    if (conf->sums) {
        dt_sums sums = dt_sums_at(r->in[0], C);
        x = (dt_tile_x){ .sum = sums.sum + at, .center = *sums.center, .scale = c + 4 * T };
    }
    t->norm_back(n, T, x, r->d_in[0] + at, c, c + T, c + 2 * T, c + 3 * T, to, false);
}

static void finish_grad(const void *run, int64_t first, int64_t count, real *to)
{
    const dt_op_run *r = run;
    dt_batchnorm_dims d = dt_batchnorm_dims_of(&r->in_shape[0]);
    dt_point_layout l = dt_point_lay_out(d.rows, d.C, NULL);
    room m = lay_out(r, d, &l);
    int64_t picture = d.rows * d.C / r->in_shape[0].dim[0], tile = tile_of(&l);
    int64_t begin = first * picture, end = begin + count * picture;
    for (int64_t at = begin; at < end; at += tile)
        finish_tile(r, saved_columns(r, &m), d.C, l.T, at, end - at < tile ? end - at : tile,
                    to + at - begin);
}

static void finish_picture(void *arg, int64_t n, int thread)
{
    (void)thread;
    const call *k = arg;
    int64_t picture = k->d.rows * k->d.C / k->r->in_shape[0].dim[0];
    finish_grad(k->r, n, 1, k->r->d_in[0] + n * picture);
}

/* The first pass: gradients of v[0] and of the parameters, and the column sums of batchnorm. */
static void back_sums(call *k, double *sum_dy, double *sum_dyx)
{
    const dt_op_run *r = k->r;
    int64_t C = k->d.C;
    real *factor = (real *)((double *)r->work + 2 * C);
    const real *gamma = r->in[DT_BN_GAMMA], *inv = (real *)r->saved + C;
    for (int64_t i = 0; i < C; i++) {
        factor[i] = gamma[i] * inv[i];
        sum_dy[i] = sum_dyx[i] = 0;
    }
    expand(k, 0, r->saved);
    expand(k, 1, factor);
    expand(k, 2, r->in[DT_BN_BETA]);
    dt_parallel(r->threads, k->l.blocks, backward_block, k);
    for (int64_t block = 0; block < k->l.blocks; block++)
        for (int64_t i = 0; i < C; i++) {
            sum_dy[i] += k->l.partial[block * 2 * C + i];
            sum_dyx[i] += k->l.partial[block * 2 * C + C + i];
        }
    for (int i = 0; i < k->c->count; i++)
        if (k->c->stage[i].kind == DT_CHAIN_QUANT) quantizer_gradients(k, i);
    dt_batchnorm_param_grads(r, sum_dy, sum_dyx);
}

static void measure_back(const dt_op_run *r, double *to)
{
    call k = begin(r);
    back_sums(&k, to, to + k.d.C);
}

static void backward(const dt_op_run *r)
{
    call k = begin(r);
    int64_t C = k.d.C;
    double *work = r->work;
    real *factor = (real *)(work + 2 * C), *a = factor + C, *b = a + C;
    const double *sums = r->joined;
    if (!sums) {
        back_sums(&k, work, work + C);
        sums = work;
    }
    dt_batchnorm_factors(r, sums, sums + C, factor, a, b);
    save_columns(&k, factor, a, b);
    if (r->d_in[0] && !r->leave) dt_parallel(r->threads, r->in_shape[0].dim[0], finish_picture, &k);
}

/* Gradients are read tile by tile before their memory is overwritten. That of x may take the memory
 * of the last output, which is read first; that of an added value the memory of an output behind
 * the sum. With one output for both, the added value has it. */
static int grad_shares(const void *conf, int in)
{
    const dt_chain_conf *c = conf;
    const dt_chain_stage *last = &c->stage[c->count - 1];
    int sum = -1; /* output behind the sum */
    for (int i = 0, added = -1; i < c->count; i++) {
        const dt_chain_stage *s = &c->stage[i];
        if (s->kind == DT_CHAIN_ADD) added = s->in;
        if (added < 0 || s->out < 0 || sum >= 0) continue;
        sum = s->out;
        if (added == in) return sum;
    }
    return in == DT_BN_X && last->out != sum ? last->out : -1;
}

static const dt_op_statistics statistics = {
    .count = dt_batchnorm_count,
    .move = dt_batchnorm_move,
    .measure = measure,
    .merge = dt_batchnorm_merge,
    .measure_back = measure_back,
};

const dt_op dt_op_chain = {
    .name = "chain",
    .in_min = DT_BN_INPUTS,
    .in_max = DT_OP_MAX_IN,
    .out_count = DT_OP_MAX_OUT,
    .conf_size = sizeof(dt_chain_conf),
    .grads = ~0u,
    .reads_in = ~0u,
    .grad_shares = grad_shares,
    .finish_grad = finish_grad,
    .statistics = &statistics,
    .fused = true,
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
};
