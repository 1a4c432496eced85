/* What solvers share, and their table. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/solve.h"

#include <math.h>
#include <string.h>

#define DT_PTQ_SOLVER(name) extern const dt_ptq_solver dt_ptq_solver_##name;
#include "ptq/solvers.def"
#undef DT_PTQ_SOLVER

static const dt_row *const rows[] = {
#define DT_PTQ_SOLVER(name) &dt_ptq_solver_##name.row,
#include "ptq/solvers.def"
#undef DT_PTQ_SOLVER
    NULL,
};
const dt_table dt_ptq_solvers = { "solver", rows };

double dt_ptq_nearest(const dt_ptq_layer *l, int64_t i, double x)
{
    const dt_encode *e = &l->encode[(l->first + i) / l->run];
    const double offset = (double)e->offset, scale = (double)e->scale;
    double u = (x - offset) / scale;
    u = u < (double)e->qmin ? (double)e->qmin : u > (double)e->qmax ? (double)e->qmax : u;
    return rint(u) * scale + offset;
}

double dt_ptq_layer_error(const dt_ptq_layer *l)
{
    double sum = 0;
    for (int64_t o = 0; o < l->O; o++)
        for (int64_t j = 0; j < l->K; j++) {
            const double *w = l->w + o * l->K, *t = l->target + o * l->K, *h = l->H + j * l->K;
            double d = 0;
            for (int64_t k = 0; k < l->K; k++)
                d += h[k] * (w[k] - t[k]);
            sum += d * (w[j] - t[j]);
        }
    return sum;
}

dt_status dt_ptq_damped(const dt_ptq_layer *l, double damping, bool (*factor)(int64_t n, double *a),
                        double **out, dt_error *err)
{
    const int64_t K = l->K;
    double mean = 0;
    double *a = dt_get_array(l->alloc, (size_t)(K * K), sizeof *a, "solver");
    if (!a) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a solver");
    for (int64_t i = 0; i < K; i++)
        mean += l->H[i * K + i] / (double)K;
    for (int tries = 0; tries<12; tries++, damping = damping> 0 ? 10 * damping : 1e-8) {
        memcpy(a, l->H, sizeof *a * (size_t)(K * K));
        for (int64_t i = 0; i < K; i++) {
            a[i * K + i] += damping * mean;
            if (a[i * K + i] <= 0) a[i * K + i] = 1; /* an input that is always 0 */
        }
        if (factor(K, a)) {
            *out = a;
            return DT_OK;
        }
    }
    dt_put(l->alloc, a);
    return dt_fail(err, DT_ERR_NUMERIC, NULL, "its statistics have no inverse, however damped");
}
