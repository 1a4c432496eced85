/* Pictures made of batch norms' statistics. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/ptq/run_stages.h"

#include "autograd/op_batchnorm.h"

#define MADE(stages) STAGED_SMALL "ptq: {images: 6, batch: 6, stages: [" stages "]}\n"
#define DISTILL "{distill: {iterations: 100, batch: 4, lr: 0.1}}"

static void read(dt_ptq *q, const real *pictures, int value, real *to)
{
    const dt_ptq_pass pass = { .plain = true,
                               .from = q->p->input,
                               .data = pictures,
                               .want = &value,
                               .want_count = 1,
                               .to = &to };
    ck_assert_int_eq(dt_ptq_collect(q, &pass, NULL), DT_OK);
}

static void moments(const real *x, int64_t n, int64_t C, int64_t c, double *mean, double *var)
{
    *mean = *var = 0;
    for (int64_t k = c; k < n; k += C)
        *mean += (double)x[k] * (double)C / (double)n;
    for (int64_t k = c; k < n; k += C)
        *var += pow((double)x[k] - *mean, 2) / (double)(n / C - 1);
}

/* Norms know pictures that are smoother than noise. */
static void shake(staged *s)
{
    dt_ptq q;
    ck_assert_int_eq(dt_ptq_init(&q, &s->p, NULL), DT_OK);
    q.origin = *s->p.state;
    const int64_t size = q.p->count * dt_ptq_features(&q, q.p->input);
    real *smooth = dt_get_array(NULL, (size_t)size, sizeof *smooth, "test");
    for (int64_t i = 0; i < size; i++) {
        smooth[i] = (real)0.3;
        for (int64_t k = i; k < i + 30 && k < size; k += 3)
            smooth[i] += (real)0.3 * q.p->pictures[k];
    }
    for (int i = 0; i < q.g->node_count; i++) {
        const dt_node *node = &q.g->node[i];
        if (!node->op->batch_stat) continue;
        const int64_t n = q.p->count * dt_ptq_features(&q, node->in[DT_BN_X]);
        const int64_t C = dt_ptq_features(&q, node->in[DT_BN_MEAN]);
        real *x = dt_get_array(NULL, (size_t)n, sizeof *x, "test");
        read(&q, smooth, node->in[DT_BN_X], x);
        for (int64_t c = 0; c < C; c++) {
            double mean, var;
            moments(x, n, C, c, &mean, &var);
            s->p.state->data[node->in[DT_BN_MEAN]][c] = (real)mean;
            s->p.state->data[node->in[DT_BN_VAR]][c] = (real)var;
        }
        dt_put(NULL, x);
    }
    dt_put(NULL, smooth);
    q.origin = (dt_state){ 0 };
    dt_ptq_fini(&q);
}

/* How far means and deviations of each picture at the input of the first norm are from its own. */
static double distance(dt_ptq *q, const real *pictures)
{
    const dt_node *norm = NULL;
    for (int i = 0; i < q->g->node_count && !norm; i++)
        if (q->g->node[i].op->batch_stat) norm = &q->g->node[i];
    ck_assert_ptr_nonnull(norm);
    const int at = norm->in[DT_BN_X];
    const int64_t n = dt_ptq_features(q, at), C = dt_ptq_features(q, norm->in[DT_BN_MEAN]);
    real *x = dt_get_array(NULL, (size_t)(q->p->count * n), sizeof *x, "test");
    double sum = 0;
    read(q, pictures, at, x);
    for (int64_t i = 0; i < q->p->count; i++)
        for (int64_t c = 0; c < C; c++) {
            double mean, var;
            moments(x + i * n, n, C, c, &mean, &var);
            sum += pow(mean - (double)q->p->state->data[norm->in[DT_BN_MEAN]][c], 2) +
                   pow(sqrt(var) - sqrt((double)q->p->state->data[norm->in[DT_BN_VAR]][c]), 2);
        }
    dt_put(NULL, x);
    return sum / (double)q->p->count;
}

static void open_made(staged *s, dt_ptq *q, int threads)
{
    staged_open(s, MADE(DISTILL), threads);
    shake(s);
    ck_assert_int_eq(dt_ptq_init(q, &s->p, NULL), DT_OK);
    q->origin = *s->p.state;
    const dt_ptq_stage *row = (const dt_ptq_stage *)(const void *)s->p.stage[0].row;
    ck_assert(row->transforms && row->makes_pictures);
    ck_assert_int_eq(row->run(q, s->p.stage[0].conf, NULL), DT_OK);
}

static void close_made(staged *s, dt_ptq *q)
{
    q->origin = (dt_state){ 0 };
    dt_ptq_fini(q);
    staged_close(s);
}

START_TEST(pictures_have_the_norms_statistics)
{
    staged s, t;
    dt_ptq q, r;
    open_made(&s, &q, 1);
    ck_assert_ptr_ne(q.pictures, s.pictures);
    double noise = distance(&q, s.pictures), made = distance(&q, q.pictures);
    ck_assert_msg(made < 0.1 * noise, "noise %g, made %g", noise, made);
    open_made(&t, &r, 2);
    const size_t bytes = sizeof(real) * (size_t)(6 * dt_ptq_features(&q, s.p.input));
    ck_assert_int_eq(memcmp(q.pictures, r.pictures, bytes), 0);
    close_made(&s, &q);
    close_made(&t, &r);
}
END_TEST

START_TEST(no_pictures_are_needed)
{
    staged s;
    staged_open(&s, MADE(DISTILL ", ranges"), 2);
    shake(&s);
    s.p.pictures = NULL;
    staged_run(&s);
    staged_check_grids(&s);
    staged_close(&s);
}
END_TEST

static void refused(const char *recipe, dt_status status, const char *text)
{
    staged s;
    dt_error err;
    staged_open(&s, recipe, 1);
    ck_assert_int_eq(dt_ptq_run(&s.p, &err), status);
    ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
    staged_close(&s);
}

START_TEST(what_cannot_be_is_refused)
{
    refused(MADE("{equalize: {from: weights}}, distill, ranges"), DT_ERR_ARG, "so it comes first");
    refused("model: {name: vit, patch: 8, dim: 48, depth: 2, heads: 3}\ndata: {name: builtin}\n"
            "quant: {placement: paper, weights: {method: lsq, bits: 4}, activations: {method: lsq, "
            "bits: 4}}\nptq: {images: 4, batch: 4, stages: [distill, ranges]}\n",
            DT_ERR_UNSUPPORTED, "the net has no batch norm");
}
END_TEST

DT_TEST_MAIN("distill", pictures_have_the_norms_statistics, no_pictures_are_needed,
             what_cannot_be_is_refused)
