/* Layer norm over the last axis (Ba, Kiros, Hinton 2016, arXiv:1607.06450):
 * y = (x - mean) / sqrt(var + eps) * gamma + beta, var biased. Kept for backward: mean and
 * 1 / sqrt(var + eps) of each row. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_layernorm.h"

#include <string.h>

#include "autograd/op.h"
#include "autograd/op_encode_codes.h"

enum { BLOCK = 64 }; /* rows of a task */

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)conf;
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    for (int i = DT_LN_GAMMA; i < in_count; i++)
        if (in[0].rank < 1 || in[i].rank != 1 || in[i].dim[0] != in[0].dim[in[0].rank - 1])
            return dt_fail(err, DT_ERR_SHAPE, NULL, "input %s and parameter %s do not fit",
                           dt_shape_print(&in[0], a), dt_shape_print(&in[i], b));
    out[0] = in[0];
    return DT_OK;
}

static int64_t columns(const dt_op_run *r)
{
    return r->in_shape[DT_LN_GAMMA].dim[0];
}

static int64_t rows(const dt_op_run *r)
{
    return dt_shape_count(&r->in_shape[0]) / columns(r);
}

static int64_t blocks(const dt_op_run *r)
{
    return (rows(r) + BLOCK - 1) / BLOCK;
}

static int64_t block_rows(const dt_op_run *r, int64_t i)
{
    int64_t left = rows(r) - i * BLOCK;
    return left < BLOCK ? left : BLOCK;
}

/* Saved: [rows][2]; work: gradients of gamma and beta of each block, [blocks][2][C]. */
static void memory(const dt_op_run *r, dt_op_memory *out)
{
    out->saved = (size_t)rows(r) * 2 * sizeof(real);
    out->backward_work = (size_t)(blocks(r) * 2 * columns(r)) * sizeof(real);
}

static void forward_block(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    const dt_layernorm_conf *c = r->conf;
    int64_t C = columns(r), first = i * BLOCK;
    r->kernels->token.layernorm(block_rows(r, i), C, (real)c->eps,
                                (const real *)r->in[DT_LN_X] + first * C, r->in[DT_LN_GAMMA],
                                r->in[DT_LN_BETA], (real *)r->out[0] + first * C,
                                (real *)r->saved + 2 * first);
}

static void forward(const dt_op_run *r)
{
    dt_op_each(r, blocks(r), forward_block);
}

static void backward_block(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    int64_t C = columns(r), first = i * BLOCK;
    real *partial = (real *)r->work + i * 2 * C;
    memset(partial, 0, (size_t)(2 * C) * sizeof *partial);
    r->kernels->token.layernorm_back(
        block_rows(r, i), C, (const real *)r->in[DT_LN_X] + first * C, r->d_out[0] + first * C,
        r->in[DT_LN_GAMMA], (const real *)r->saved + 2 * first,
        r->d_in[0] ? r->d_in[0] + first * C : NULL, r->add[0], partial, partial + C);
}

/* The blocks' gradients of gamma (part 0) or beta (part 1), added in order. */
static void add_blocks(const dt_op_run *r, int part, real *to)
{
    int64_t C = columns(r), n = blocks(r);
    for (int64_t j = 0; to && j < C; j++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += (double)((const real *)r->work)[(2 * i + part) * C + j];
        to[j] = (real)sum;
    }
}

static void backward(const dt_op_run *r)
{
    dt_op_each(r, blocks(r), backward_block);
    add_blocks(r, 0, r->d_in[DT_LN_GAMMA]);
    add_blocks(r, 1, r->d_in[DT_LN_BETA]);
}

static const dt_layernorm_conf usual = { 1e-6 };
static const dt_op_example examples[] = {
    { .in_count = 3, .in = { { 3, { 2, 3, 5 } }, { 1, { 5 } }, { 1, { 5 } } }, .conf = &usual },
    { .in_count = 3, .in = { { 2, { 70, 18 } }, { 1, { 18 } }, { 1, { 18 } } }, .conf = &usual },
    { .in_count = 0 },
};

static const dt_opt opts[] = {
    DT_OPT_FLOAT(dt_layernorm_conf, eps, 1e-5, 0, 1, "added to the variance"),
    DT_OPT_END,
};

const dt_op dt_op_layernorm = {
    .name = "layernorm",
    .in_min = DT_LN_INPUTS,
    .in_max = DT_LN_INPUTS,
    .out_count = 1,
    .opts = opts,
    .conf_size = sizeof(dt_layernorm_conf),
    .grads = 7,
    .reads_in = 3,
    .accumulates = 1,
    .grad_inplace = true,
    .in_float = true,
    .affine = true,
    .encode_of = DT_ENCODE_LAYERNORM,
    .form = "layernorm",
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
