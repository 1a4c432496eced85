/* KL divergence of the outputs, with the rest of the net in float (Liu 2023, arXiv:2212.07048, eq.
 * 5, PD-Quant's prediction difference):
 *
 *   kl * mean over pictures of KL(softmax(z / T) || softmax(z' / T))
 *
 * z: logits of the float net, z': those that follow from the unit's output; no factor T^2. Of
 * outputs that are no classes softmax is another distribution (autograd/distribution.h), of several
 * outputs the divergences are added by weight. Unlike there both losses see the same inputs, mixed
 * ones with input mix. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/recon.h"
#include "ptq/tail.h"

static dt_status open(dt_ptq_compared *c, dt_error *err)
{
    dt_ptq_recon *r = c->r;
    return dt_ptq_tail_open(c->state, r->q, r->unit, r->batch, r->conf->temperature, err);
}

static double measure(dt_ptq_compared *c, const dt_ptq_outputs *o, real *dy)
{
    dt_ptq_tail *t = c->state;
    const double scale = c->r->conf->kl / (double)o->pictures;
    const double sum = dt_ptq_tail_kl(t, o->pictures, o->picture, o->y);
    const real *g = dy ? dt_ptq_tail_slope(t) : NULL;
    for (int64_t i = 0; g && i < o->pictures * t->n; i++)
        dy[i] += (real)(scale * (double)g[i]);
    return scale * sum;
}

static void close(dt_ptq_compared *c)
{
    dt_ptq_tail_close(c->state);
}

const dt_ptq_loss dt_ptq_loss_kl_logits = {
    .row = { .name = "kl_logits",
             .help = "KL divergence of the logits through the rest of the float net (Liu 2023, "
                     "arXiv:2212.07048)" },
    .state_size = sizeof(dt_ptq_tail),
    .open = open,
    .close = close,
    .measure = measure,
};
