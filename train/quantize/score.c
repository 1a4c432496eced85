/* What a quantized net computes, beside the float net that it was made of. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "integer/prove.h"
#include "train/net/budget.h"
#include "train/quantize/quantize_state.h"
#include "train/run/evaluate.h"
#include "train/run/evaluate_integer.h"

void dt_quantize_add(dt_quantize_sums *s, const dt_distribution *says, double spread, int64_t K,
                     const float *truth, const float *y, double *room)
{
    says->apart(K, truth, y, 1, spread, room, &s->kl, NULL);
    for (int64_t k = 0; k < K; k++) {
        double d = (double)y[k] - (double)truth[k];
        s->signal += (double)truth[k] * (double)truth[k];
        s->noise += d * d;
    }
}

/* A pass over the split: every batch's logits. */
typedef struct reader {
    dt_session *s;
    dt_evaluator *e; /* or */
    dt_int_run *r;
    float *room;    /* [batch, K] */
    float *mean[2]; /* [batch, predicted]: what outputs of both nets mean */
    const dt_quantize_truth *truth;
    float *keep; /* [count, K]: where the logits go; NULL: compared with the truth's */
    double *part_room; /* [2K] */
    dt_quantize_sums sums[DT_GOAL_PARTS];
    dt_quantize_score score;
} reader;

static dt_status forward(reader *r, const dt_batch *b, dt_error *err)
{
    const int64_t K = r->s->net.goal.K, pixels = dt_net_input_count(&r->s->net);
    if (r->e) {
        dt_evaluator_feed(r->e, b, b->valid);
        DT_TRY(dt_exec_forward(&r->e->exec, err));
        memcpy(r->room, dt_evaluator_outputs(r->e, b->valid),
               sizeof(float) * (size_t)(b->valid * K));
        return DT_OK;
    }
    for (int64_t at = 0; at < b->valid; at += r->r->room) {
        int64_t n = b->valid - at < r->r->room ? b->valid - at : r->r->room;
        dt_int_run_forward(r->r, b->x + at * pixels, n);
        dt_int_run_logits(r->r, r->room + at * K);
    }
    return DT_OK;
}

/* Pictures that one of both nets alone has right, where the only task's first metric counts right
 * ones. */
static void count_pairs(reader *r, const dt_batch *b, const float *truth)
{
    const dt_goal *g = &r->s->net.goal;
    const size_t bytes = dt_goal_answer_bytes(g);
    const char *answer = dt_batch_answers(b);
    const dt_goal_part *p = &g->part[0];
    if (g->trained != 1 || p->task->deciding != 1 || p->task->counts < 1) return;
    r->score.paired = true;
    for (int64_t i = 0; i < b->valid; i++, answer += bytes) {
        double was[DT_TASK_SUMS] = { 0 }, is[DT_TASK_SUMS] = { 0 };
        p->task->add(p->conf, truth + i * g->K + p->at, answer, p->K, was);
        p->task->add(p->conf, r->room + i * g->K + p->at, answer, p->K, is);
        r->score.lost += was[0] > is[0];
        r->score.gained += is[0] > was[0];
    }
}

void dt_quantize_interval(const dt_quantize_score *q, double *out)
{
    const double n = q->score.count ? (double)q->score.count : 1;
    const double apart = (double)(q->lost + q->gained), by = (double)(q->gained - q->lost);
    const double spread = 1.96 * sqrt(apart - by * by / n); /* by^2 <= apart * n */
    out[0] = 100 * (by - spread) / n;
    out[1] = 100 * (by + spread) / n;
}

/* Do outputs of a sample mean the same? Numbers never do, to the last digit. */
static bool means_same(reader *r, const float *a, const float *b)
{
    const dt_goal *g = &r->s->net.goal;
    bool same = true;
    for (int p = 0; p < g->trained; p++) {
        const dt_net_task *task = g->part[p].task;
        const int64_t n = task->predicted(g->part[p].K);
        if (!task->says->spreads) {
            r->score.agrees = true;
            same = same && memcmp(a, b, (size_t)n * sizeof *a) == 0;
        }
        a += n;
        b += n;
    }
    return same;
}

