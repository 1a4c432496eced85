/* Weights of each product from statistics of its rows, in the order of the net: solvers in a chain.
 * Sums are taken in double, over evenly spread rows where there are more than `rows`. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/query.h"
#include "core/thread.h"
#include "kernels/blas.h"
#include "kernels/dense.h"
#include "ptq/recon.h"
#include "ptq/solve.h"

#define CONF dt_ptq_solve_conf
enum { BLOCK = 256 /* rows that are added at a time */ };

static const dt_opt opts[] = {
    DT_OPT_WORDS(CONF, solvers, "in a chain: ridge, gptq, quantease, nearest"),
    DT_OPT_FLOAT(CONF, damping, 0.01, 0, 1, "share of the mean diagonal that is added to it"),
    DT_OPT_FLOAT(CONF, shrink, 0, 0, 1, "of ridge: share of the weights that stays"),
    DT_OPT_BOOL(CONF, by_size, 1, "of gptq: columns of large inputs first"),
    DT_OPT_INT(CONF, sweeps, 4, 1, 1000, "of quantease"),
    DT_OPT_INT(CONF, rows, 65536, 16, 100000000, "that are added up for a layer, at most"),
    DT_OPT_ENUM(CONF, input, 0, "quant|float", "whose rows: of the net quantized so far or not"),
    DT_OPT_END,
};

/* A product whose statistics are taken. */
typedef struct job {
    dt_ptq *q;
    const CONF *c;
    const dt_node *product;
    dt_ptq_weight w;
    dt_shape x, shape;          /* of its input over all pictures, of its weight */
    int64_t rows, groups, O, K; /* O: outputs of a group */
    int64_t step, taken;        /* every step-th row, so many */
    bool pairs;                 /* a solver reads them: C is taken as well */
    real *quant, *plain, *out[2];
    dt_encode *encode;
    real *block[2];  /* [BLOCK, K] */
    double *wide[2]; /* the same */
    double *H, *C, *target, *solution;
} job;

/* The i-th solver of the chain. */
static dt_status solver_at(const CONF *c, int i, const dt_ptq_solver **out, dt_error *err)
{
    const dt_row *row;
    DT_TRY(dt_table_get(&dt_ptq_solvers, c->solvers.value[i], &(dt_where){ .key = "solve.solvers" },
                        &row, err));
    *out = (const dt_ptq_solver *)(const void *)row;
    return DT_OK;
}

/* Does one of them read C? Their names are right, see check. */
static bool reads_pairs(const CONF *c)
{
    const dt_ptq_solver *s;
    for (int i = 0; i < c->solvers.count; i++)
        if (solver_at(c, i, &s, NULL) == DT_OK && s->reads_pairs) return true;
    return false;
}

static void widen(const real *from, int64_t n, double *to)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = (double)from[i];
}

