/* Fake quantization whose output is kept as codes of one byte, of x itself, of its layer norm or of
 * its GELU: x [...,C] -> codes [...,C]. A task is a block of rows, whose values are scratch of its
 * thread; backward computes them again from x. The fusing pass makes such nodes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_encode_codes.h"

#include <math.h>
#include <string.h>

#include "autograd/op_fakequant.h"
#include "autograd/op_gelu.h"
#include "autograd/op_layernorm.h"
#include "core/thread.h"

enum { TILE = 8192 /* elements of a task, or a row of more */, SCRATCHES = 3 };

typedef struct call {
    const dt_op_run *r;
    const dt_encode_codes_conf *c;
    int64_t rows, C, block; /* rows of a task */
    int first;              /* input of the quantizer's first parameter */
    dt_quant_site site;
    dt_encode e;
    real params[DT_QUANT_MAX_PARAMS];
    dt_encode_sums *sums; /* [tasks] */
    real *partial;        /* [tasks][2][C]: gradients of gamma and beta */
    real *scratch;        /* [threads][SCRATCHES][block * C] */
    bool *bad;            /* [tasks]: values that are not finite */
} call;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static call sizes_of(const dt_op_run *r)
{
    const dt_encode_codes_conf *c = r->conf;
    const dt_shape *x = &r->in_shape[0];
    call k = { .r = r, .c = c, .C = x->dim[x->rank - 1] };
    k.rows = dt_shape_count(x) / k.C;
    k.block = k.C < TILE ? TILE / k.C : 1;
    k.first = c->of == DT_ENCODE_LAYERNORM ? 3 : 1;
    return k;
}

static int64_t tasks_of(const call *k)
{
    return (k->rows + k->block - 1) / k->block;
}

static size_t scratch_bytes(const call *k)
{
    return dt_aligned((size_t)(k->block * k->C) * sizeof(real));
}

static size_t partial_bytes(const call *k)
{
    bool norm = k->c->of == DT_ENCODE_LAYERNORM;
    return norm ? dt_aligned((size_t)(tasks_of(k) * 2 * k->C) * sizeof(real)) : 0;
}

/* Saved: mean and 1 / deviation of each row. */
static void memory(const dt_op_run *r, dt_op_memory *out)
{
    call k = sizes_of(r);
    size_t tasks = (size_t)tasks_of(&k), threads = (size_t)r->threads;
    if (k.c->of == DT_ENCODE_LAYERNORM) out->saved = (size_t)k.rows * 2 * sizeof(real);
    out->forward_work = threads * SCRATCHES * scratch_bytes(&k) + tasks * sizeof(bool);
    out->backward_work = threads * SCRATCHES * scratch_bytes(&k) + partial_bytes(&k) +
                         tasks * sizeof(dt_encode_sums);
}

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    const dt_encode_codes_conf *c = conf;
    int want = (c->of == DT_ENCODE_LAYERNORM ? 3 : 1) + c->quant->quantizer->param_count;
    if (in_count != want)
        return dt_fail(err, DT_ERR_ARG, NULL, "%d inputs, not %d", want, in_count);
    out[0] = in[0];
    return DT_OK;
}

static call begin(const dt_op_run *r)
{
    call k = sizes_of(r);
    unsigned char *work = r->work;
    k.site = dt_fakequant_site(k.c->quant, &r->in_shape[0]);
    dt_fakequant_plan(k.c->quant, &k.site, r->in + k.first, NULL, 0, k.params, &k.e);
    k.scratch = (real *)(void *)work;
    work += (size_t)r->threads * SCRATCHES * scratch_bytes(&k);
    k.bad = (bool *)work;
    k.partial = (real *)(void *)work;
    k.sums = (dt_encode_sums *)(void *)(work + partial_bytes(&k));
    return k;
}

static real *scratch_of(const call *k, int thread, int which)
{
    unsigned char *base = (unsigned char *)k->scratch;
    return (real *)(void *)(base + (size_t)(SCRATCHES * thread + which) * scratch_bytes(k));
}

static bool by_tanh(const call *k)
{
    return ((const dt_gelu_conf *)k->c->function)->by_tanh;
}

static real eps_of(const call *k)
{
    return (real)((const dt_layernorm_conf *)k->c->function)->eps;
}

/* What is quantized, of rows first.. : x itself, or `y` after the function was applied. */
static const real *values(const call *k, int64_t first, int64_t rows, real *y)
{
    const dt_op_run *r = k->r;
    const dt_token_kernels *t = &r->kernels->token;
    const real *x = (const real *)r->in[0] + first * k->C;
    if (k->c->of == DT_ENCODE_VALUE) return x;
    if (k->c->of == DT_ENCODE_GELU)
        t->gelu(rows * k->C, by_tanh(k), x, y);
    else
        t->layernorm(rows, k->C, eps_of(k), x, r->in[1], r->in[2], y, (real *)r->saved + 2 * first);
    return y;
}

