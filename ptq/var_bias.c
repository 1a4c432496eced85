/* Biases of products and shifts of batch norms. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_batchnorm.h"
#include "ptq/recon.h"

typedef struct state {
    dt_ptq_trainer trainer;
    dt_ptq_trained *of;
    int count;
} state;

static dt_status add(dt_ptq_moving *m, int v, dt_error *err)
{
    dt_ptq_recon *r = m->r;
    state *s = m->state;
    if (r->wanted[v]) return DT_OK;
    r->wanted[v] = true;
    return dt_ptq_trained_init(r, &s->trainer, r->q->p->state->data[v],
                               r->q->p->state->grad_memory[v], (size_t)dt_ptq_features(r->q, v),
                               &s->of[s->count++], err);
}

static dt_status open(dt_ptq_moving *m, dt_error *err)
{
    dt_ptq_recon *r = m->r;
    state *s = m->state;
    const dt_graph *g = r->q->g;
    DT_TRY(dt_ptq_trainer_init(r, r->conf->optimizer, &s->trainer, err));
    s->of = dt_ptq_memory(r, sizeof *s->of * (size_t)g->node_count);
    if (!s->of) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *node = &g->node[i];
        const dt_op_product *of = node->op->product;
        if (!r->unit->inside[i]) continue;
        if (of && of->bias >= 0 && of->bias < node->in_count)
            DT_TRY(add(m, node->in[of->bias], err));
        if (node->op->batch_stat) DT_TRY(add(m, node->in[DT_BN_BETA], err));
    }
    return DT_OK;
}

static void step(dt_ptq_moving *m)
{
    state *s = m->state;
    double lr = m->r->conf->lr_bias * dt_ptq_cosine(m->r);
    for (int i = 0; i < s->count; i++)
        dt_ptq_train(m->r, &s->trainer, &s->of[i], lr);
}

const dt_ptq_variable dt_ptq_var_bias = {
    .row = { .name = "bias", .help = "biases and shifts of batch norms" },
    .state_size = sizeof(state),
    .open = open,
    .step = step,
};
