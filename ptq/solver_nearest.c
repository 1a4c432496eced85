/* Each weight by itself. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/solve.h"

static dt_status solve(dt_ptq_layer *l, const dt_ptq_solve_conf *c, dt_error *err)
{
    (void)c;
    (void)err;
    for (int64_t i = 0; i < l->O * l->K; i++)
        l->w[i] = dt_ptq_nearest(l, i, l->target[i]);
    l->coded = true;
    return DT_OK;
}

const dt_ptq_solver dt_ptq_solver_nearest = {
    .row = { .name = "nearest", .help = "each weight by itself" },
    .solve = solve,
};