static void forward_block(void *arg, int64_t i, int thread)
{
    const call *k = arg;
    int64_t first = i * k->block, rows = least(k->block, k->rows - first), n = rows * k->C;
    const real *y = values(k, first, rows, scratch_of(k, thread, 0));
    k->bad[i] = !k->r->kernels->tile.codes(n, y, &k->e, (uint8_t *)k->r->out[0] + first * k->C);
}

static void forward(const dt_op_run *r)
{
    call k = begin(r);
    dt_parallel(r->threads, tasks_of(&k), forward_block, &k);
    for (int64_t i = 0; i < tasks_of(&k); i++)
        *r->lost = *r->lost || k.bad[i];
    *r->lost = *r->lost || !isfinite(k.e.scale);
}

/* Through the quantizer: g [n] to dx. */
static void back_quant(const call *k, int64_t i, int64_t n, const real *y, const real *g, real *dx,
                       bool sum)
{
    k->sums[i] = (dt_encode_sums){ 0 };
    for (int64_t at = 0; at < n; at += DT_POINT_BLOCK)
        k->r->kernels->tile.encode_back(least(n - at, DT_POINT_BLOCK), y + at, g + at, &k->e,
                                        dx ? dx + at : NULL, sum, &k->sums[i]);
}

/* dx = (through the quantizer: g) * slope of GELU at x */
static void back_gelu(const call *k, int64_t i, int64_t n, const real *x, const real *g, real *dx,
                      int thread)
{
    real *y = scratch_of(k, thread, 0), *dy = scratch_of(k, thread, 1);
    real *slope = scratch_of(k, thread, 2);
    k->r->kernels->token.gelu_slope(n, by_tanh(k), x, y, slope);
    back_quant(k, i, n, y, g, dy, false);
    if (!dx) return;
    if (k->r->add[0])
        for (int64_t j = 0; j < n; j++)
            dx[j] += dy[j] * slope[j];
    else
        for (int64_t j = 0; j < n; j++)
            dx[j] = dy[j] * slope[j];
}

static void backward_block(void *arg, int64_t i, int thread)
{
    const call *k = arg;
    const dt_op_run *r = k->r;
    const dt_token_kernels *t = &r->kernels->token;
    int64_t first = i * k->block, rows = least(k->block, k->rows - first), n = rows * k->C;
    const real *x = (const real *)r->in[0] + first * k->C, *g = r->d_out[0] + first * k->C;
    real *dx = r->d_in[0] ? r->d_in[0] + first * k->C : NULL, *dy = scratch_of(k, thread, 1);
    if (k->c->of == DT_ENCODE_GELU) {
        back_gelu(k, i, n, x, g, dx, thread);
        return;
    }
    const real *y = values(k, first, rows, scratch_of(k, thread, 0));
    if (k->c->of == DT_ENCODE_VALUE) {
        back_quant(k, i, n, y, g, dx, r->add[0]);
        return;
    }
    back_quant(k, i, n, y, g, dy, false);
    real *partial = k->partial + i * 2 * k->C;
    memset(partial, 0, (size_t)(2 * k->C) * sizeof *partial);
    t->layernorm_back(rows, k->C, x, dy, r->in[1], (const real *)r->saved + 2 * first, dx,
                      r->add[0], partial, partial + k->C);
}

/* The tasks' gradients of gamma (part 0) or beta (part 1), added in order. */
static void add_parts(const call *k, int part, real *to)
{
    for (int64_t j = 0; to && j < k->C; j++) {
        double sum = 0;
        for (int64_t i = 0; i < tasks_of(k); i++)
            sum += (double)k->partial[(2 * i + part) * k->C + j];
        to[j] = (real)sum;
    }
}

static void backward(const dt_op_run *r)
{
    call k = begin(r);
    dt_encode_sums sum = { 0 };
    dt_parallel(r->threads, tasks_of(&k), backward_block, &k);
    if (k.c->of == DT_ENCODE_LAYERNORM) {
        add_parts(&k, 0, r->d_in[1]);
        add_parts(&k, 1, r->d_in[2]);
    }
    for (int64_t i = 0; i < tasks_of(&k); i++) {
        sum.residual += k.sums[i].residual;
        sum.inside += k.sums[i].inside;
        sum.below += k.sums[i].below;
        sum.above += k.sums[i].above;
        sum.kept += k.sums[i].kept;
    }
    dt_fakequant_param_grads(k.c->quant, &k.site, k.params, &k.e, &sum, 0, r->d_in + k.first);
}

const dt_op dt_op_encode_codes = {
    .name = "encode_codes",
    .in_min = 1,
    .in_max = DT_OP_MAX_IN,
    .out_count = 1,
    .conf_size = sizeof(dt_encode_codes_conf),
    .grads = ~0u,
    .reads_in = ~0u,
    .accumulates = 1,
    .grad_inplace = true,
    .fused = true,
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
};
