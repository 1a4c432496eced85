/* Pictures of the net's own batch norms (Cai 2020, arXiv:2001.00281, ZeroQ, eq. 4), for a net whose
 * pictures are not to be had. They start from noise N(0,1) and are moved by Adam until what each of
 * them makes of the inputs of all batch norms has the running statistics, and they themselves mean
 * 0 and deviation 1:
 *
 *   mean over pictures of the sum over norms and channels of (m - mean)^2 + (s - deviation)^2
 *
 * m, s: over the positions of one picture (s unbiased; where there is one position it is left out).
 * The rate falls to a tenth where the loss has not fallen for `patience` updates, as in the
 * authors' code. Each batch of pictures is made by itself. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "autograd/fuse.h"
#include "autograd/op_batchnorm.h"
#include "autograd/query.h"
#include "core/rng.h"
#include "core/thread.h"
#include "optim/optimizer.h"
#include "ptq/engine.h"

typedef struct conf {
    int iterations, batch, patience;
    double lr, lr_least;
} conf;

static const dt_opt opts[] = {
    DT_OPT_INT(conf, iterations, 500, 1, 1000000, "updates of a picture"),
    DT_OPT_INT(conf, batch, 32, 1, 8192, "pictures that are made together"),
    DT_OPT_FLOAT(conf, lr, 0.5, 0, 100, "rate of Adam"),
    DT_OPT_FLOAT(conf, lr_least, 1e-4, 0, 100, "which it does not fall below"),
    DT_OPT_INT(conf, patience, 100, 1, 1000000, "updates without a lower loss before it falls"),
    DT_OPT_END,
};

/* A value whose channels are to have given means and deviations. */
typedef struct goal {
    int value; /* of the float net */
    int64_t P, C;
    const real *mean, *var; /* NULL: 0 and 1 */
    double eps;
    real *grad; /* [batch, P, C] */
} goal;

typedef struct job {
    dt_ptq *q;
    const conf *c;
    int64_t batch, n; /* n: elements of a picture */
    goal *goal;       /* the last one is that of the pictures */
    int count;
    int *values; /* [count]: of the goals */
    dt_graph fused;
    dt_plan plan;
    dt_exec exec;
    real *x, *dx, *state[DT_OPTIMIZER_STATES];
    const dt_optimizer *adam;
    void *adam_conf;
    double *part; /* [batch]: losses of a picture */
    const goal *at;
} job;

/* ---- the loss ---- */

static double channel_loss(const goal *g, int64_t c, const real *x, real *dx, double scale)
{
    const double mean = g->mean ? (double)g->mean[c] : 0;
    const double deviation = g->var ? sqrt((double)g->var[c] + g->eps) : 1;
    const int64_t P = g->P, C = g->C;
    double sum = 0, squares = 0;
    for (int64_t p = 0; p < P; p++)
        sum += (double)x[p * C + c];
    const double m = sum / (double)P;
    for (int64_t p = 0; p < P; p++)
        squares += ((double)x[p * C + c] - m) * ((double)x[p * C + c] - m);
    const double s = P > 1 ? sqrt(squares / (double)(P - 1) + 1e-12) : deviation;
    const double by_mean = 2 * (m - mean) / (double)P * scale;
    const double by_value = P > 1 ? 2 * (s - deviation) / ((double)(P - 1) * s) * scale : 0;
    for (int64_t p = 0; p < P; p++)
        dx[p * C + c] = (real)(by_mean + by_value * ((double)x[p * C + c] - m));
    return (m - mean) * (m - mean) + (s - deviation) * (s - deviation);
}

static void picture_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    job *j = arg;
    const goal *g = j->at;
    const int64_t size = g->P * g->C;
    const real *x = g == &j->goal[j->count - 1] ? j->x : dt_exec_value(&j->exec, g->value);
    for (int64_t c = 0; c < g->C; c++)
        j->part[i] += channel_loss(g, c, x + i * size, g->grad + i * size, 1 / (double)j->batch);
}

static double measure(job *j)
{
    double sum = 0;
    memset(j->part, 0, sizeof *j->part * (size_t)j->batch);
    for (int k = 0; k < j->count; k++) {
        j->at = &j->goal[k];
        dt_parallel(j->q->p->threads, j->batch, picture_task, j);
    }
    for (int64_t i = 0; i < j->batch; i++)
        sum += j->part[i] / (double)j->batch;
    return sum;
}

/* ---- opening ---- */

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to make pictures");
}

