/* Metrics: the net is left as it was, damage falls with bits, and a trace is the one by formula. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/ptq/run_stages.h"

#include "ptq/metric.h"

#define SENSE STAGED_SMALL "ptq: {images: 16, batch: 8, stages: [ranges]}\n"

static const int widths[] = { 2, 4, 8 };

static void measure(staged *s, const char *metric, int probes, dt_ptq_mixed *out)
{
    dt_error err = { .status = DT_OK };
    const dt_ptq_sense_params p = {
        .metric = metric, .range = "mse", .width = widths, .widths = 3, .probes = probes
    };
    ck_assert_msg(dt_ptq_sensitivity(&s->p, &p, out, &err) == DT_OK, "%s", err.text);
}

static uint64_t hash_state(const staged *s)
{
    uint64_t h = 0;
    const dt_graph *g = &s->t.net.graph;
    for (int v = 0; v < g->value_count; v++)
        for (int64_t i = 0; s->p.state->data[v] && i < dt_shape_count(&g->value[v].shape); i++) {
            uint32_t bits;
            memcpy(&bits, &s->p.state->data[v][i], sizeof bits);
            h = h * 1000003 + bits;
        }
    return h;
}

START_TEST(every_metric)
{
    for (const dt_row *const *row = dt_ptq_metrics.rows; *row; row++) {
        double first[UNIT_MAX][DT_PTQ_WIDTHS];
        for (int threads = 1; threads <= 2; threads++) {
            staged s;
            dt_ptq_mixed m;
            staged_open(&s, SENSE, threads);
            uint64_t before = hash_state(&s);
            measure(&s, (*row)->name, 20, &m);
            ck_assert_msg(hash_state(&s) == before, "%s changes the net", (*row)->name);
            ck_assert_int_eq(m.count, 6);
            ck_assert(m.layer[0].fixed && m.layer[5].fixed && !m.layer[1].fixed);
            ck_assert_int_eq(m.layer[1].weights, 12 * 9 * 6);
            for (int i = 0; i < m.count; i++)
                for (int k = 0; k < 3; k++) {
                    double d = m.layer[i].damage[k];
                    ck_assert_msg(d >= 0 && isfinite(d), "%s: %s: %g", (*row)->name,
                                  m.layer[i].name, d);
                    if (k)
                        ck_assert_msg(d < m.layer[i].damage[k - 1], "%s: %s", (*row)->name,
                                      m.layer[i].name);
                    if (threads == 1) first[i][k] = d;
                    ck_assert(d == first[i][k]);
                }
            dt_ptq_mixed_fini(&m);
            staged_close(&s);
        }
    }
}
END_TEST

/* The last layer with inputs [N,I] and outputs, the logits, [N,K] of all pictures. */
typedef struct last_layer {
    dt_ptq q;
    const dt_node *node;
    int64_t I, K;
    real *x, *logits;
} last_layer;

static void open_last(staged *s, last_layer *l)
{
    ck_assert_int_eq(dt_ptq_init(&l->q, &s->p, NULL), DT_OK);
    l->q.origin = *s->p.state;
    for (int i = 0; i < l->q.g->node_count; i++)
        if (l->q.needed[i] && l->q.g->node[i].op->product) l->node = &l->q.g->node[i];
    const int want[] = { l->node->in[l->node->op->product->x], s->p.logits };
    real *to[2];
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(dt_ptq_get(&l->q, want[i], &to[i], NULL), DT_OK);
    const dt_ptq_pass pass = { .plain = true,
                               .from = s->p.input,
                               .data = s->pictures,
                               .want = want,
                               .want_count = 2,
                               .to = to };
    ck_assert_int_eq(dt_ptq_collect(&l->q, &pass, NULL), DT_OK);
    l->I = dt_ptq_features(&l->q, want[0]);
    l->K = dt_ptq_features(&l->q, want[1]);
    l->x = to[0];
    l->logits = to[1];
}

static void softmax(int64_t K, const real *x, double *p)
{
    double sum = 0;
    for (int64_t k = 0; k < K; k++)
        sum += p[k] = exp((double)x[k]);
    for (int64_t k = 0; k < K; k++)
        p[k] /= sum;
}

static void close_last(last_layer *l)
{
    dt_ptq_put(&l->q, l->x);
    dt_ptq_put(&l->q, l->logits);
    l->q.origin = (dt_state){ 0 };
    dt_ptq_fini(&l->q);
}

/* Of the last layer, z = W x: the trace of the Hessian of KL(p || softmax z) at z's own p is
 * mean over pictures of |x|^2 sum_k p_k (1 - p_k). */
