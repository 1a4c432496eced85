/* The loss of a student, in numbers; a teacher that agrees pulls nowhere. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_distill.h"

#include <math.h>

#include "autograd/op.h"
#include "tests/support/run.h"

enum { ROWS = 2, K = 3 };

typedef struct result {
    double loss, d_task, d_logits[ROWS * K];
} result;

static result run(const dt_distill_conf *conf, const real *x, const real *t)
{
    const dt_op *op = dt_op_find("distill");
    const dt_shape in[] = { DT_SHAPE(1), DT_SHAPE(ROWS, K), DT_SHAPE(ROWS, K) }, out = in[0];
    real task = (real)0.5, y, g = 2, d_task, d_x[ROWS * K], saved[ROWS * K];
    double work[ROWS];
    result r;
    dt_op_run call = { .conf = conf,
                       .mode = DT_MODE_TRAIN,
                       .threads = 1,
                       .in_shape = in,
                       .out_shape = &out,
                       .in = { &task, (void *)(uintptr_t)x, (void *)(uintptr_t)t },
                       .out = { &y },
                       .d_out = { &g },
                       .d_in = { &d_task, d_x },
                       .saved = saved,
                       .work = work };
    op->forward(&call);
    op->backward(&call);
    r.loss = (double)y;
    r.d_task = (double)d_task;
    for (int i = 0; i < ROWS * K; i++)
        r.d_logits[i] = (double)d_x[i];
    return r;
}

START_TEST(a_teacher_that_agrees_pulls_nowhere)
{
    static const real x[] = { 1, -2, (real)0.3, 4, 4, -1 };
    for (int T = 1; T < 6; T += 4) {
        const dt_distill_conf conf = { T, 1, 1 };
        result r = run(&conf, x, x);
        for (int i = 0; i < ROWS * K; i++)
            ck_assert_double_eq(r.d_logits[i], 0);
        ck_assert_double_eq(r.d_task, 2);
    }
}
END_TEST

/* By hand: the student is even, -log 1/3 whatever the teacher says; q - p = 1/3 - p, and p of the
 * first row at T = 2 are e^(1, 0, 0) / (e + 2), of the second 1/3. */
START_TEST(worked_numbers)
{
    static const real x[ROWS * K] = { 0 }, t[] = { 2, 0, 0, 7, 7, 7 };
    const dt_distill_conf conf = { 2, 3, 0.5 };
    const double e = 2.718281828459045, p = e / (e + 2), each = 2 * 0.5 * 2 / ROWS;
    result r = run(&conf, x, t);
    ck_assert_double_eq_tol(r.loss, 3 * 0.5 + 0.5 * 4 * log(3), 1e-6);
    ck_assert_double_eq(r.d_task, 6);
    ck_assert_double_eq_tol(r.d_logits[0], each * (1. / 3 - p), 1e-6);
    ck_assert_double_eq_tol(r.d_logits[1], each * (1. / 3 - 1 / (e + 2)), 1e-6);
    ck_assert_double_eq_tol(r.d_logits[3], 0, 1e-6);
}
END_TEST

DT_TEST_MAIN("op_distill", a_teacher_that_agrees_pulls_nowhere, worked_numbers)
