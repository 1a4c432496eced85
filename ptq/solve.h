/* Solvers of one layer's weights on statistics of its rows: with x a row of the float net and x'
 * the same row of the quantized one, H = sum x'x'^T, C = sum x x'^T, the squared error of all rows
 *
 *   sum |Wx - W'x'|^2 = tr((W' - W*) H (W' - W*)^T) + const,  W* = W C H^-1
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_PTQ_SOLVE_H
#define DT_PTQ_SOLVE_H

#include "ptq/engine.h"

/* Outputs that read the same rows. */
typedef struct dt_ptq_layer {
    int threads;
    int64_t O, K;
    double *H, *C;           /* [K,K] */
    double *target;          /* [O,K]: W, or W* where a solver has made it that */
    double *w;               /* [O,K]: the solution */
    bool coded;              /* w is on the grid */
    const dt_encode *encode; /* affine: of element i is encode[(first + i) / run] */
    int64_t first, run;
    const dt_alloc *alloc;
} dt_ptq_layer;

typedef struct dt_ptq_solve_conf {
    dt_opt_words solvers;
    double damping, shrink;
    bool by_size;
    int sweeps, rows;
    int input; /* 0: of the quantized net, 1: of the float one */
} dt_ptq_solve_conf;

/* One file solver_<name>.c, a row in solvers.def. */
typedef struct dt_ptq_solver {
    dt_row row;
    bool reads_pairs; /* C; else it may be anything */
    dt_status (*solve)(dt_ptq_layer *l, const dt_ptq_solve_conf *c, dt_error *err);
} dt_ptq_solver;

/* The value of the grid that is nearest to x, for element i of the layer. */
double dt_ptq_nearest(const dt_ptq_layer *l, int64_t i, double x);
/* tr((w - target) H (w - target)^T). */
double dt_ptq_layer_error(const dt_ptq_layer *l);
/* H with `damping` times the mean of its diagonal added there, and 1 where that is 0; times 10
 * until `factor` succeeds on a copy, which is given back with dt_put(l->alloc, .). */
dt_status dt_ptq_damped(const dt_ptq_layer *l, double damping, bool (*factor)(int64_t n, double *a),
                        double **out, dt_error *err) DT_MUST_CHECK;

#endif
