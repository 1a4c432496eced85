/* GPTQ (Frantar 2022, arXiv:2210.17323): columns one after the other; the error of each is made up
 * for by those that are still free. With U the upper Cholesky factor of the damped H^-1, for column
 * j
 *
 *   e = (w_j - q_j) / U_jj,  w_k -= e U_jk for k > j,
 *
 * and the error of a row is the sum of e^2. `by_size`: columns in the order of falling H_jj (its
 * act order). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/thread.h"
#include "kernels/dense.h"
#include "ptq/solve.h"

typedef struct job {
    dt_ptq_layer *l;
    double *U;      /* [K,K], of permuted columns */
    int64_t *order; /* [K]: column at each place */
    double *room;   /* [O,K]: weights that are still free, in that order */
} job;

static bool factor(int64_t n, double *a)
{
    return dt_dense_invert(n, a) && dt_dense_cholesky(n, a);
}

static void row_task(void *arg, int64_t o, int thread)
{
    (void)thread;
    const job *b = arg;
    dt_ptq_layer *l = b->l;
    const int64_t K = l->K;
    double *w = b->room + o * K, *out = l->w + o * K;
    for (int64_t j = 0; j < K; j++)
        w[j] = l->target[o * K + b->order[j]];
    for (int64_t j = 0; j < K; j++) {
        const double *U = b->U + j * K;
        double q = dt_ptq_nearest(l, o * K + b->order[j], w[j]), e = (w[j] - q) / U[j];
        for (int64_t k = j; k < K; k++)
            w[k] -= e * U[k];
        out[b->order[j]] = q;
    }
}

static void find_order(const dt_ptq_layer *l, bool by_size, int64_t *order)
{
    for (int64_t j = 0; j < l->K; j++) {
        int64_t at = j;
        double size = l->H[j * l->K + j];
        for (; by_size && at > 0 && l->H[order[at - 1] * l->K + order[at - 1]] < size; at--)
            order[at] = order[at - 1];
        order[at] = j;
    }
}

/* H in the order of columns. */
static void permute(const dt_ptq_layer *l, const int64_t *order, double *to)
{
    for (int64_t i = 0; i < l->K; i++)
        for (int64_t j = 0; j < l->K; j++)
            to[i * l->K + j] = l->H[order[i] * l->K + order[j]];
}

static dt_status run(job *b, const dt_ptq_solve_conf *c, dt_error *err)
{
    dt_ptq_layer *l = b->l;
    dt_ptq_layer permuted = *l;
    find_order(l, c->by_size, b->order);
    permuted.H = b->room + l->O * l->K;
    permute(l, b->order, permuted.H);
    DT_TRY(dt_ptq_damped(&permuted, c->damping, factor, &b->U, err));
    dt_parallel(l->threads, l->O, row_task, b);
    dt_put(l->alloc, b->U);
    l->coded = true;
    return DT_OK;
}

static dt_status solve(dt_ptq_layer *l, const dt_ptq_solve_conf *c, dt_error *err)
{
    job b = { .l = l };
    b.order = dt_get_array(l->alloc, (size_t)l->K, sizeof *b.order, "gptq");
    b.room = dt_get_array(l->alloc, (size_t)((l->O + l->K) * l->K), sizeof *b.room, "gptq");
    dt_status st = b.order && b.room ? run(&b, c, err)
                                     : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for gptq");
    dt_put(l->alloc, b.order);
    dt_put(l->alloc, b.room);
    return st;
}

const dt_ptq_solver dt_ptq_solver_gptq = {
    .row = { .name = "gptq",
             .help = "columns in turn, errors made up for by the others (arXiv:2210.17323)" },
    .solve = solve,
};
