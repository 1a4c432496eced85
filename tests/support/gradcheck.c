/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/gradcheck.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/rng.h"
#include "kernels/blas.h"

typedef struct buffers {
    dt_arena *arena;
    dt_kernels kernels;
    dt_op_run run;
    real *weight;
    int64_t out_count;
} buffers;

static bool prepare(gradcheck *g, buffers *b)
{
    dt_op_memory m = { 0 };
    b->arena = dt_arena_new(NULL, "gradcheck");
    if (!b->arena || dt_kernels_init(&b->kernels, "scalar", NULL) != DT_OK) return false;
    if (dt_blas_load(g->threads, NULL) != DT_OK) return false;
    b->run = (dt_op_run){ .conf = g->conf,
                          .mode = DT_MODE_TRAIN,
                          .norms = dt_norms_in(DT_MODE_TRAIN, g->norms),
                          .threads = g->threads,
                          .in_count = g->in_count,
                          .kernels = &b->kernels,
                          .in_shape = g->in_shape,
                          .out_shape = g->out_shape };
    if (g->op->memory) g->op->memory(&b->run, &m);
    b->out_count = dt_shape_count(&g->out_shape[0]);
    size_t bytes = (size_t)b->out_count * sizeof(real);
    size_t work = m.forward_work > m.backward_work ? m.forward_work : m.backward_work;
    b->run.saved = dt_arena_get(b->arena, m.saved);
    b->run.work = dt_arena_get(b->arena, work);
    b->run.out[0] = dt_arena_get(b->arena, bytes);
    b->run.d_out[0] = dt_arena_get(b->arena, bytes);
    b->run.residual = dt_arena_get(b->arena, bytes);
    b->weight = dt_arena_get(b->arena, bytes);
    dt_rng rng;
    dt_rng_open(&rng, 5, DT_RNG_TEST, 0, 0);
    for (int64_t i = 0; i < b->out_count; i++)
        b->weight[i] = (real)dt_rng_normal(&rng);
    for (int i = 0; i < g->in_count; i++) {
        size_t n = (size_t)dt_shape_count(&g->in_shape[i]) * sizeof(real);
        b->run.in[i] = g->in[i];
        bool differentiated = (g->op->grads >> i & 1) && !(g->skip >> i & 1);
        if (differentiated) b->run.d_in[i] = dt_arena_get(b->arena, n);
    }
    return true;
}

static double loss(gradcheck *g, buffers *b)
{
    g->op->forward(&b->run);
    double sum = 0;
    for (int64_t i = 0; i < b->out_count; i++)
        sum += b->weight[i] * ((real *)b->run.out[0])[i];
    return sum;
}

static void note(gradcheck *g, int input, int64_t i, double slope, double got)
{
    double error = fabs(slope - got) / (1 + fabs(slope));
    g->checked++;
    if (error <= g->worst) return;
    g->worst = error;
    snprintf(g->worst_at, sizeof g->worst_at, "%s input %d element %lld: difference %.9g, op %.9g",
             g->op->name, input, (long long)i, slope, got);
}

static void check_input(gradcheck *g, buffers *b, int input)
{
    const double h = 1e-5;
    real *x = g->in[input];
    for (int64_t i = 0, n = dt_shape_count(&g->in_shape[input]); i < n; i++) {
        double at = x[i], here = loss(g, b);
        x[i] = at + h;
        double up = loss(g, b);
        x[i] = at - h;
        double down = loss(g, b);
        x[i] = at;
        /* Near a kink the two one-sided slopes differ by far more than curvature makes them. */
        if (g->op->grad_kind != DT_GRAD_SMOOTH && fabs(up - 2 * here + down) / h > 1e-3) {
            g->skipped++;
            continue;
        }
        note(g, input, i, (up - down) / (2 * h), b->run.d_in[input][i]);
    }
}

/* The same gradients must come out when they are added to something. */
static void check_add(gradcheck *g, buffers *b)
{
    for (int i = 0; i < g->in_count; i++) {
        if (!b->run.d_in[i] || !(g->op->accumulates >> i & 1)) continue;
        real *first = b->run.d_in[i];
        int64_t n = dt_shape_count(&g->in_shape[i]);
        real *again = dt_arena_get(b->arena, (size_t)n * sizeof(real));
        for (int64_t j = 0; j < n; j++)
            again[j] = 3;
        b->run.d_in[i] = again;
        b->run.add[i] = true;
        memcpy(b->run.d_out[0], b->weight, (size_t)b->out_count * sizeof(real));
        g->op->backward(&b->run);
        for (int64_t j = 0; j < n; j++)
            note(g, i, j, 3 + (double)first[j], again[j]);
        b->run.d_in[i] = first;
        b->run.add[i] = false;
    }
}

bool gradcheck_run(gradcheck *g)
{
    buffers b = { 0 };
    if (!prepare(g, &b)) return false;
    bool ste = g->op->grad_kind == DT_GRAD_STE;
    b.run.replay = ste ? DT_REPLAY_RECORD : DT_REPLAY_OFF;
    loss(g, &b);
    memcpy(b.run.d_out[0], b.weight, (size_t)b.out_count * sizeof(real));
    g->op->backward(&b.run);
    check_add(g, &b);
    b.run.replay = ste ? DT_REPLAY_PLAY : DT_REPLAY_OFF;
    for (int i = 0; i < g->in_count; i++)
        if (b.run.d_in[i]) check_input(g, &b, i);
    dt_arena_free(b.arena);
    return true;
}
