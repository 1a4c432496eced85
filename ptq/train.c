/* Parameters that an optimizer moves. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mathx.h"
#include "ptq/recon.h"

void *dt_ptq_memory(dt_ptq_recon *r, size_t bytes)
{
    return dt_arena_get(r->arena, bytes + 1);
}

dt_status dt_ptq_trainer_init(dt_ptq_recon *r, const char *name, dt_ptq_trainer *out, dt_error *err)
{
    const dt_row *row;
    DT_TRY(dt_table_get(&dt_optimizers, name, &(dt_where){ .key = "reconstruct.optimizer" }, &row,
                        err));
    out->optimizer = (const dt_optimizer *)(const void *)row;
    out->conf = dt_ptq_memory(r, row->conf_size);
    if (!out->conf) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    dt_opt_defaults(row->opts, out->conf);
    return DT_OK;
}

dt_status dt_ptq_trained_init(dt_ptq_recon *r, const dt_ptq_trainer *t, real *value,
                              const real *grad, size_t n, dt_ptq_trained *out, dt_error *err)
{
    *out = (dt_ptq_trained){ .value = value, .grad = grad, .n = n };
    for (int i = 0; i < t->optimizer->state_count; i++) {
        out->state[i] = dt_ptq_memory(r, n * sizeof(real));
        if (!out->state[i]) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    }
    return DT_OK;
}

void dt_ptq_train(const dt_ptq_recon *r, const dt_ptq_trainer *t, dt_ptq_trained *what, double lr)
{
    t->optimizer->step(t->conf, what->n, (real)lr, 0, what->value, what->grad, what->state,
                       r->step);
}

double dt_ptq_cosine(const dt_ptq_recon *r)
{
    return 0.5 * (1 + dt_cospi(r->progress));
}