static void compare(reader *r, const dt_batch *b, const float *truth)
{
    const dt_goal *g = &r->s->net.goal;
    const int64_t each = dt_goal_predicted(g);
    dt_score ignored = { 0 };
    if (!r->keep) count_pairs(r, b, truth);
    for (int64_t i = 0; i < b->valid; i++)
        for (int p = 0; p < g->count; p++) {
            const dt_goal_part *part = &g->part[p];
            const int64_t at = i * g->K + part->at;
            double weight;
            dt_quantize_add(&r->sums[p], dt_quantize_says(part, &weight),
                            r->keep ? 1 : r->truth->spread[p], part->K, truth + at, r->room + at,
                            r->part_room);
        }
    dt_score_add(&ignored, g, truth, dt_batch_answers(b), b->valid, r->mean[0]);
    dt_score_add(&r->score.score, g, r->room, dt_batch_answers(b), b->valid, r->mean[1]);
    for (int64_t i = 0; i < b->valid; i++)
        r->score.agree += means_same(r, r->mean[0] + i * each, r->mean[1] + i * each);
}

static dt_status read_batches(reader *r, dt_loader *loader, dt_error *err)
{
    const int64_t K = r->s->net.goal.K;
    int64_t seen = 0;
    DT_TRY(dt_loader_seek(loader, 0, 0, err));
    for (int64_t i = 0; i < dt_loader_batches(loader); i++) {
        dt_batch b;
        DT_TRY(dt_loader_next(loader, &b, err));
        if (b.valid == 0) continue;
        DT_TRY(forward(r, &b, err));
        if (r->keep) memcpy(r->keep + seen * K, r->room, sizeof(float) * (size_t)(b.valid * K));
        compare(r, &b, r->keep ? r->room : r->truth->logits + seen * K);
        seen += b.valid;
    }
    return DT_OK;
}

static void finish(reader *r, dt_quantize_score *out)
{
    *out = r->score;
    out->has = true;
    out->kl = 0;
    out->sqnr_db = INFINITY;
    for (int p = 0; p < r->s->net.goal.count; p++) {
        const dt_quantize_sums *s = &r->sums[p];
        double weight;
        (void)dt_quantize_says(&r->s->net.goal.part[p], &weight);
        out->part_kl[p] = s->kl / (double)(out->score.count ? out->score.count : 1);
        out->part_sqnr_db[p] = s->noise > 0 ? 10 * log10(s->signal / s->noise) : INFINITY;
        out->kl += weight * out->part_kl[p];
        out->sqnr_db = fmin(out->sqnr_db, out->part_sqnr_db[p]);
    }
}

static dt_status read_split(reader *r, dt_split split, dt_quantize_score *out, dt_error *err)
{
    dt_session *s = r->s;
    const dt_goal *g = &s->net.goal;
    const int64_t batch = s->recipe->eval.batch, each = dt_goal_predicted(g);
    dt_loader *loader;
    DT_TRY(dt_session_loader(s, split, batch, &loader, err));
    r->room = dt_get_array(s->alloc, (size_t)(batch * g->K), sizeof *r->room, "logits");
    for (int k = 0; k < 2; k++)
        r->mean[k] = dt_get_array(s->alloc, (size_t)(batch * each), sizeof(float), "predictions");
    r->part_room = dt_get_array(s->alloc, 2 * (size_t)g->K, sizeof *r->part_room, "outputs");
    bool ok = r->room && r->mean[0] && r->mean[1] && r->part_room;
    dt_status st =
        ok ? read_batches(r, loader, err) : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    if (st == DT_OK) finish(r, out);
    dt_put(s->alloc, r->room);
    dt_put(s->alloc, r->part_room);
    dt_put(s->alloc, r->mean[0]);
    dt_put(s->alloc, r->mean[1]);
    dt_loader_close(loader);
    return st;
}

static dt_status read_float(dt_session *s, const dt_graph *g, reader *r, dt_split split,
                            dt_quantize_score *out, dt_error *err)
{
    dt_evaluator e;
    DT_TRY(dt_evaluator_init(&e, &s->net, g, &s->kernels, s->recipe->eval.batch, s->threads, NULL,
                             s->alloc, err));
    r->e = &e;
    dt_status st = read_split(r, split, out, err);
    dt_evaluator_fini(&e);
    return st;
}

static void find_spreads(const dt_session *s, dt_quantize_truth *t)
{
    const dt_goal *g = &s->net.goal;
    for (int p = 0; p < g->count; p++) {
        double weight;
        t->spread[p] = dt_distribution_spread(dt_quantize_says(&g->part[p], &weight), t->count,
                                              g->part[p].K, g->K, t->logits + g->part[p].at);
    }
}

