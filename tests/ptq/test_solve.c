/* Solvers against worked numbers and against all solutions; rows of products against products. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/solve.h"

#include <math.h>

#include "autograd/op_conv2d.h"
#include "core/rng.h"
#include "kernels/blas.h"
#include "tests/ptq/solver_vectors.h"
#include "tests/support/run.h"

enum { MOST = 8 };

static const dt_ptq_solver *solver(const char *name)
{
    return (const dt_ptq_solver *)(const void *)dt_table_find(&dt_ptq_solvers, name);
}

/* One row of weights on codes low..high with scale 1. */
typedef struct one {
    dt_encode encode;
    double H[MOST * MOST], C[MOST * MOST], target[MOST], w[MOST];
    dt_ptq_layer l;
} one;

static void open_one(one *o, int K, const double *H, const double *w, double low, double high)
{
    *o = (one){ .encode = { .scale = 1, .qmin = (real)low, .qmax = (real)high } };
    memcpy(o->H, H, sizeof *H * (size_t)(K * K));
    memcpy(o->C, H, sizeof *H * (size_t)(K * K));
    memcpy(o->target, w, sizeof *w * (size_t)K);
    o->l = (dt_ptq_layer){ .threads = 1,
                           .O = 1,
                           .K = K,
                           .H = o->H,
                           .C = o->C,
                           .target = o->target,
                           .w = o->w,
                           .encode = &o->encode,
                           .run = K };
    ck_assert_int_eq(dt_blas_load(1, NULL), DT_OK);
    dt_blas_serial();
}

static void solve(one *o, const char *name, int sweeps)
{
    const dt_ptq_solve_conf c = { .damping = 0, .sweeps = sweeps };
    dt_error err = { .status = DT_OK };
    ck_assert_msg(solver(name)->solve(&o->l, &c, &err) == DT_OK, "%s", err.text);
}

static void expect(const one *o, double a, double b, double c, double error)
{
    ck_assert_double_eq_tol(o->w[0], a, 1e-12);
    ck_assert_double_eq_tol(o->w[1], b, 1e-12);
    if (o->l.K > 2) ck_assert_double_eq_tol(o->w[2], c, 1e-12);
    ck_assert_double_eq_tol(dt_ptq_layer_error(&o->l), error, 5e-5);
}

static const double H3[] = { 2.45, 1.48, .78, 1.48, 1.45, .82, .78, .82, 1.45 };
static const double w3[] = { .6, -1.3, 2.4 };

START_TEST(worked_numbers)
{
    const double H2[] = { 1, .9, .9, 1 }, w2[] = { .6, .6 };
    one o;
    open_one(&o, 2, H2, w2, -4, 3);
    solve(&o, "nearest", 1);
    expect(&o, 1, 1, 0, .608); /* nearly the worst */
    solve(&o, "gptq", 1);
    ck_assert_double_eq_tol(dt_ptq_layer_error(&o.l), .088, 1e-9);
    open_one(&o, 3, H3, w3, -4, 3);
    solve(&o, "nearest", 1);
    expect(&o, 1, -1, 2, .6633);
    solve(&o, "quantease", 3); /* from the nearest codes it does not move */
    expect(&o, 1, -1, 2, .6633);
    open_one(&o, 3, H3, w3, -4, 3);
    solve(&o, "quantease", 1); /* from the float weights it finds the best at once */
    expect(&o, 1, -2, 3, .4813);
    open_one(&o, 3, H3, w3, -4, 3);
    solve(&o, "gptq", 1);
    expect(&o, 1, -2, 3, .4813);
}
END_TEST

/* x' is x on a grid of .5: the best float weights, and the error that is left. */
START_TEST(ridge_makes_up_for_inputs)
{
    const double x[] = { 1, .5, .3, -1, 2, .1, -.7, .8 }, w[] = { .6, -1.2 };
    double H[4] = { 0 }, C[4] = { 0 }, before = 0, after = 0;
    one o;
    for (int r = 0; r < 4; r++)
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 2; j++) {
                double a = rint(x[2 * r + i] / .5) * .5, b = rint(x[2 * r + j] / .5) * .5;
                H[2 * i + j] += a * b;
                C[2 * i + j] += x[2 * r + i] * b;
            }
    open_one(&o, 2, H, w, -4, 3);
    memcpy(o.C, C, sizeof C);
    solve(&o, "ridge", 1);
    ck_assert_double_eq_tol(o.target[0], .543093, 1e-6);
    ck_assert_double_eq_tol(o.target[1], -1.105979, 1e-6);
    for (int r = 0; r < 4; r++) {
        double y = w[0] * x[2 * r] + w[1] * x[2 * r + 1], a = rint(x[2 * r] / .5) * .5,
               b = rint(x[2 * r + 1] / .5) * .5;
        before += pow(y - w[0] * a - w[1] * b, 2);
        after += pow(y - o.target[0] * a - o.target[1] * b, 2);
    }
    ck_assert_double_eq_tol(before, .0432, 1e-4);
    ck_assert_double_eq_tol(after, .000148, 1e-6);
}
END_TEST

