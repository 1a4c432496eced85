/* QuantEase (Behdin 2023, arXiv:2309.01885): coordinate descent. With r = H (w - W*) of a row,
 *
 *   w_j <- Q(w_j - r_j / H_jj)
 *
 * over all j, `sweeps` times. It starts from a solution on the grid (gptq's, say), or from the
 * float weights: from the nearest codes it would hardly move. In sweeps 1, 4, 7, ... of a float
 * start, but the last, coordinates are not rounded. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/thread.h"
#include "ptq/solve.h"

typedef struct job {
    dt_ptq_layer *l;
    int sweeps;
    bool coded;   /* at the start */
    double *room; /* [O,K]: r */
} job;

static void sweep(const job *b, int64_t o, bool rounds)
{
    dt_ptq_layer *l = b->l;
    const int64_t K = l->K;
    double *w = l->w + o * K, *r = b->room + o * K;
    for (int64_t j = 0; j < K; j++) {
        const double *h = l->H + j * K;
        if (h[j] <= 0) {
            if (rounds) w[j] = dt_ptq_nearest(l, o * K + j, l->target[o * K + j]);
            continue;
        }
        double best = w[j] - r[j] / h[j];
        if (rounds) best = dt_ptq_nearest(l, o * K + j, best);
        const double moved = best - w[j];
        if (moved == 0) continue;
        w[j] = best;
        for (int64_t k = 0; k < K; k++)
            r[k] += h[k] * moved;
    }
}

static void row_task(void *arg, int64_t o, int thread)
{
    (void)thread;
    const job *b = arg;
    const dt_ptq_layer *l = b->l;
    const int64_t K = l->K;
    const double *w = l->w + o * K, *t = l->target + o * K;
    double *r = b->room + o * K;
    for (int64_t j = 0; j < K; j++) {
        const double *h = l->H + j * K;
        r[j] = 0;
        for (int64_t k = 0; k < K; k++)
            r[j] += h[k] * (w[k] - t[k]);
    }
    for (int s = 0; s < b->sweeps; s++)
        sweep(b, o, b->coded || s % 3 != 1 || s == b->sweeps - 1);
}

static dt_status solve(dt_ptq_layer *l, const dt_ptq_solve_conf *c, dt_error *err)
{
    job b = { .l = l, .sweeps = c->sweeps, .coded = l->coded };
    b.room = dt_get_array(l->alloc, (size_t)(l->O * l->K), sizeof *b.room, "quantease");
    if (!b.room) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for quantease");
    if (!l->coded) memcpy(l->w, l->target, sizeof *l->w * (size_t)(l->O * l->K));
    dt_parallel(l->threads, l->O, row_task, &b);
    dt_put(l->alloc, b.room);
    l->coded = true;
    return DT_OK;
}

const dt_ptq_solver dt_ptq_solver_quantease = {
    .row = { .name = "quantease", .help = "coordinate descent (arXiv:2309.01885)" },
    .solve = solve,
};