START_TEST(a_trace_is_that_of_the_formula)
{
    staged s;
    dt_ptq_mixed m, changes;
    staged_open(&s, SENSE, 1);
    measure(&s, "trace", 400, &m);
    measure(&s, "mse", 1, &changes);
    double got = m.layer[5].damage[0] / changes.layer[5].damage[0] * (double)m.layer[5].weights;
    last_layer l = { .node = NULL };
    open_last(&s, &l);
    double sum = 0;
    for (int64_t n = 0; n < s.p.count; n++) {
        double x = 0, p[16], spread = 0;
        for (int64_t i = 0; i < l.I; i++)
            x += pow((double)l.x[n * l.I + i], 2);
        softmax(l.K, l.logits + n * l.K, p);
        for (int64_t k = 0; k < l.K; k++)
            spread += p[k] * (1 - p[k]);
        sum += x * spread / (double)s.p.count;
    }
    ck_assert_msg(fabs(got - sum) < 0.1 * sum, "%g, by formula %g", got, sum);
    close_last(&l);
    dt_ptq_mixed_fini(&m);
    dt_ptq_mixed_fini(&changes);
    staged_close(&s);
}
END_TEST

START_TEST(widths_that_a_method_lacks_are_refused)
{
    staged s;
    dt_ptq_mixed m;
    dt_error err = { .status = DT_OK };
    const int one = 1;
    staged_open(&s, SENSE, 1);
    const dt_ptq_sense_params p = { .metric = "mse", .range = "", .width = &one, .widths = 1 };
    ck_assert_int_eq(dt_ptq_sensitivity(&s.p, &p, &m, &err), DT_ERR_RANGE);
    ck_assert_msg(strstr(err.text, "'lsq' does 2..8 bits, not 1"), "%s", err.text);
    staged_close(&s);
}
END_TEST

/* A pair's term is what both do less what each does; twice the same weight noise in a linear part
 * of the net would give a term, none at all would say that the second one was not there. */
START_TEST(pairs_are_symmetric_and_not_nothing)
{
    staged s;
    dt_ptq_mixed m, one;
    double most = 0;
    staged_open(&s, SENSE, 1);
    measure(&s, "pairs", 1, &m);
    measure(&s, "kl", 1, &one);
    const int n = m.count * m.widths;
    for (int a = 0; a < n; a++)
        for (int b = 0; b < n; b++) {
            int i = a / m.widths, j = b / m.widths;
            double x = m.pair[a * n + b];
            ck_assert(x == m.pair[b * n + a]);
            if (i == j || m.layer[i].fixed || m.layer[j].fixed) ck_assert(x == 0);
            most = fmax(most, fabs(x));
        }
    ck_assert_double_gt(most, 1e-6);
    for (int i = 0; i < m.count; i++)
        for (int k = 0; k < m.widths; k++)
            ck_assert(m.layer[i].damage[k] == one.layer[i].damage[k]);
    dt_ptq_mixed_fini(&m);
    dt_ptq_mixed_fini(&one);
    staged_close(&s);
}
END_TEST

/* Of the last layer y = W x + b, whose outputs are the logits: g is softmax less the label, so that
 * over labels E g_k^2 = p_k (1 - p_k), and dy = dW x. */
START_TEST(a_gradient_score_is_that_of_the_formula)
{
    staged s;
    dt_ptq_mixed m;
    staged_open(&s,
                "model: {name: smallcnn, width: 6}\ndata: {name: builtin}\nquant: {placement: "
                "deploy, weights: {method: lsq, bits: 3, init: mse}, activations: {method: lsq, "
                "bits: 3, init: mse}}\nptq: {images: 256, batch: 64, stages: [ranges]}\n",
                1);
    measure(&s, "gradient", 1, &m);
    last_layer l = { .node = NULL };
    open_last(&s, &l);
    dt_ptq_weight w;
    ck_assert(dt_ptq_weight_of(&l.q, l.node, &w));
    /* The change of the weight at 2 bits, as the metric has it: by the same ranges. */
    dt_ptq_sense sense = { .q = &l.q,
                           .params = &(
                               dt_ptq_sense_params){ .range = "mse", .width = widths, .widths = 3 },
                           .mixed = &m,
                           .weight = &w };
    real *change[3];
    for (int k = 0; k < 3; k++)
        change[k] = sense.change[k] = dt_get_array(NULL, (size_t)w.count, sizeof(real), "test");
    ck_assert_int_eq(dt_ptq_sense_changes(&sense, 0, NULL), DT_OK);
    double sum = 0;
    for (int64_t n = 0; n < s.p.count; n++) {
        double p[16];
        softmax(l.K, l.logits + n * l.K, p);
        for (int64_t k = 0; k < l.K; k++) {
            double dy = 0;
            for (int64_t i = 0; i < l.I; i++)
                dy += (double)change[0][k * l.I + i] * (double)l.x[n * l.I + i];
            sum += p[k] * (1 - p[k]) * dy * dy / (double)s.p.count;
        }
    }
    double got = m.layer[m.count - 1].damage[0];
    ck_assert_msg(fabs(got - sum) < 0.15 * sum, "%g, by formula %g", got, sum);
    for (int k = 0; k < 3; k++)
        dt_put(NULL, change[k]);
    close_last(&l);
    dt_ptq_mixed_fini(&m);
    staged_close(&s);
}
END_TEST

DT_TEST_MAIN("sensitivity", every_metric, pairs_are_symmetric_and_not_nothing,
             a_gradient_score_is_that_of_the_formula, a_trace_is_that_of_the_formula,
             widths_that_a_method_lacks_are_refused)
