/* Mean over positions of the sum over channels of |y - t|^p. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/recon.h"

static double measure(dt_ptq_compared *c, const dt_ptq_outputs *o, real *dy)
{
    const dt_ptq_recon *r = c->r;
    const int64_t C = dt_ptq_channels(r), n = dt_ptq_features(r->q, r->unit->out);
    return dt_ptq_pnorm(r->q->p->threads, o->pictures * n / C, C, o->y, o->t, NULL, r->conf->power,
                        dy);
}

const dt_ptq_loss dt_ptq_loss_pnorm = {
    .row = { .name = "pnorm", .help = "sum over channels of |error|^power, mean over positions" },
    .measure = measure,
};
