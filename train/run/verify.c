/* Comparison of the three forwards. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/verify.h"

#include <math.h>
#include <string.h>

#include "train/net/budget.h"

/* Half a unit of bias is half a multiplier of code; then the code is rounded. Contracts in fixed
 * point round another way than F does. */
static int64_t limit_of(const dt_int_model *m, const dt_int_node *n)
{
    double most = 0;
    int64_t other = m->contract->rounding == DT_ROUND_FP32 ? 0 : 1;
    for (int64_t c = 0; n->threshold && c < m->value[n->out].C; c++)
        most = fmax(most, dt_multiplier_value(&n->multiplier[c]));
    return (int64_t)fmax(1, ceil(most / 2)) + other;
}

/* Sites have the names of their nodes; those of weights are in no integer node. */
static void map_nodes(dt_verify *v)
{
    const dt_int_model *m = v->params.model;
    const dt_graph *g = &v->params.net->graph;
    for (int i = 0; i < g->node_count; i++) {
        v->node_of[i] = -1;
        for (int k = 0; g->node[i].op->quantizes && k < m->node_count; k++)
            if (!m->value[m->node[k].out].is_sum && strcmp(m->node[k].name, g->node[i].name) == 0)
                v->node_of[i] = k;
    }
    for (int k = 0; k < m->node_count; k++)
        v->site[k].limit = limit_of(m, &m->node[k]);
}

/* No code is that of a nan, so none of E's can be compared with it. */
static dt_status not_a_number(const dt_verify *v, const char *where, int64_t i, double x,
                              dt_error *err)
{
    return dt_fail(err, DT_ERR_NUMERIC, &(dt_where){ .key = where },
                   "is %s at element %lld of the batch from picture %lld on, in float arithmetic; "
                   "codes cannot be compared with that",
                   isnan(x) ? "nan" : "infinite", (long long)i, (long long)v->pictures);
}

/* Behind a quantizer of F: its codes beside E's; isolated, E's take their place. */
static dt_status on_node(void *arg, const dt_node *node, const dt_op_run *run, bool after,
                         dt_error *err)
{
    dt_verify *v = arg;
    const dt_int_run *e = &v->compare.tested;
    int at = v->node_of[node - v->params.net->graph.node];
    if (!after || at < 0) return DT_OK;
    const dt_int_value *y = &e->model->value[e->model->node[at].out];
    const uint8_t *code = e->data[e->model->node[at].out];
    int64_t count = e->n * dt_int_count(y);
    real *x = run->out[0];
    uint8_t *got = dt_get(v->params.alloc, (size_t)count, "verify");
    if (!got) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to compare");
    dt_status st = DT_OK;
    for (int64_t i = 0; st == DT_OK && i < count; i++) {
        if (!isfinite(x[i])) st = not_a_number(v, node->name, i, (double)x[i], err);
        double q = rint((double)x[i] / (double)y->grid.scale) + y->grid.zero_point;
        got[i] = (uint8_t)fmin(fmax(q, 0), 255);
        if (v->isolated) x[i] = (real)dt_grid_value(&y->grid, code[i]);
    }
    if (st == DT_OK)
        dt_int_diff_add(v->isolated ? &v->site[at].isolated : &v->site[at].chained, y, got, code,
                        e->n, v->pictures);
    dt_put(v->params.alloc, got);
    return st;
}

dt_status dt_verify_init(dt_verify *v, const dt_verify_params *p, dt_error *err)
{
    *v = (dt_verify){ .params = *p };
    const dt_int_compare_params c = { p->model,   p->tested,       p->executor, p->kernels,
                                      p->threads, DT_VERIFY_BATCH, p->alloc };
    DT_TRY(dt_int_compare_init(&v->compare, &c, err));
    dt_status st = dt_evaluator_init(&v->f, p->net, &p->net->graph, p->kernels, DT_VERIFY_BATCH,
                                     p->threads, NULL, p->alloc, err);
    if (st != DT_OK) {
        dt_int_compare_fini(&v->compare);
        return st;
    }
    v->f.exec.hook = on_node;
    v->f.exec.hook_arg = v;
    size_t K = (size_t)dt_int_outputs(p->model);
    v->site = dt_get_array(p->alloc, (size_t)p->model->node_count + 1, sizeof *v->site, "verify");
    v->node_of =
        dt_get_array(p->alloc, (size_t)p->net->graph.node_count + 1, sizeof *v->node_of, "verify");
    v->logits = dt_get_array(p->alloc, K * DT_VERIFY_BATCH, sizeof *v->logits, "verify");
    size_t each = (size_t)dt_goal_predicted(&p->net->goal);
    for (int i = 0; i < 2; i++)
        v->predictions[i] = dt_get_array(p->alloc, each * DT_VERIFY_BATCH, sizeof(float), "verify");
    if (!v->site || !v->node_of || !v->logits || !v->predictions[0] || !v->predictions[1]) {
        dt_verify_fini(v);
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to compare");
    }
    map_nodes(v);
    return DT_OK;
}