/* Least error over all codes. */
static double best_of_all(const one *o, int low, int codes)
{
    one at = *o;
    double best = INFINITY;
    int64_t all = 1;
    at.l.w = at.w;
    for (int64_t k = 0; k < o->l.K; k++)
        all *= codes;
    for (int64_t n = 0; n < all; n++) {
        int64_t rest = n;
        for (int64_t k = 0; k < o->l.K; k++, rest /= codes)
            at.w[k] = (double)(low + rest % codes);
        best = fmin(best, dt_ptq_layer_error(&at.l));
    }
    return best;
}

/* On random layers: gptq and quantease behind it are no worse than the nearest codes by and large,
 * never better than the best of all, and quantease never loses what gptq found. */
START_TEST(solvers_come_near_the_best)
{
    enum { K = 4, LAYERS = 40 };
    double sum_nearest = 0, sum_gptq = 0, sum_best = 0;
    dt_rng rng;
    dt_rng_open(&rng, 3, DT_RNG_TEST, 0, 0);
    for (int n = 0; n < LAYERS; n++) {
        double H[K * K] = { 0 }, w[K];
        for (int r = 0; r < 9; r++) {
            double x[K], shared = dt_rng_normal(&rng);
            for (int i = 0; i < K; i++)
                x[i] = shared + 0.5 * dt_rng_normal(&rng);
            for (int i = 0; i < K * K; i++)
                H[i] += x[i / K] * x[i % K];
        }
        for (int i = 0; i < K; i++)
            w[i] = 1.2 * dt_rng_normal(&rng);
        one o;
        open_one(&o, K, H, w, -3, 3);
        solve(&o, "nearest", 1);
        double nearest = dt_ptq_layer_error(&o.l);
        solve(&o, "gptq", 1);
        double gptq = dt_ptq_layer_error(&o.l);
        solve(&o, "quantease", 3);
        double behind = dt_ptq_layer_error(&o.l), best = best_of_all(&o, -3, 7);
        ck_assert_msg(behind <= gptq + 1e-9, "%d: %g -> %g", n, gptq, behind);
        ck_assert_msg(behind >= best - 1e-9, "%d: %g is below the best, %g", n, behind, best);
        sum_nearest += nearest;
        sum_gptq += behind;
        sum_best += best;
    }
    ck_assert_msg(sum_gptq < 0.5 * sum_nearest, "%g against %g of the nearest", sum_gptq,
                  sum_nearest);
    ck_assert_msg(sum_gptq < 1.5 * sum_best, "%g against the best, %g", sum_gptq, sum_best);
}
END_TEST

/* Of three outputs with a scale each. */
static void open_vector(int n, dt_encode *encode, double *target, double *w, dt_ptq_layer *l)
{
    for (int o = 0; o < VECTOR_O; o++)
        encode[o] = (dt_encode){ .scale = (real)vectors[n].scale[o],
                                 .qmin = -VECTOR_HIGH,
                                 .qmax = VECTOR_HIGH };
    memcpy(target, vectors[n].W, sizeof vectors[n].W);
    *l = (dt_ptq_layer){ .threads = 1,
                         .O = VECTOR_O,
                         .K = VECTOR_K,
                         .H = (double *)(uintptr_t)vectors[n].H,
                         .C = (double *)(uintptr_t)vectors[n].C,
                         .target = target,
                         .w = w,
                         .encode = encode,
                         .run = VECTOR_K };
}

static void expect_vector(int n, const char *what, const double *is, const double *wanted)
{
    for (int i = 0; i < VECTOR_O * VECTOR_K; i++)
        ck_assert_msg(fabs(is[i] - wanted[i]) < 1e-5, "%s, layer %d, %d: %g, not %g", what, n, i,
                      is[i], wanted[i]);
}

