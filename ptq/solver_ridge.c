/* Float weights that make up for what quantized inputs do (the first step of ERQ, Zhong 2024,
 * arXiv:2407.06794): W* = W C (H + damping)^-1, drawn back to W by `shrink`. Others come behind it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kernels/dense.h"
#include "ptq/solve.h"

static dt_status solve(dt_ptq_layer *l, const dt_ptq_solve_conf *c, dt_error *err)
{
    const size_t n = (size_t)(l->O * l->K);
    double *inverse, *room = dt_get_array(l->alloc, 2 * n, sizeof *room, "ridge");
    if (!room) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for ridge");
    dt_status st = dt_ptq_damped(l, c->damping, dt_dense_invert, &inverse, err);
    if (st == DT_OK) {
        double *WC = room, *found = room + n;
        dt_dense_product(l->O, l->K, l->K, l->target, l->C, WC);
        dt_dense_product(l->O, l->K, l->K, WC, inverse, found);
        for (size_t i = 0; i < n; i++)
            l->target[i] = (1 - c->shrink) * found[i] + c->shrink * l->target[i];
        dt_put(l->alloc, inverse);
    }
    dt_put(l->alloc, room);
    return st;
}

const dt_ptq_solver dt_ptq_solver_ridge = {
    .row = { .name = "ridge", .help = "float weights that make up for quantized inputs (ERQ)" },
    .reads_pairs = true,
    .solve = solve,
};