/* All that is open at once: the comparison, and codes of the largest value of a batch. */
static dt_status open_all(void *arg, dt_session *s, dt_error *err)
{
    dt_verify_params p = *(const dt_verify_params *)arg;
    dt_verify v;
    int64_t largest = 1;
    p.alloc = s->alloc;
    DT_TRY(dt_verify_init(&v, &p, err));
    for (int i = 0; i < p.model->value_count; i++) {
        int64_t n = dt_int_count(&p.model->value[i]);
        largest = n > largest ? n : largest;
    }
    void *got = dt_get_array(p.alloc, (size_t)largest, DT_VERIFY_BATCH, "verify");
    dt_put(p.alloc, got);
    dt_verify_fini(&v);
    return got ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to compare");
}

dt_status dt_verify_check_memory(const dt_session *s, const dt_verify_params *p, dt_error *err)
{
    return dt_budget_check_open(s, DT_VERIFY_BATCH, open_all, (void *)(uintptr_t)p, err);
}

void dt_verify_fini(dt_verify *v)
{
    const dt_alloc *a = v->params.alloc;
    dt_put(a, v->site);
    dt_put(a, v->node_of);
    dt_put(a, v->logits);
    dt_put(a, v->predictions[0]);
    dt_put(a, v->predictions[1]);
    dt_evaluator_fini(&v->f);
    dt_int_compare_fini(&v->compare);
    *v = (dt_verify){ 0 };
}

static dt_status forward_float(dt_verify *v, const dt_batch *batch, bool isolated, dt_error *err)
{
    v->isolated = isolated;
    dt_evaluator_feed(&v->f, batch, v->compare.tested.n);
    DT_TRY(dt_exec_forward(&v->f.exec, err));
    const real *f = dt_evaluator_outputs(&v->f, v->compare.tested.n);
    for (int64_t i = 0; i < v->params.net->goal.K * v->compare.tested.n; i++)
        if (!isfinite(f[i])) return not_a_number(v, "logits", i, (double)f[i], err);
    return DT_OK;
}

static void count_same(dt_verify *v, int64_t n)
{
    const dt_goal *g = &v->params.net->goal;
    const real *f = dt_evaluator_outputs(&v->f, n);
    dt_int_run_logits(&v->compare.tested, v->logits);
    dt_score_add(&v->score_float, g, f, v->f.answers, n, v->predictions[0]);
    dt_score_add(&v->score_integer, g, v->logits, v->f.answers, n, v->predictions[1]);
    dt_same_predictions(g, v->predictions[0], v->predictions[1], n, v->same);
}

static dt_status one_batch(dt_verify *v, const dt_batch *batch, int64_t n, dt_error *err)
{
    dt_int_compare_batch(&v->compare, batch->x, n);
    DT_TRY(forward_float(v, batch, true, err));
    DT_TRY(forward_float(v, batch, false, err));
    count_same(v, n);
    v->pictures += n;
    return DT_OK;
}

dt_status dt_verify_run(dt_verify *v, dt_loader *loader, int64_t pictures,
                        bool (*progress)(void *arg, int64_t done, int64_t total), void *arg,
                        dt_error *err)
{
    int64_t all = dt_loader_samples(loader), total = pictures && pictures < all ? pictures : all;
    DT_TRY(dt_loader_seek(loader, 0, 0, err));
    for (int64_t i = 0; v->pictures < total && i < dt_loader_batches(loader); i++) {
        dt_batch batch;
        DT_TRY(dt_loader_next(loader, &batch, err));
        if (batch.valid == 0) continue; /* all of its pictures are broken */
        int64_t left = total - v->pictures;
        DT_TRY(one_batch(v, &batch, batch.valid < left ? batch.valid : left, err));
        if (progress && !progress(arg, v->pictures, total)) break;
    }
    return DT_OK;
}

int dt_verify_first_engine(const dt_verify *v)
{
    return dt_int_compare_first(&v->compare);
}

int dt_verify_first_float(const dt_verify *v)
{
    for (int i = 0; i < v->params.model->node_count; i++)
        if (v->site[i].isolated.largest > v->site[i].limit) return i;
    return -1;
}

bool dt_verify_scores_agree(const dt_verify *v)
{
    return v->pictures < DT_VERIFY_MANY ||
           dt_goal_agrees(&v->params.net->goal, &v->score_float, &v->score_integer);
}
