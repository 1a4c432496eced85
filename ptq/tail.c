/* The rest of the float net behind a unit. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/tail.h"

#include <math.h>
#include <string.h>

#include "autograd/fuse.h"
#include "core/mathx.h"

static dt_status make_plan(dt_ptq_tail *t, dt_error *err)
{
    const dt_ptq_params *p = t->q->p;
    const int keep[] = { t->logits, t->out, t->from }, count = t->out == t->from ? 1 : 2;
    bool *frozen = dt_arena_get(t->q->arena, (size_t)t->q->bare.value_count + 1);
    if (!frozen) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int v = 0; v < t->q->bare.value_count; v++)
        frozen[v] = true;
    DT_TRY(dt_fuse(&t->q->bare, keep, 3, &t->fused, p->alloc, err));
    DT_TRY(dt_plan_init(&t->plan,
                        &(dt_plan_request){ .graph = &t->fused,
                                            .kernels = p->kernels,
                                            .mode = DT_MODE_TRAIN,
                                            .norms = DT_NORMS_RUNNING,
                                            .batch = t->batch,
                                            .threads = p->threads,
                                            .outputs = &t->logits,
                                            .output_count = 1,
                                            .given = keep + 1,
                                            .given_count = count,
                                            .seeds = &t->logits,
                                            .seed_count = 1,
                                            .gradients = &t->out,
                                            .gradient_count = 1,
                                            .frozen = frozen },
                        p->alloc, err));
    return dt_exec_init(&t->exec, &t->plan, &t->q->origin, p->kernels, NULL, p->alloc, err);
}

static dt_status get_memory(dt_ptq_tail *t, dt_error *err)
{
    const dt_alloc *a = t->q->p->alloc;
    const size_t batch = (size_t)t->batch;
    DT_TRY(dt_ptq_get(t->q, t->q->p->logits, &t->truth, err));
    t->y = dt_get_array(a, batch * (size_t)t->n, sizeof *t->y, "unit");
    t->at = dt_get_array(a, batch * (size_t)t->from_n, sizeof *t->at, "unit");
    t->seed = dt_get_array(a, batch * (size_t)t->K, sizeof *t->seed, "unit");
    t->told = dt_get_array(a, 2 * (size_t)t->K, sizeof *t->told, "unit");
    if (!t->y || !t->at || !t->seed || !t->told)
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a unit");
    t->guessed = t->told + t->K;
    return DT_OK;
}

static dt_status open(dt_ptq_tail *t, dt_error *err)
{
    dt_ptq *q = t->q;
    DT_TRY(get_memory(t, err));
    DT_TRY(dt_ptq_advance_plain(q, err));
    DT_TRY(dt_ptq_collect(q,
                          &(dt_ptq_pass){ .plain = true,
                                          .from = q->stream.at,
                                          .data = dt_ptq_at(q, true),
                                          .want = &q->p->logits,
                                          .want_count = 1,
                                          .to = &t->truth },
                          err));
    return t->whole ? DT_OK : make_plan(t, err);
}

dt_status dt_ptq_tail_open(dt_ptq_tail *t, dt_ptq *q, const dt_ptq_unit *unit, int64_t batch,
                           double temperature, dt_error *err)
{
    *t = (dt_ptq_tail){ .q = q,
                        .unit = unit,
                        .out = q->bare_of[unit->out],
                        .from = q->bare_of[q->stream.at],
                        .logits = q->bare_of[q->p->logits],
                        .batch = batch,
                        .K = dt_ptq_features(q, q->p->logits),
                        .n = dt_ptq_features(q, unit->out),
                        .from_n = dt_ptq_features(q, q->stream.at),
                        .temperature = temperature };
    t->whole = t->out == t->logits;
    dt_status st = open(t, err);
    if (st != DT_OK) dt_ptq_tail_close(t);
    return st;
}

void dt_ptq_tail_close(dt_ptq_tail *t)
{
    if (!t->q) return;
    const dt_alloc *a = t->q->p->alloc;
    real *all[] = { t->y, t->at, t->seed };
    dt_exec_fini(&t->exec);
    dt_plan_fini(&t->plan);
    dt_graph_fini(&t->fused);
    for (size_t i = 0; i < DT_ARRAY_LEN(all); i++)
        dt_put(a, all[i]);
    dt_put(a, t->told);
    dt_ptq_put(t->q, t->truth);
    *t = (dt_ptq_tail){ 0 };
}

/* log of softmax(x / temperature) */
static void log_softmax(int64_t K, const real *x, double temperature, double *out)
{
    double most = (double)x[0], sum = 0;
    for (int64_t k = 1; k < K; k++)
        most = fmax(most, (double)x[k]);
    for (int64_t k = 0; k < K; k++)
        sum += dt_exp(out[k] = ((double)x[k] - most) / temperature);
    for (int64_t k = 0; k < K; k++)
        out[k] -= dt_log(sum);
}

/* The logits of y; places behind the n pictures hold what was there, which nobody reads. */
static const real *forward(dt_ptq_tail *t, int64_t n, const int64_t *picture, const real *y)
{
    const real *from = dt_ptq_at(t->q, false);
    if (t->whole) return y;
    memcpy(t->y, y, sizeof *y * (size_t)(n * t->n));
    for (int64_t i = 0; i < n; i++)
        memcpy(t->at + i * t->from_n, from + picture[i] * t->from_n,
               sizeof *from * (size_t)t->from_n);
    if (t->from != t->out) dt_exec_set_input(&t->exec, t->from, t->at);
    dt_exec_set_input(&t->exec, t->out, t->y);
    if (dt_exec_forward(&t->exec, NULL) != DT_OK) return NULL; /* it has no hook that fails */
    return dt_exec_value(&t->exec, t->logits);
}

double dt_ptq_tail_kl(dt_ptq_tail *t, int64_t n, const int64_t *picture, const real *y)
{
    const int64_t K = t->K;
    const real *logits = forward(t, n, picture, y);
    double sum = 0;
    memset(t->seed, 0, sizeof *t->seed * (size_t)(t->batch * K));
    if (!logits) return NAN;
    for (int64_t i = 0; i < n; i++) {
        log_softmax(K, t->truth + picture[i] * K, t->temperature, t->told);
        log_softmax(K, logits + i * K, t->temperature, t->guessed);
        for (int64_t k = 0; k < K; k++) {
            double p = dt_exp(t->told[k]);
            sum += p * (t->told[k] - t->guessed[k]);
            t->seed[i * K + k] = (real)((dt_exp(t->guessed[k]) - p) / t->temperature);
        }
    }
    return sum;
}

const real *dt_ptq_tail_slope(dt_ptq_tail *t)
{
    if (t->whole) return t->seed;
    dt_exec_set_gradient(&t->exec, t->logits, t->seed);
    dt_exec_backward(&t->exec);
    return dt_exec_gradient(&t->exec, t->out);
}
