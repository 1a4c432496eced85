/* Batches that normalise together are one batch of all their samples: losses, gradients, running
 * statistics; and whoever runs them, the bits are the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/together.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "autograd/fuse.h"
#include "core/rng.h"
#include "tests/grad/residual.h"

enum { BATCHES = 5, ALL = BATCHES * N, PICTURE = HW * HW * C, RANKS = 3, MOST_VALUES = 64 };

static real pictures[ALL * PICTURE];
static int32_t target[ALL];
static dt_kernels k;

static void draw(void)
{
    dt_rng rng;
    dt_rng_open(&rng, 5, DT_RNG_TEST, 0, 0);
    /* Batches differ, so that each alone has other statistics. */
    for (int i = 0; i < ALL * PICTURE; i++)
        pictures[i] = (real)(dt_rng_normal(&rng) * (1 + i / (N * PICTURE)) + i / (N * PICTURE));
    for (int i = 0; i < ALL; i++)
        target[i] = i % CLASSES;
    ck_assert_int_eq(dt_kernels_init(&k, test_isa, NULL), DT_OK);
}

typedef struct net {
    dt_graph plain, fused;
    const dt_graph *g;
    int x, labels, loss;
} net;

static void open_net(net *t, bool fuse)
{
    t->loss = build(&t->plain, &t->x, &t->labels);
    t->g = &t->plain;
    ck_assert_int_le(t->plain.value_count, MOST_VALUES);
    if (!fuse) return;
    ck_assert_int_eq(dt_fuse(&t->plain, &t->loss, 1, &t->fused, NULL, NULL), DT_OK);
    t->g = &t->fused;
    int chains = 0;
    for (int i = 0; i < t->g->node_count; i++)
        chains += t->g->node[i].op->fused;
    ck_assert_int_gt(chains, 0);
}

static void close_net(net *t, bool fuse)
{
    if (fuse) dt_graph_fini(&t->fused);
    dt_graph_fini(&t->plain);
}

static void open_plan(dt_plan *p, const net *t, dt_norms norms, int64_t batch, int threads)
{
    ck_assert_int_eq(dt_plan_init(p,
                                  &(dt_plan_request){ .graph = t->g,
                                                      .kernels = &k,
                                                      .mode = DT_MODE_TRAIN,
                                                      .norms = norms,
                                                      .batch = batch,
                                                      .threads = threads,
                                                      .outputs = &t->loss,
                                                      .output_count = 1 },
                                  NULL, NULL),
                     DT_OK);
}

/* A process of the step: its batches, and what they come to. */
typedef struct process {
    const net *t;
    int rank, ranks, first, count, block, threads;
    dt_norms norms;
    dt_plan plan;
    dt_state base, twin[BATCHES];
    dt_exec exec[BATCHES], *all[BATCHES];
    dt_together together;
    dt_together_ranks calls;
    double *memory, *moves;
    double loss[BATCHES];
} process;

static pthread_barrier_t meeting;
static double shared[RANKS][64];

static dt_status gather(void *arg, double *records, int64_t count, dt_error *err)
{
    const process *p = arg;
    (void)err;
    size_t bytes = (size_t)count * sizeof *records;
    memcpy(shared[p->rank], records + p->rank * count, bytes);
    pthread_barrier_wait(&meeting);
    for (int r = 0; r < RANKS; r++)
        memcpy(records + r * count, shared[r], bytes);
    pthread_barrier_wait(&meeting);
    return DT_OK;
}

static void open_process(process *p)
{
    open_plan(&p->plan, p->t, p->norms, N, p->threads);
    ck_assert_int_eq(dt_state_init(&p->base, p->t->g, true, 1, NULL, NULL), DT_OK);
    int64_t most = dt_together_most(&p->plan);
    bool joins = p->norms != DT_NORMS_RUNNING;
    ck_assert(most == 8 * joins && (p->plan.moves > 0) == joins); /* four channels */
    p->calls = (dt_together_ranks){ p, gather, NULL };
    p->together = (dt_together){ .exec = p->all,
                                 .count = p->count,
                                 .rank = p->rank,
                                 .ranks = p->ranks,
                                 .batches = BATCHES,
                                 .block = p->block,
                                 .calls = &p->calls };
    p->memory = dt_get(NULL, dt_together_bytes(&p->together, most) + 1, "test");
    p->moves = dt_get_array(NULL, (size_t)p->plan.moves + 1, sizeof *p->moves, "test");
    ck_assert(p->memory && p->moves);
    dt_together_lend(&p->together, most, p->memory);
    for (int i = 0; i < p->count; i++) {
        dt_exec *e = p->all[i] = &p->exec[i];
        ck_assert_int_eq(dt_state_twin(&p->twin[i], &p->base, NULL, NULL), DT_OK);
        ck_assert_int_eq(dt_exec_init(e, &p->plan, &p->twin[i], &k, NULL, NULL, NULL), DT_OK);
        dt_exec_set_input(e, p->t->x, pictures + (p->first + i) * N * PICTURE);
        dt_exec_set_input(e, p->t->labels, target + (p->first + i) * N);
        e->moves = p->moves;
    }
}