/* Rows first, first + step, ... of a group. */
static void read_rows(const job *j, const real *x, int64_t group, int64_t first, int64_t n,
                      real *to)
{
    const dt_op_product *of = j->product->op->product;
    if (j->step == 1) {
        of->read_rows(j->product->conf, &j->x, &j->shape, x, group, first, n, to);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        of->read_rows(j->product->conf, &j->x, &j->shape, x, group, (first + i) * j->step, 1,
                      to + i * j->K);
}

static void add_statistics(const job *j, int64_t group)
{
    const int64_t K = j->K;
    memset(j->H, 0, sizeof(double) * (size_t)(K * K));
    memset(j->C, 0, sizeof(double) * (size_t)(K * K));
    const real *of[] = { j->c->input ? j->plain : j->quant, j->plain };
    const int sides = j->pairs ? 2 : 1;
    for (int64_t at = 0; at < j->taken; at += BLOCK) {
        int64_t n = j->taken - at < BLOCK ? j->taken - at : BLOCK;
        for (int k = 0; k < sides; k++) {
            read_rows(j, of[k], group, at, n, j->block[k]);
            widen(j->block[k], n * K, j->wide[k]);
        }
        dt_dense_gram(n, K, K, j->wide[0], j->wide[0], j->H);
        if (j->pairs) dt_dense_gram(n, K, K, j->wide[1], j->wide[0], j->C);
    }
}

static dt_status solve_group(job *j, int64_t group, dt_error *err)
{
    const int64_t n = j->O * j->K;
    dt_ptq_layer l = { .threads = j->q->p->threads,
                       .O = j->O,
                       .K = j->K,
                       .H = j->H,
                       .C = j->C,
                       .target = j->target,
                       .w = j->solution,
                       .encode = j->encode,
                       .first = group * n,
                       .run = j->w.at.count,
                       .alloc = j->q->p->alloc };
    add_statistics(j, group);
    widen(j->q->origin.data[j->w.value] + group * n, n, l.target);
    for (int i = 0; i < j->c->solvers.count; i++) {
        const dt_ptq_solver *solver;
        DT_TRY(solver_at(j->c, i, &solver, err));
        DT_TRY(solver->solve(&l, j->c, err));
    }
    for (int64_t i = 0; i < n; i++)
        j->q->p->state->data[j->w.value][group * n + i] =
            (real)(l.coded ? l.w[i] : dt_ptq_nearest(&l, i, l.target[i]));
    return DT_OK;
}

/* The product's own squared error over all rows, as the report has it. */
static dt_status measure(job *j, double *out, dt_error *err)
{
    const int v = j->product->out[0];
    const int64_t C = j->O * j->groups;
    DT_TRY(dt_ptq_read(j->q, v, j->out[0], NULL, err));
    *out = dt_ptq_pnorm(j->q->p->threads, j->q->p->count * dt_ptq_features(j->q, v) / C, C,
                        j->out[0], j->out[1], NULL, 2, NULL);
    return DT_OK;
}

static dt_status get_memory(job *j, dt_error *err)
{
    dt_ptq *q = j->q;
    const dt_alloc *a = q->p->alloc;
    const int x = j->product->in[j->product->op->product->x], y = j->product->out[0];
    const size_t K = (size_t)j->K, O = (size_t)j->O;
    DT_TRY(dt_ptq_get(q, x, &j->quant, err));
    DT_TRY(dt_ptq_get(q, x, &j->plain, err));
    DT_TRY(dt_ptq_get(q, y, &j->out[0], err));
    DT_TRY(dt_ptq_get(q, y, &j->out[1], err));
    j->encode = dt_get_array(a, (size_t)j->w.at.groups, sizeof *j->encode, "statistics");
    for (int k = 0; k < 2; k++) {
        j->block[k] = dt_get_array(a, BLOCK * K, sizeof(real), "statistics");
        j->wide[k] = dt_get_array(a, BLOCK * K, sizeof(double), "statistics");
    }
    j->H = dt_get_array(a, K * K, sizeof(double), "statistics");
    j->C = dt_get_array(a, K * K, sizeof(double), "statistics");
    j->target = dt_get_array(a, O * K, sizeof(double), "statistics");
    j->solution = dt_get_array(a, O * K, sizeof(double), "statistics");
    bool ok = j->encode && j->block[0] && j->block[1] && j->wide[0] && j->wide[1] && j->H && j->C &&
              j->target && j->solution;
    return ok ? DT_OK
              : dt_fail(err, DT_ERR_NOMEM, &(dt_where){ .key = j->product->name },
                        "no memory for statistics of %lld inputs", (long long)j->K);
}

static void put_memory(job *j)
{
    const dt_alloc *a = j->q->p->alloc;
    real *values[] = { j->quant, j->plain, j->out[0], j->out[1] };
    void *all[] = { j->encode, j->block[0], j->block[1], j->wide[0], j->wide[1],
                    j->H,      j->C,        j->target,   j->solution };
    for (size_t i = 0; i < DT_ARRAY_LEN(values); i++)
        dt_ptq_put(j->q, values[i]);
    for (size_t i = 0; i < DT_ARRAY_LEN(all); i++)
        dt_put(a, all[i]);
}

static dt_status solve_product(job *j, dt_ptq_result *r, dt_error *err)
{
    dt_ptq *q = j->q;
    const int x = j->product->in[j->product->op->product->x];
    DT_TRY(get_memory(j, err));
    DT_TRY(dt_ptq_encoders(q, &j->w, j->encode, err));
    DT_TRY(dt_ptq_read(q, x, j->quant, j->plain, err));
    DT_TRY(dt_ptq_read(q, j->product->out[0], NULL, j->out[1], err));
    DT_TRY(measure(j, &r->before, err));
    for (int64_t g = 0; g < j->groups; g++)
        DT_TRY(solve_group(j, g, err));
    dt_ptq_round_nearest(q, &j->w, q->p->state->data[j->w.value]);
    DT_TRY(measure(j, &r->after, err));
    r->weights = j->w.count;
    r->changed = dt_ptq_changed(q, &j->w);
    return DT_OK;
}

/* Keeps the weights of before where the solution is no better. */
static dt_status solve_or_keep(job *j, dt_ptq_result *r, dt_error *err)
{
    real *w = j->q->p->state->data[j->w.value];
    const size_t bytes = sizeof(real) * (size_t)j->w.count;
    real *kept = dt_get(j->q->p->alloc, bytes, "statistics");
    if (!kept) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for statistics");
    memcpy(kept, w, bytes);
    dt_status st = solve_product(j, r, err);
    if (st == DT_OK && !(r->after < r->before)) {
        memcpy(w, kept, bytes);
        dt_ptq_round_nearest(j->q, &j->w, w);
        r->after = r->before;
        r->changed = 0;
    }
    dt_put(j->q->p->alloc, kept);
    put_memory(j);
    return st;
}

/* What there is to do at a node; false: nothing. */
static bool job_of(dt_ptq *q, const CONF *c, int i, job *out)
{
    const dt_node *node = &q->g->node[i];
    const dt_op_product *of = node->op->product;
    *out = (job){ .q = q, .c = c, .product = node, .pairs = reads_pairs(c) };
    if (!q->needed[i] || !dt_ptq_weight_of(q, node, &out->w) || !of->read_rows) return false;
    out->x = q->g->value[node->in[of->x]].shape;
    out->x.dim[0] = q->p->count;
    out->shape = q->g->value[out->w.value].shape;
    out->rows = of->rows(node->conf, &out->x, &out->shape, &out->groups);
    out->O = out->shape.dim[of->channel_axis] / out->groups;
    out->K = out->w.count / (out->O * out->groups);
    out->step = (out->rows + c->rows - 1) / c->rows;
    out->taken = (out->rows + out->step - 1) / out->step;
    return true;
}

static dt_status run(dt_ptq *q, const void *options, dt_error *err)
{
    job j;
    int count = 0;
    for (int i = 0; i < q->g->node_count; i++)
        count += job_of(q, options, i, &j);
    DT_TRY(dt_blas_load(1, err));
    dt_blas_serial();
    dt_ptq_begin(q, count);
    DT_TRY(dt_ptq_advance(q, q->start, err));
    for (int i = 0, unit = 0; i < q->g->node_count; i++) {
        dt_ptq_result r = { .unit = q->g->node[i].name };
        if (!job_of(q, options, i, &j)) continue;
        if (dt_ptq_skips(q, unit++)) {
            q->unit++;
            continue;
        }
        int x = j.product->in[j.product->op->product->x];
        int maker = q->g->value[dt_ptq_unquantized(q->g, x)].producer;
        DT_TRY(dt_ptq_tell(q, r.unit, 0, err));
        DT_TRY(dt_ptq_advance(q, dt_ptq_border_before(q, maker), err));
        DT_TRY(solve_or_keep(&j, &r, err));
        DT_TRY(dt_ptq_finish_unit(q, &r, err));
    }
    return DT_OK;
}

static dt_status check(dt_ptq *q, const void *options, dt_error *err)
{
    const CONF *c = options;
    const dt_ptq_solver *solver;
    (void)q;
    for (int i = 0; i < c->solvers.count; i++)
        DT_TRY(solver_at(c, i, &solver, err));
    if (c->solvers.count) return DT_OK;
    return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = "solve.solvers" },
                   "none is named; take [gptq], say");
}

const dt_ptq_stage dt_ptq_stage_solve = {
    .row = { "solve", "weights of layers from statistics of their inputs", opts, sizeof(CONF) },
    .check = check,
    .reads_quantized = true,
    .run = run,
};
