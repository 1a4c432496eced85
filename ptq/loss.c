/* The table of losses, and those of a unit. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/recon.h"

#define DT_PTQ_LOSS(name) extern const dt_ptq_loss dt_ptq_loss_##name;
#include "ptq/losses.def"
#undef DT_PTQ_LOSS

static const dt_row *const rows[] = {
#define DT_PTQ_LOSS(name) &dt_ptq_loss_##name.row,
#include "ptq/losses.def"
#undef DT_PTQ_LOSS
    NULL,
};
const dt_table dt_ptq_losses = { "loss", rows };

static dt_status open_one(dt_ptq_recon *r, const char *name, dt_error *err)
{
    const dt_row *row;
    DT_TRY(dt_table_get(&dt_ptq_losses, name, &(dt_where){ .key = "reconstruct.loss" }, &row, err));
    dt_ptq_compared *c = &r->loss[r->loss_count++];
    *c = (dt_ptq_compared){ .row = (const dt_ptq_loss *)(const void *)row, .r = r };
    c->state = dt_ptq_memory(r, c->row->state_size + 1);
    if (!c->state) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a loss");
    return c->row->open ? c->row->open(c, err) : DT_OK;
}

dt_status dt_ptq_losses_open(dt_ptq_recon *r, dt_error *err)
{
    const dt_opt_words *words = &r->conf->loss;
    if (words->count == 0) return open_one(r, "pnorm", err);
    for (int i = 0; i < words->count; i++)
        DT_TRY(open_one(r, words->value[i], err));
    return DT_OK;
}

void dt_ptq_losses_close(dt_ptq_recon *r)
{
    for (int i = 0; i < r->loss_count; i++)
        if (r->loss[i].row->close && r->loss[i].state) r->loss[i].row->close(&r->loss[i]);
    r->loss_count = 0;
}

double dt_ptq_losses_measure(dt_ptq_recon *r, const dt_ptq_outputs *o, real *dy)
{
    double sum = 0;
    for (int i = 0; i < r->loss_count; i++)
        sum += r->loss[i].row->measure(&r->loss[i], o, dy);
    return sum;
}