static void close_process(process *p)
{
    for (int i = 0; i < p->count; i++) {
        dt_exec_fini(&p->exec[i]);
        dt_state_fini(&p->twin[i]);
    }
    dt_put(NULL, p->memory);
    dt_put(NULL, p->moves);
    dt_state_fini(&p->base);
    dt_plan_fini(&p->plan);
}

static void *step(void *arg)
{
    process *p = arg;
    bool ok = dt_together_forward(&p->together, NULL) == DT_OK;
    for (int i = 0; ok && i < p->count; i++)
        p->loss[i] = ((real *)dt_exec_value(&p->exec[i], p->t->loss))[0];
    ok = ok && dt_together_backward(&p->together, NULL) == DT_OK;
    if (ok) dt_exec_move(&p->exec[0], p->moves);
    return ok ? p : NULL;
}

/* The worst difference of values, relative to the largest of each tensor. */
static double apart(const dt_graph *g, real *const *a, real *const *b)
{
    double worst = 0;
    for (int v = 0; v < g->value_count; v++) {
        double most = 1e-6, differ = 0;
        if (g->value[v].kind != DT_VALUE_PARAM && g->value[v].kind != DT_VALUE_BUFFER) continue;
        for (int64_t i = 0; a[v] && i < dt_shape_count(&g->value[v].shape); i++) {
            most = fmax(most, fabs(a[v][i]));
            differ = fmax(differ, fabs(a[v][i] - b[v][i]));
        }
        worst = fmax(worst, differ / most);
    }
    return worst;
}

/* The mean of the batches' gradients goes to the first one's memory. */
static void average(process *p)
{
    const dt_graph *g = p->t->g;
    for (int v = 0; v < g->value_count; v++)
        for (int64_t i = 0;
             g->value[v].kind == DT_VALUE_PARAM && i < dt_shape_count(&g->value[v].shape); i++) {
            real sum = 0;
            for (int b = 0; b < p->count; b++)
                sum += p->twin[b].grad[v][i];
            p->twin[0].grad[v][i] = sum / BATCHES;
        }
}

START_TEST(together_they_are_one_batch)
{
    draw();
    for (int fuse = 0; fuse < 2; fuse++) {
        net t;
        dt_plan plan;
        dt_state s;
        dt_exec e;
        open_net(&t, fuse);
        open_plan(&plan, &t, DT_NORMS_MOVE, ALL, 2);
        ck_assert_int_eq(dt_state_init(&s, t.g, true, 1, NULL, NULL), DT_OK);
        ck_assert_int_eq(dt_exec_init(&e, &plan, &s, &k, NULL, NULL, NULL), DT_OK);
        dt_exec_set_input(&e, t.x, pictures);
        dt_exec_set_input(&e, t.labels, target);
        ck_assert_int_eq(dt_exec_forward(&e, NULL), DT_OK);
        double loss = ((real *)dt_exec_value(&e, t.loss))[0], mean = 0;
        dt_exec_backward(&e);
        process p = { .t = &t, .ranks = 1, .count = BATCHES, .block = BATCHES, .threads = 2 };
        open_process(&p);
        ck_assert_ptr_nonnull(step(&p));
        for (int i = 0; i < BATCHES; i++)
            mean += p.loss[i] / BATCHES;
        average(&p);
        ck_assert_double_eq_tol(mean, loss, 1e-12);
        ck_assert_double_lt(apart(t.g, s.grad, p.twin[0].grad), 1e-9);
        ck_assert_double_lt(apart(t.g, s.data, p.base.data), 1e-12);
        /* The bound would notice batches that normalise alone. */
        double alone = 0;
        for (int i = 0; i < BATCHES; i++) {
            p.exec[i].batches = 0;
            ck_assert_int_eq(dt_exec_forward(&p.exec[i], NULL), DT_OK);
            alone += ((real *)dt_exec_value(&p.exec[i], t.loss))[0] / BATCHES;
            dt_exec_backward(&p.exec[i]);
        }
        average(&p);
        ck_assert_double_gt(fabs(alone - loss), 1e-3);
        ck_assert_double_gt(apart(t.g, s.grad, p.twin[0].grad), 1e-2);
        close_process(&p);
        dt_exec_fini(&e);
        dt_state_fini(&s);
        dt_plan_fini(&plan);
        close_net(&t, fuse);
    }
}
END_TEST