START_TEST(numpy_says_the_same)
{
    enum { N = VECTOR_O * VECTOR_K };
    const dt_ptq_solve_conf c = { .damping = VECTOR_DAMPING, .by_size = true, .sweeps = 4 };
    const dt_ptq_solve_conf longer = { .sweeps = 20 };
    ck_assert_int_eq(dt_blas_load(1, NULL), DT_OK);
    dt_blas_serial();
    for (int n = 0; n < VECTORS; n++) {
        dt_encode encode[VECTOR_O];
        double target[N], w[N];
        dt_ptq_layer l;
        open_vector(n, encode, target, w, &l);
        ck_assert_int_eq(solver("nearest")->solve(&l, &c, NULL), DT_OK);
        expect_vector(n, "nearest", w, vectors[n].nearest);
        open_vector(n, encode, target, w, &l);
        ck_assert_int_eq(solver("gptq")->solve(&l, &c, NULL), DT_OK);
        expect_vector(n, "gptq", w, vectors[n].gptq);
        ck_assert_int_eq(solver("quantease")->solve(&l, &c, NULL), DT_OK);
        expect_vector(n, "quantease behind gptq", w, vectors[n].behind);
        open_vector(n, encode, target, w, &l);
        ck_assert_int_eq(solver("quantease")->solve(&l, &longer, NULL), DT_OK);
        expect_vector(n, "quantease", w, vectors[n].quantease);
        open_vector(n, encode, target, w, &l);
        ck_assert_int_eq(solver("ridge")->solve(&l, &c, NULL), DT_OK);
        expect_vector(n, "ridge", target, vectors[n].ridge);
    }
}
END_TEST

/* A convolution is its weights times its rows, with strides, padding and groups. */
START_TEST(rows_give_the_product)
{
    const dt_op *op = dt_op_find("conv2d");
    const dt_conv2d_conf cases[] = { { 1, 1, 1, 1, 1, 0, 0 },
                                     { 2, 1, 0, 2, 1, 1, 0 },
                                     { 2, 2, 1, 1, 2, 0, 1 },
                                     { 1, 1, 1, 1, 4, 0, 0 } };
    dt_kernels k;
    ck_assert_int_eq(dt_kernels_init(&k, "scalar", NULL), DT_OK);
    for (size_t n = 0; n < DT_ARRAY_LEN(cases); n++) {
        const dt_conv2d_conf *c = &cases[n];
        const dt_shape x = DT_SHAPE(2, 5, 6, 4), w = DT_SHAPE(8, 3, 3, 4 / c->groups);
        static real data[2 * 5 * 6 * 4], weight[8 * 9 * 4], y[2 * 7 * 8 * 8], row[9 * 4];
        static unsigned char work[1 << 20];
        const dt_conv_shape s = dt_conv2d_shape(c, &x, &w);
        for (size_t i = 0; i < DT_ARRAY_LEN(data); i++)
            data[i] = (real)sin((double)i);
        for (size_t i = 0; i < DT_ARRAY_LEN(weight); i++)
            weight[i] = (real)cos((double)(3 * i));
        ck_assert(k.conv.workspace(&s, DT_CONV_FORWARD, 1) <= sizeof work);
        k.conv.forward(&s, data, weight, y, work, 1);
        int64_t groups, rows = op->product->rows(c, &x, &w, &groups);
        const int64_t K = 9 * 4 / c->groups, O = 8 / groups;
        ck_assert_int_eq(rows, s.N * s.OH * s.OW);
        ck_assert_int_eq(groups, c->groups);
        for (int64_t g = 0; g < groups; g++)
            for (int64_t r = 0; r < rows; r++) {
                op->product->read_rows(c, &x, &w, data, g, r, 1, row);
                for (int64_t o = g * O; o < (g + 1) * O; o++) {
                    double sum = 0;
                    for (int64_t i = 0; i < K; i++)
                        sum += (double)row[i] * (double)weight[o * K + i];
                    ck_assert_double_eq_tol(sum, (double)y[r * 8 + o], 1e-4);
                }
            }
    }
}
END_TEST

DT_TEST_MAIN("solve", worked_numbers, ridge_makes_up_for_inputs, solvers_come_near_the_best,
             numpy_says_the_same, rows_give_the_product)