dt_status dt_quantize_read_truth(dt_session *s, dt_quantize_truth *t, dt_quantize_report *report,
                                 dt_error *err)
{
    const int score = s->recipe->ptq.score;
    dt_loader *loader;
    dt_graph bare;
    *t = (dt_quantize_truth){ .split = score == DT_PTQ_SCORE_VAL ? DT_SPLIT_VAL : DT_SPLIT_TEST };
    if (score == DT_PTQ_SCORE_NONE) return DT_OK;
    if (score == DT_PTQ_SCORE_VAL && s->data_conf->val == 0)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = s->recipe->name, .key = "ptq.score" },
                       "val: there is no validation split; say data.val=N");
    report->measured_on = score == DT_PTQ_SCORE_VAL ? "val" : "test";
    DT_TRY(dt_session_loader(s, t->split, s->recipe->eval.batch, &loader, err));
    t->count = dt_loader_samples(loader);
    dt_loader_close(loader);
    t->logits =
        dt_get_array(s->alloc, (size_t)(t->count * s->net.goal.K), sizeof *t->logits, "logits");
    if (!t->logits) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for logits");
    const dt_recipe_phase plain = { .weight_bits = DT_FLOAT_BITS,
                                    .activation_bits = DT_FLOAT_BITS };
    DT_TRY(dt_net_phase(&s->net, &plain, s->alloc, &bare, err));
    reader r = { .s = s, .keep = t->logits };
    dt_status st = read_float(s, &bare, &r, t->split, &report->plain, err);
    dt_graph_fini(&bare);
    if (st == DT_OK) find_spreads(s, t);
    return st;
}

static dt_status read_integer(dt_session *s, const dt_int_model *m, reader *r, dt_split split,
                              dt_quantize_score *out, dt_error *err)
{
    dt_int_run run;
    DT_TRY(dt_budget_check_run(s, m, DT_INT_BATCH, err));
    DT_TRY(dt_int_run_init(&run, m, &dt_int_engine, &s->kernels, s->threads, DT_INT_BATCH, s->alloc,
                           err));
    r->r = &run;
    dt_status st = read_split(r, split, out, err);
    dt_int_run_fini(&run);
    return st;
}

static void on_proof(void *arg, const dt_proof *p)
{
    dt_quantize_report *report = arg;
    if (p->other) return; /* another contract */
    report->proof_cases += p->cases;
    report->proof_differ += p->differ;
}

/* Scores and proves. */
static dt_status judge(dt_session *s, const dt_int_model *m, const dt_quantize_truth *t,
                       dt_quantize_report *report, dt_error *err)
{
    reader r = { .s = s, .truth = t };
    if (t->logits) DT_TRY(read_integer(s, m, &r, t->split, &report->integer, err));
    DT_TRY(dt_int_prove(m, &s->kernels, s->threads, on_proof, report, s->alloc, err));
    report->has_proof = true;
    return DT_OK;
}

/* A net without an integer model is no error; the report says why it has none. */
static dt_status compare_integer(dt_session *s, const dt_quantize_truth *t, const char *rounding,
                                 dt_quantize_report *report, dt_error *err)
{
    const dt_lower_source low = { .graph = &s->net.graph,
                                  .state = &s->net.state,
                                  .input = s->net.input,
                                  .logits = s->net.logits,
                                  .alloc = s->alloc };
    const dt_contract *contract;
    dt_error below = { .status = DT_OK };
    dt_int_model *m = NULL;
    dt_lowered *l;
    DT_TRY(dt_contract_get(rounding ? rounding : s->recipe->quant.rounding, NULL, &contract, err));
    dt_status st = dt_lower_new(&low, &l, &below);
    if (st == DT_OK) {
        st = dt_int_model_new(l, contract, s->alloc, &m, &below);
        dt_lower_free(l);
    }
    if (st == DT_ERR_NOMEM) return dt_fail(err, st, NULL, "%s", below.text);
    if (st != DT_OK) {
        snprintf(report->no_integer, sizeof report->no_integer, "%s", below.text);
        return DT_OK;
    }
    st = judge(s, m, t, report, err);
    dt_int_model_free(m);
    return st;
}

dt_status dt_quantize_compare(dt_session *s, const dt_quantize_truth *t, const char *rounding,
                              dt_quantize_report *report, dt_error *err)
{
    reader r = { .s = s, .truth = t };
    if (t->logits)
        DT_TRY(read_float(s, dt_net_steps(&s->net), &r, t->split, &report->quantized, err));
    return compare_integer(s, t, rounding, report, err);
}

void dt_quantize_end_truth(const dt_session *s, dt_quantize_truth *t)
{
    dt_put(s->alloc, t->logits);
    *t = (dt_quantize_truth){ 0 };
}