static void same(const dt_graph *g, real *const *a, real *const *b)
{
    for (int v = 0; v < g->value_count; v++)
        if (g->value[v].kind == DT_VALUE_PARAM || g->value[v].kind == DT_VALUE_BUFFER)
            ck_assert_msg(a[v] == b[v] || memcmp(a[v], b[v],
                                                 sizeof(real) * (size_t)dt_shape_count(
                                                                    &g->value[v].shape)) == 0,
                          "%s", g->value[v].name);
}

/* Five batches of one process, and 2, 2 and 1 of three; with 1 and 3 threads. */
START_TEST(who_runs_them_changes_no_bit)
{
    draw();
    for (int fuse = 0; fuse < 2; fuse++) {
        net t;
        open_net(&t, fuse);
        process one = { .t = &t, .ranks = 1, .count = BATCHES, .block = BATCHES, .threads = 1 };
        process p[RANKS];
        pthread_t thread[RANKS];
        open_process(&one);
        ck_assert_ptr_nonnull(step(&one));
        ck_assert_int_eq(pthread_barrier_init(&meeting, NULL, RANKS), 0);
        for (int r = 0; r < RANKS; r++) {
            p[r] = (process){ .t = &t,
                              .rank = r,
                              .ranks = RANKS,
                              .first = 2 * r,
                              .count = r < 2 ? 2 : 1,
                              .block = 2,
                              .threads = 1 + 2 * (r == 1) };
            open_process(&p[r]);
            ck_assert_int_eq(pthread_create(&thread[r], NULL, step, &p[r]), 0);
        }
        for (int r = 0; r < RANKS; r++) {
            void *ok;
            ck_assert_int_eq(pthread_join(thread[r], &ok), 0);
            ck_assert_ptr_nonnull(ok);
        }
        for (int r = 0; r < RANKS; r++) {
            for (int i = 0; i < p[r].count; i++) {
                ck_assert(p[r].loss[i] == one.loss[p[r].first + i]);
                same(t.g, p[r].twin[i].grad, one.twin[p[r].first + i].grad);
            }
            same(t.g, p[r].base.data, one.base.data);
            close_process(&p[r]);
        }
        pthread_barrier_destroy(&meeting);
        close_process(&one);
        close_net(&t, fuse);
    }
}
END_TEST

/* Frozen norms: side by side is one by one, and running statistics stay. */
START_TEST(running_norms_share_nothing)
{
    draw();
    for (int fuse = 0; fuse < 2; fuse++) {
        net t;
        dt_state untouched;
        open_net(&t, fuse);
        process p = { .t = &t,
                      .ranks = 1,
                      .count = BATCHES,
                      .block = BATCHES,
                      .threads = 1,
                      .norms = DT_NORMS_RUNNING };
        process alone = p;
        open_process(&p);
        open_process(&alone);
        ck_assert_int_eq(dt_state_init(&untouched, t.g, true, 1, NULL, NULL), DT_OK);
        ck_assert_ptr_nonnull(step(&p));
        for (int i = 0; i < BATCHES; i++) {
            dt_exec *e = &alone.exec[i];
            ck_assert_int_eq(dt_exec_forward(e, NULL), DT_OK);
            ck_assert(p.loss[i] == ((real *)dt_exec_value(e, t.loss))[0]);
            dt_exec_backward(e);
            same(t.g, p.twin[i].grad, alone.twin[i].grad);
        }
        same(t.g, p.base.data, untouched.data);
        dt_state_fini(&untouched);
        close_process(&alone);
        close_process(&p);
        close_net(&t, fuse);
    }
}
END_TEST

DT_TEST_MAIN("together", together_they_are_one_batch, who_runs_them_changes_no_bit,
             running_norms_share_nothing)
