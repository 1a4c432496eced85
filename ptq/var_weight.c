/* Float weights behind their ordinary quantizers, by its gradient of rounding. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/recon.h"

typedef struct state {
    dt_ptq_trainer trainer;
    dt_ptq_trained *of; /* by weight of the unit */
} state;

static dt_status open(dt_ptq_moving *m, dt_error *err)
{
    dt_ptq_recon *r = m->r;
    state *s = m->state;
    DT_TRY(dt_ptq_trainer_init(r, r->conf->optimizer, &s->trainer, err));
    s->of = dt_ptq_memory(r, sizeof *s->of * (size_t)r->weight_count);
    if (!s->of) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int i = 0; i < r->weight_count; i++) {
        int v = r->weight[i].value;
        r->wanted[v] = true;
        DT_TRY(dt_ptq_trained_init(r, &s->trainer, r->q->p->state->data[v],
                                   r->q->p->state->grad_memory[v], (size_t)r->weight[i].count,
                                   &s->of[i], err));
    }
    return DT_OK;
}

static void step(dt_ptq_moving *m)
{
    state *s = m->state;
    double lr = m->r->conf->lr_weight * dt_ptq_cosine(m->r);
    for (int i = 0; i < m->r->weight_count; i++)
        dt_ptq_train(m->r, &s->trainer, &s->of[i], lr);
}

static void finish(dt_ptq_moving *m, dt_ptq_result *out)
{
    (void)out;
    for (int i = 0; i < m->r->weight_count; i++)
        dt_ptq_round_nearest(m->r->q, &m->r->weight[i],
                             m->r->q->p->state->data[m->r->weight[i].value]);
}

const dt_ptq_variable dt_ptq_var_weight = {
    .row = { .name = "weight", .help = "weights behind their quantizers (AdaQuant, Hubara 2020)" },
    .weights = true,
    .state_size = sizeof(state),
    .open = open,
    .step = step,
    .finish = finish,
};
