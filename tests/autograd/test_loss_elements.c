/* Losses over elements, in numbers; samples that do not count. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/loss_elements.h"

#include <math.h>

#include "tests/support/run.h"

enum { ROWS = 3, K = 2 };

typedef struct result {
    double loss, d[ROWS * K];
} result;

static result run_with(const void *conf, const char *loss, const real *y, const real *t,
                       int threads)
{
    const dt_op *op = dt_op_find(loss);
    const dt_shape in[] = { DT_SHAPE(ROWS, K), DT_SHAPE(ROWS, K) }, out = DT_SHAPE(1);
    real sum, g = 2, dy[ROWS * K];
    double work[ROWS];
    result r;
    dt_op_run call = { .conf = conf,
                       .mode = DT_MODE_TRAIN,
                       .threads = threads,
                       .in_shape = in,
                       .out_shape = &out,
                       .in = { (void *)(uintptr_t)y, (void *)(uintptr_t)t },
                       .out = { &sum },
                       .d_out = { &g },
                       .d_in = { dy },
                       .work = work };
    op->forward(&call);
    op->backward(&call);
    r.loss = (double)sum;
    for (int i = 0; i < ROWS * K; i++)
        r.d[i] = (double)dy[i];
    return r;
}

static result run(const char *loss, const real *y, const real *t, int threads)
{
    return run_with(NULL, loss, y, t, threads);
}

static void expect(double got, double want)
{
    ck_assert_double_eq_tol(got, want, 1e-6 * (1 + fabs(want)));
}

/* The second sample does not count: means are over two. */
START_TEST(worked_numbers)
{
    static const real y[] = { 1, -2, 5, 5, 0, 3 }, t[] = { 3, -2, NAN, 1, 1, 0 };
    result r = run("mse", y, t, 1);
    expect(r.loss, ((4 + 0) / 2.0 + (1 + 9) / 2.0) / 2);
    expect(r.d[0], 2 * 2 * (1 - 3) / 4.0);
    expect(r.d[5], 2 * 2 * 3 / 4.0);
    ck_assert(r.d[2] == 0 && r.d[3] == 0);
    static const real flags[] = { 1, 0, NAN, 0, 1, 0 };
    r = run("bce", y, flags, 1);
    double want = log(1 + exp(-1.0)) + log(1 + exp(-2.0)) + log(2) + log(1 + exp(3.0));
    expect(r.loss, want / 4);
    expect(r.d[0], 2 * (1 / (1 + exp(-1.0)) - 1) / 4);
    expect(r.d[5], 2 * (1 / (1 + exp(-3.0))) / 4);
    ck_assert(r.d[2] == 0 && r.d[3] == 0);
}
END_TEST

/* Quadratic up to delta, linear behind it. */
START_TEST(huber_by_hand)
{
    static const real y[] = { 0, 3, (real)0.5, -4, 1, 1 }, t[] = { 0, 0, 0, 0, 1, 2 };
    const double delta = 1;
    result r = run_with(&delta, "huber", y, t, 1);
    expect(r.loss, (0 + 2.5 + 0.125 + 3.5 + 0 + 0.5) / 6);
    static const double slopes[] = { 0, 1, 0.5, -1, 0, -1 };
    for (int i = 0; i < ROWS * K; i++)
        expect(r.d[i], 2 * slopes[i] / 6);
}
END_TEST

START_TEST(nothing_overflows)
{
    static const real y[] = { 1000, -1000, 1000, -1000, 0, 0 }, t[] = { 1, 0, 0, 1, 1, 0 };
    result r = run("bce", y, t, 2);
    expect(r.loss, (2000 + 2 * log(2)) / 6);
    for (int i = 0; i < ROWS * K; i++)
        ck_assert(isfinite(r.d[i]));
}
END_TEST

START_TEST(of_a_sample_is_what_the_operation_means)
{
    static const real y[] = { (real)0.3, -2, 5, 5, 0, 3 }, t[] = { 1, 0, 1, 1, 0, 1 };
    for (const dt_row *const *row = dt_losses.rows; *row; row++) {
        const dt_loss *l = (const dt_loss *)(const void *)*row;
        if (l->answer == DT_ANSWER_LABEL || l->row.conf_size) continue;
        double sum = 0;
        for (int n = 0; n < ROWS; n++)
            sum += l->of(NULL, y + n * K, t + n * K, K);
        expect(run(l->row.name, y, t, 1).loss, sum / ROWS);
    }
}
END_TEST

DT_TEST_MAIN("loss_elements", worked_numbers, huber_by_hand, nothing_overflows,
             of_a_sample_is_what_the_operation_means)
