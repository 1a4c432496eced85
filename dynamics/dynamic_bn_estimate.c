/* Batch-norm statistics estimated anew before every evaluation of a run (Nagel 2022,
 * arXiv:2203.11086, section 3.1, and the authors' code 9064d85): while codes of weights jump, the
 * running statistics lag behind. Mean and variance become the averages over `batches` training
 * batches of the batch's mean and unbiased variance (not pooled); nothing else changes. Where a
 * norm is folded into quantized weights (`quant.fold_norm`), their codes depend on its variance:
 * all batches see those of before. Statistics that a phase freezes are not estimated.
 *
 * `compare` also evaluates with the old statistics, for the gap between both. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/op_batchnorm.h"
#include "dynamics/dynamics.h"

typedef struct conf {
    int batches;
    bool compare;
} conf;

static const dt_opt opts[] = {
    DT_OPT_INT(conf, batches, 50, 1, 100000, "training batches to average over"),
    DT_OPT_BOOL(conf, compare, 0, "also evaluate with the statistics of before"),
    DT_OPT_END,
};

typedef struct state {
    double **sum; /* by value, NULL: no statistics */
    real **kept;  /* the same, of before */
} state;

static dt_status open(dt_dynamics_part *p, dt_error *err)
{
    dt_dynamics *d = p->all;
    state *s = p->state;
    const conf *c = p->conf;
    int found = 0;
    d->compares = d->compares || c->compare;
    s->sum = dt_dynamics_memory(d, sizeof *s->sum * (size_t)(d->graph->value_count + 1));
    s->kept = dt_dynamics_memory(d, sizeof *s->kept * (size_t)(d->graph->value_count + 1));
    if (!s->sum || !s->kept) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int i = 0; i < d->graph->node_count; i++) {
        const dt_node *node = &d->graph->node[i];
        if (!node->op->batch_stat) continue;
        for (int k = DT_BN_MEAN; k <= DT_BN_VAR; k++) {
            int64_t n = dt_shape_count(&d->graph->value[node->in[k]].shape);
            s->sum[node->in[k]] = dt_dynamics_memory(d, (size_t)n * sizeof(double));
            s->kept[node->in[k]] = dt_dynamics_memory(d, (size_t)n * sizeof(real));
            if (!s->sum[node->in[k]] || !s->kept[node->in[k]])
                return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
        }
        found++;
    }
    return found ? DT_OK : dt_fail(err, DT_ERR_NOT_FOUND, NULL, "this net has no batch norm");
}

static void begin(const dt_dynamics *d, const state *s)
{
    for (int i = 0; i < d->graph->value_count; i++)
        for (int64_t k = 0, n = dt_shape_count(&d->graph->value[i].shape); s->sum[i] && k < n;
             k++) {
            s->sum[i][k] = 0;
            s->kept[i][k] = d->state->data[i][k];
        }
}

/* Adds what the last batch left in the running values, and puts those back. */
static void add(const dt_dynamics *d, const state *s)
{
    for (int i = 0; i < d->graph->value_count; i++)
        for (int64_t k = 0, n = dt_shape_count(&d->graph->value[i].shape); s->sum[i] && k < n;
             k++) {
            s->sum[i][k] += (double)d->state->data[i][k];
            d->state->data[i][k] = s->kept[i][k];
        }
}

static dt_status before_eval(dt_dynamics_part *p, dt_error *err)
{
    const dt_dynamics *d = p->all;
    const state *s = p->state;
    int batches = ((const conf *)p->conf)->batches;
    if (d->norm_frozen) return DT_OK;
    begin(d, s);
    for (int b = 0; b < batches; b++) {
        DT_TRY(d->norm_pass(d->norm_arg, b, err));
        add(d, s);
    }
    for (int i = 0; i < d->graph->value_count; i++)
        for (int64_t k = 0, n = dt_shape_count(&d->graph->value[i].shape); s->sum[i] && k < n; k++)
            d->state->data[i][k] = (real)(s->sum[i][k] / batches);
    return DT_OK;
}

const dt_dynamics_row dt_dynamics_bn_estimate = {
    .row = { "bn_estimate",
             "batch-norm statistics anew before evaluations (Nagel 2022, arXiv:2203.11086)", opts,
             sizeof(conf) },
    .state_size = sizeof(state),
    .wants_norm = true,
    .open = open,
    .before_eval = before_eval,
};