static dt_status add_goal(job *j, int value, dt_error *err)
{
    const dt_ptq *q = j->q;
    const dt_shape *s = &q->bare.value[value].shape;
    goal *g = &j->goal[j->count];
    *g = (goal){ .value = value, .C = s->dim[s->rank - 1] };
    g->P = dt_shape_count(s) / g->C;
    g->grad = dt_get_array(q->p->alloc, (size_t)(j->batch * g->P * g->C), sizeof(real), "pictures");
    j->values[j->count++] = value;
    return g->grad ? DT_OK : no_memory(err);
}

static dt_status find_goals(job *j, dt_error *err)
{
    const dt_ptq *q = j->q;
    const size_t most = (size_t)q->bare.node_count + 1;
    j->goal = dt_arena_get(q->arena, most * sizeof *j->goal);
    j->values = dt_arena_get(q->arena, most * sizeof *j->values);
    if (!j->goal || !j->values) return no_memory(err);
    for (int i = 0; i < q->bare.node_count; i++) {
        const dt_node *node = &q->bare.node[i];
        if (!node->op->batch_stat) continue;
        DT_TRY(add_goal(j, node->in[DT_BN_X], err));
        goal *g = &j->goal[j->count - 1];
        g->mean = q->p->state->data[node->in[DT_BN_MEAN]];
        g->var = q->p->state->data[node->in[DT_BN_VAR]];
        g->eps = ((const dt_batchnorm_conf *)node->conf)->eps;
    }
    if (j->count == 0)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = "distill" },
                       "makes pictures of batch norms' statistics, and the net has no batch norm; "
                       "it needs pictures");
    return add_goal(j, q->bare_of[q->p->input], err);
}

static dt_status make_plan(job *j, dt_error *err)
{
    const dt_ptq *q = j->q;
    const dt_ptq_params *p = q->p;
    const int input = j->values[j->count - 1];
    bool *frozen = dt_arena_get(q->arena, (size_t)q->bare.value_count + 1);
    if (!frozen) return no_memory(err);
    for (int v = 0; v < q->bare.value_count; v++)
        frozen[v] = true;
    DT_TRY(dt_fuse(&q->bare, j->values, j->count, &j->fused, p->alloc, err));
    DT_TRY(dt_plan_init(&j->plan,
                        &(dt_plan_request){ .graph = &j->fused,
                                            .kernels = p->kernels,
                                            .mode = DT_MODE_TRAIN,
                                            .norms = DT_NORMS_RUNNING,
                                            .batch = j->batch,
                                            .threads = p->threads,
                                            .outputs = j->values,
                                            .output_count = j->count - 1,
                                            .given = &input,
                                            .given_count = 1,
                                            .seeds = j->values,
                                            .seed_count = j->count - 1,
                                            .gradients = &input,
                                            .gradient_count = 1,
                                            .frozen = frozen },
                        p->alloc, err));
    return dt_exec_init(&j->exec, &j->plan, p->state, p->kernels, NULL, p->alloc, err);
}

static dt_status open(job *j, dt_error *err)
{
    const dt_alloc *a = j->q->p->alloc;
    const size_t n = (size_t)(j->batch * j->n);
    const dt_row *row;
    DT_TRY(dt_table_get(&dt_optimizers, "adamw", NULL, &row, err));
    j->adam = (const dt_optimizer *)(const void *)row;
    j->adam_conf = dt_arena_get(j->q->arena, row->conf_size);
    j->part = dt_arena_get(j->q->arena, sizeof *j->part * (size_t)j->batch);
    j->x = dt_get_array(a, n, sizeof *j->x, "pictures");
    j->dx = dt_get_array(a, n, sizeof *j->dx, "pictures");
    bool ok = j->adam_conf && j->part && j->x && j->dx;
    for (int k = 0; k < j->adam->state_count; k++)
        ok = (j->state[k] = dt_get_array(a, n, sizeof(real), "pictures")) && ok;
    if (!ok) return no_memory(err);
    dt_opt_defaults(row->opts, j->adam_conf);
    DT_TRY(find_goals(j, err));
    return make_plan(j, err);
}

static void close(job *j)
{
    const dt_alloc *a = j->q->p->alloc;
    dt_exec_fini(&j->exec);
    dt_plan_fini(&j->plan);
    dt_graph_fini(&j->fused);
    for (int k = 0; k < j->count; k++)
        dt_put(a, j->goal[k].grad);
    for (int k = 0; k < DT_OPTIMIZER_STATES; k++)
        dt_put(a, j->state[k]);
    dt_put(a, j->x);
    dt_put(a, j->dx);
}

/* ---- iterations ---- */

