/* Learned parameters of activation quantizers (LSQ's step, and what others have), by their own
 * gradients, held to their floor. Quantizers of weights too, where these are moved behind them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/query.h"
#include "ptq/recon.h"

typedef struct site {
    const dt_node *node;
    dt_ptq_trained of[DT_QUANT_MAX_PARAMS];
    real *before[DT_QUANT_MAX_PARAMS];
    int count; /* of `of`: learned parameters */
} site;

typedef struct state {
    dt_ptq_trainer trainer;
    site *site;
    int count;
    double factor;
} state;

static dt_status add(dt_ptq_moving *m, const dt_node *node, dt_error *err)
{
    dt_ptq_recon *r = m->r;
    state *s = m->state;
    site *to = &s->site[s->count++];
    const dt_fakequant_conf *c = node->conf;
    const dt_state *of = r->q->p->state;
    to->node = node;
    for (int i = 1; i <= dt_query_params(node); i++) {
        int v = node->in[i];
        size_t n = (size_t)dt_ptq_features(r->q, v);
        to->before[i - 1] = dt_ptq_memory(r, n * sizeof(real));
        if (!to->before[i - 1]) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
        if (!c->quantizer->params[i - 1].learned) continue;
        r->wanted[v] = true;
        DT_TRY(dt_ptq_trained_init(r, &s->trainer, of->data[v], of->grad_memory[v], n,
                                   &to->of[to->count++], err));
    }
    return DT_OK;
}

/* Are weights moved behind their quantizers? */
static bool weights_are_quantized(const dt_ptq_recon *r)
{
    for (int i = 0; i < r->variable_count; i++)
        if (r->variable[i].row->place) return false;
    return true;
}

static dt_status open(dt_ptq_moving *m, dt_error *err)
{
    dt_ptq_recon *r = m->r;
    state *s = m->state;
    const dt_graph *g = r->q->g;
    bool weights = weights_are_quantized(r);
    DT_TRY(dt_ptq_trainer_init(r, r->conf->optimizer, &s->trainer, err));
    s->site = dt_ptq_memory(r, sizeof *s->site * (size_t)g->node_count);
    if (!s->site) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *node = &g->node[i];
        const dt_fakequant_conf *c = node->conf;
        if (!r->unit->inside[i] || !node->op->quantizes) continue;
        if (!c->site.weight || weights) DT_TRY(add(m, node, err));
    }
    return DT_OK;
}

static void step(dt_ptq_moving *m)
{
    const dt_ptq *q = m->r->q;
    state *s = m->state;
    double lr = m->r->conf->lr_step * dt_ptq_cosine(m->r);
    for (int i = 0; i < s->count; i++) {
        site *at = &s->site[i];
        for (int k = 1; k <= dt_query_params(at->node); k++)
            memcpy(at->before[k - 1], q->p->state->data[at->node->in[k]],
                   sizeof(real) * (size_t)dt_ptq_features(q, at->node->in[k]));
        for (int k = 0; k < at->count; k++)
            dt_ptq_train(m->r, &s->trainer, &at->of[k], lr);
        dt_ptq_hold(q, at->node, at->before);
    }
}

const dt_ptq_variable dt_ptq_var_step = {
    .row = { .name = "step", .help = "learned parameters of quantizers (Esser 2020)" },
    .state_size = sizeof(state),
    .open = open,
    .step = step,
};