/* The loss, and its gradient into j->dx. */
static dt_status differentiate(job *j, double *out_loss, dt_error *err)
{
    const goal *own = &j->goal[j->count - 1];
    dt_exec_set_input(&j->exec, own->value, j->x);
    DT_TRY(dt_exec_forward(&j->exec, err));
    *out_loss = measure(j);
    for (int k = 0; k < j->count - 1; k++)
        dt_exec_set_gradient(&j->exec, j->goal[k].value, j->goal[k].grad);
    dt_exec_backward(&j->exec);
    const real *through = dt_exec_gradient(&j->exec, own->value);
    for (int64_t i = 0; i < j->batch * j->n; i++)
        j->dx[i] = own->grad[i] + (through ? through[i] : 0);
    return DT_OK;
}

static void start_batch(job *j, int64_t first)
{
    const size_t n = (size_t)(j->batch * j->n);
    for (int64_t i = 0; i < j->batch; i++) {
        dt_rng rng;
        dt_rng_open(&rng, j->q->p->seed, DT_RNG_MIX, dt_hash_name("distill"),
                    (uint64_t)(first + i));
        for (int64_t k = 0; k < j->n; k++)
            j->x[i * j->n + k] = (real)dt_rng_normal(&rng);
    }
    for (int k = 0; k < j->adam->state_count; k++)
        memset(j->state[k], 0, n * sizeof(real));
}

static dt_status make_batch(job *j, int64_t first, dt_ptq_result *r, dt_error *err)
{
    const int64_t count = j->q->p->count;
    double best = INFINITY, loss = 0, lr = j->c->lr;
    int waited = 0;
    start_batch(j, first);
    for (int step = 0; step < j->c->iterations; step++) {
        const double share = ((double)first + (double)j->batch * step / j->c->iterations);
        if (step % 25 == 0) DT_TRY(dt_ptq_tell(j->q, "pictures", share / (double)count, err));
        DT_TRY(differentiate(j, &loss, err));
        if (!isfinite(loss))
            return dt_fail(err, DT_ERR_NUMERIC, &(dt_where){ .key = "distill" },
                           "the loss of iteration %d is %g; take a smaller lr", step, loss);
        if (step == 0) r->before += loss;
        waited = loss < best * (1 - 1e-4) ? 0 : waited + 1;
        best = loss < best ? loss : best;
        if (waited > j->c->patience) {
            lr = fmax(lr / 10, j->c->lr_least);
            waited = 0;
        }
        j->adam->step(j->adam_conf, (size_t)(j->batch * j->n), (real)lr, 0, j->x, j->dx, j->state,
                      step);
    }
    r->after += loss;
    return DT_OK;
}

/* The last batch is a whole one, too: what it has too many of is left. */
static dt_status make_all(job *j, real *to, dt_ptq_result *r, dt_error *err)
{
    const int64_t count = j->q->p->count;
    int64_t batches = 0;
    for (int64_t first = 0; first < count; first += j->batch, batches++) {
        const int64_t left = count - first, take = left < j->batch ? left : j->batch;
        DT_TRY(make_batch(j, first, r, err));
        memcpy(to + first * j->n, j->x, sizeof *to * (size_t)(take * j->n));
    }
    r->before /= (double)batches;
    r->after /= (double)batches;
    return DT_OK;
}

static dt_status run(dt_ptq *q, const void *options, dt_error *err)
{
    const conf *c = options;
    const int64_t count = q->p->count;
    dt_ptq_result r = { .unit = "pictures" };
    job j = { .q = q,
              .c = c,
              .batch = c->batch < count ? c->batch : count,
              .n = dt_ptq_features(q, q->p->input) };
    real *made;
    DT_TRY(dt_ptq_get(q, q->p->input, &made, err));
    dt_status st = open(&j, err);
    if (st == DT_OK) st = make_all(&j, made, &r, err);
    close(&j);
    if (st != DT_OK) {
        dt_ptq_put(q, made);
        return st;
    }
    dt_ptq_put(q, q->made);
    q->made = made;
    q->pictures = made;
    dt_ptq_say(q, "%lld pictures made of %d batch norms: loss %.4g -> %.4g", (long long)count,
               j.count - 1, r.before, r.after);
    return DT_OK;
}

static dt_status check(dt_ptq *q, const void *options, dt_error *err)
{
    (void)options;
    if (q->start != DT_PTQ_INPUTS) return DT_OK;
    return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = "distill" },
                   "makes pictures, and the net has several inputs; it needs those of data.inputs");
}

const dt_ptq_stage dt_ptq_stage_distill = {
    .row = { "distill", "pictures of batch norms' statistics (Cai 2020, arXiv:2001.00281)", opts,
             sizeof(conf) },
    .transforms = true,
    .makes_pictures = true,
    .check = check,
    .run = run,
};
