/* Element-wise and column kernels: every tier gives the bits of the scalar one, at every length and
 * alignment, in place, and on any number of threads; and the scalar one gives what the formulas
 * say. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/kernels/point_case.h"

static const int64_t lengths[] = { 0, 1, 2, 3, 15, 16, 17, 63, 65, 1000, 4097, 40000 };
static const int64_t widths[] = { 1, 2, 3, 10, 16, 17, 64, 100, 2048 };
enum { MOST = 70000 }; /* elements */

static const real levels[] = { 0, 1, 2, 4 }, thresholds[] = { (real)0.5, (real)1.5, 3 };
static const dt_encode encoders[] = {
    { .scale = (real)0.5, .qmin = -2, .qmax = 1 },
    { .scale = (real)0.07, .offset = (real)-0.31, .qmin = 0, .qmax = 15, .plain = true },
    { .scale = (real)0.3,
      .qmin = 0,
      .qmax = 4,
      .thresholds = 3,
      .threshold = thresholds,
      .level = levels },
};

static real *operand_a, *operand_b, *operand_y;
static unsigned char *work;
static point_io want, got;

static void open_operands(void)
{
    operand_a = dt_get_array(NULL, MOST, sizeof(real), "test");
    operand_b = dt_get_array(NULL, MOST, sizeof(real), "test");
    operand_y = dt_get_array(NULL, MOST, sizeof(real), "test");
    work = dt_get(NULL, POINT_MOST_WORK, "test");
    ck_assert(operand_a && operand_b && operand_y && work);
    point_fill(operand_a, MOST, 1);
    point_fill(operand_b, MOST, 2);
    point_fill(operand_y, MOST, 3);
}

static void close_operands(void)
{
    dt_put(NULL, operand_a);
    dt_put(NULL, operand_b);
    dt_put(NULL, operand_y);
    dt_put(NULL, work);
}

typedef struct variant {
    int shift, threads;
    bool sum;
    point_alias alias;
    const dt_encode *e;
} variant;

/* Runs into `io`, whose y stays open for the caller. */
static point_buffer call(const point_kernel *p, const dt_point_kernels *k, int64_t rows, int64_t C,
                         const variant *v, point_io *io)
{
    int64_t n = rows * C;
    point_buffer a = point_copy(operand_a, n, v->shift), b = point_copy(operand_b, n, v->shift),
                 y = point_copy(operand_y, n, v->shift);
    size_t bytes = p->columns   ? dt_point_work(rows, C, v->threads)
                   : p->encodes ? dt_encode_work(n)
                                : 0;
    ck_assert_uint_le(bytes + 64, POINT_MOST_WORK);
    memset(work, 0xff, bytes + 64); /* nan, so that a read before a write shows */
    *io = (point_io){ .n = n, .rows = rows, .C = C, .a = a.at, .b = b.at, .y = y.at };
    io->e = v->e;
    io->sum = v->sum;
    io->work = work;
    for (int i = 0; i < 4; i++)
        for (int64_t j = 0; j < C; j++)
            io->column[i][j] = operand_b[(j * 7 + i * 1001) % MOST] / 3;
    if (v->alias == POINT_Y_IS_A) io->y = a.at;
    if (v->alias == POINT_Y_IS_B) io->y = b.at;
    p->run(k, v->threads, io);
    for (int i = 0; i < 64; i++)
        ck_assert_msg(work[bytes + (size_t)i] == 0xff, "%s: writes behind its work", p->name);
    if (v->alias) memcpy(y.at, io->y, (size_t)n * sizeof(real));
    ck_assert_msg(point_close(&a) && point_close(&b), "%s: writes outside its operand", p->name);
    return y;
}

static void compare(const point_kernel *p, const dt_kernels *k, int64_t rows, int64_t C,
                    const variant *v, const point_buffer *reference)
{
    point_buffer y = call(p, &k->point, rows, C, v, &got);
    size_t bytes = (size_t)y.n * sizeof(real);
    bool same = memcmp(y.at, reference->at, bytes) == 0 &&
                memcmp(want.sums, got.sums, sizeof want.sums) == 0;
    bool guarded = point_close(&y);
    ck_assert_msg(same && guarded, "%s %s: [%lld,%lld] shift %d threads %d sum %d alias %d: %s",
                  k->isa, p->name, (long long)rows, (long long)C, v->shift, v->threads, v->sum,
                  (int)v->alias, guarded ? "other bits than scalar" : "writes outside");
}

/* One shape: the reference is the scalar tier on one thread, apart and aligned. */
static void check_shape(const point_kernel *p, const dt_kernels *scalar, const dt_kernels *k,
                        int64_t rows, int64_t C, const dt_encode *e)
{
    for (int sum = 0; sum <= p->can_sum; sum++) {
        variant plain = { .threads = 1, .sum = sum, .e = e };
        point_buffer y = call(p, &scalar->point, rows, C, &plain, &want);
        for (int threads = 1; threads <= 4; threads++) {
            variant v = { .shift = threads - 1, .threads = threads, .sum = sum, .e = e };
            compare(p, k, rows, C, &v, &y);
            if (sum) continue; /* what is added to cannot be an operand */
            v.alias = POINT_Y_IS_A;
            if (p->y_may_be_a) compare(p, k, rows, C, &v, &y);
            v.alias = POINT_Y_IS_B;
            if (p->y_may_be_b) compare(p, k, rows, C, &v, &y);
        }
        ck_assert(point_close(&y));
    }
}

static void check_tier(const dt_kernels *scalar, const dt_kernels *k)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(point_table); i++) {
        const point_kernel *p = &point_table[i];
        if (p->columns) continue;
        for (size_t j = 0; j < DT_ARRAY_LEN(lengths); j++)
            for (size_t e = 0; e < (p->encodes ? DT_ARRAY_LEN(encoders) : 1); e++)
                check_shape(p, scalar, k, lengths[j], 1, &encoders[e]);
    }
}

static void check_tier_columns(const dt_kernels *scalar, const dt_kernels *k)
{
    static const int64_t rows[] = { 1, 2, 17, 33, 257, 4099 };
    for (size_t i = 0; i < DT_ARRAY_LEN(point_table); i++) {
        const point_kernel *p = &point_table[i];
        if (!p->columns) continue;
        for (size_t c = 0; c < DT_ARRAY_LEN(widths); c++)
            for (size_t r = 0; r < DT_ARRAY_LEN(rows); r++)
                if (rows[r] * widths[c] <= MOST)
                    check_shape(p, scalar, k, rows[r], widths[c], NULL);
    }
}

static void for_tiers(void (*check)(const dt_kernels *scalar, const dt_kernels *k))
{
    static const char *const names[] = { "scalar", "avx2", "avx512" };
    dt_kernels scalar, k;
    ck_assert_int_eq(dt_kernels_init(&scalar, "scalar", NULL), DT_OK);
    open_operands();
    for (size_t i = 0; i < DT_ARRAY_LEN(names); i++) {
        if (dt_kernels_init(&k, names[i], NULL) == DT_OK)
            check(&scalar, &k);
        else
            printf("SKIP %s\n", names[i]);
    }
    close_operands();
}

START_TEST(tiers_agree_on_elements)
{
    for_tiers(check_tier);
}
END_TEST

START_TEST(tiers_agree_on_columns)
{
    for_tiers(check_tier_columns);
}
END_TEST

/* nan and infinities pass where they must, in every tier. */
static void check_special(const dt_kernels *scalar, const dt_kernels *k)
{
    (void)scalar;
    real x[40], y[40];
    for (int i = 0; i < 40; i++)
        x[i] = i % 3 == 0 ? (real)NAN : i % 3 == 1 ? (real)INFINITY : (real)-INFINITY;
    k->point.relu(1, 40, x, y);
    for (int i = 0; i < 40; i++)
        ck_assert(i % 3 == 0 ? isnan(y[i]) : i % 3 == 1 ? y[i] == (real)INFINITY : y[i] == 0);
    for (size_t e = 0; e < DT_ARRAY_LEN(encoders); e++) {
        const dt_encode *c = &encoders[e];
        k->point.encode(1, 40, x, c, y);
        for (int i = 0; i < 40; i++) {
            real want_y = (i % 3 == 1 ? c->qmax : c->qmin) * c->scale + c->offset;
            ck_assert_msg(i % 3 == 0 ? isnan(y[i]) : y[i] == want_y, "%s encoder %d: %g gives %g",
                          k->isa, (int)e, (double)x[i], (double)y[i]);
        }
    }
}

START_TEST(special_values)
{
    for_tiers(check_special);
}
END_TEST

/* ---- the scalar tier against the formulas of the header, in double ---- */

static void near(double value, double formula, double size, const char *what)
{
    ck_assert_msg(fabs(value - formula) <= 1e-5 * size, "%s: %.9g, not %.9g", what, value, formula);
}

START_TEST(columns_follow_their_formulas)
{
    enum { ROWS = 500, C = 7 };
    dt_kernels s;
    ck_assert_int_eq(dt_kernels_init(&s, "scalar", NULL), DT_OK);
    static real x[ROWS * C], dy[ROWS * C], y[ROWS * C], column[4][C];
    static unsigned char scratch[1 << 16];
    double mean[C], var[C], sums[2][C];
    dt_rng rng;
    dt_rng_open(&rng, 2, DT_RNG_TEST, 0, 0);
    for (int i = 0; i < ROWS * C; i++) {
        x[i] = (real)(dt_rng_normal(&rng) + 100 * (i % C)); /* far from 0: no E[x^2] - E[x]^2 */
        dy[i] = (real)dt_rng_normal(&rng);
    }
    ck_assert_uint_le(dt_point_work(ROWS, C, 1), sizeof scratch);
    s.point.moments(1, ROWS, C, x, scratch, mean, var);
    for (int c = 0; c < C; c++) {
        double m = 0, v = 0, sum = 0, product = 0;
        for (int r = 0; r < ROWS; r++)
            m += (double)x[r * C + c] / ROWS;
        for (int r = 0; r < ROWS; r++)
            v += ((double)x[r * C + c] - m) * ((double)x[r * C + c] - m) / ROWS;
        near(mean[c], m, 1 + fabs(m), "mean");
        near(var[c], v, 1, "variance");
        for (int i = 0; i < 4; i++)
            column[i][c] = (real)(i ? dt_rng_uniform(&rng) : mean[c]);
        for (int r = 0; r < ROWS; r++) {
            sum += (double)dy[r * C + c];
            product += (double)dy[r * C + c] * (double)(x[r * C + c] - column[0][c]);
        }
        sums[0][c] = sum;
        sums[1][c] = product;
    }
    double sum_dy[C], sum_dyx[C], plain[C];
    s.point.norm_back_sums(1, ROWS, C, x, dy, column[0], scratch, sum_dy, sum_dyx);
    s.point.column_sums(1, ROWS, C, dy, scratch, plain);
    for (int c = 0; c < C; c++) {
        near(sum_dy[c], sums[0][c], ROWS, "sum of dy");
        near(plain[c], sums[0][c], ROWS, "column sum");
        near(sum_dyx[c], sums[1][c], ROWS, "sum of dy (x - mean)");
    }
    s.point.scale_shift(1, ROWS, C, x, column[0], column[1], column[2], scratch, y);
    for (int i = 0; i < ROWS * C; i++) {
        double d = (double)x[i] - (double)column[0][i % C];
        near((double)y[i], d * (double)column[1][i % C] + (double)column[2][i % C], 10, "shift");
    }
    s.point.norm_back(1, ROWS, C, x, dy, column[0], column[1], column[2], column[3], scratch, y,
                      false);
    for (int i = 0; i < ROWS * C; i++) {
        double d = (double)x[i] - (double)column[0][i % C];
        double inner = (double)dy[i] - (double)column[2][i % C] - d * (double)column[3][i % C];
        near((double)y[i], (double)column[1][i % C] * inner, 10, "norm_back");
    }
}
END_TEST

START_TEST(elements_follow_their_formulas)
{
    dt_kernels s;
    ck_assert_int_eq(dt_kernels_init(&s, "scalar", NULL), DT_OK);
    const real a[] = { -1, 0, 2, -0.5 }, b[] = { 3, 4, 5, 6 };
    real y[4];
    s.point.add(1, 4, a, b, y);
    ck_assert(y[0] == 2 && y[1] == 4 && y[2] == 7 && y[3] == (real)5.5);
    s.point.relu(1, 4, a, y);
    ck_assert(y[0] == 0 && y[1] == 0 && y[2] == 2 && y[3] == 0);
    s.point.relu_back(1, 4, a, b, y, false);
    ck_assert(y[0] == 0 && y[1] == 0 && y[2] == 5 && y[3] == 0);
    s.point.relu_back(1, 4, a, b, y, true);
    ck_assert(y[0] == 0 && y[1] == 0 && y[2] == 10 && y[3] == 0);
    /* u = -2 (below), 0, 4 (above), -1: residuals are 0 but where x lies between codes. */
    const dt_encode e = { .scale = (real)0.5, .qmin = -2, .qmax = 1 };
    const real x[] = { -1, (real)0.1, 2, (real)-0.375 }; /* u: -2, .2, 4, -.75 */
    dt_encode_sums sums;
    unsigned char scratch[64];
    s.point.encode_back(1, 4, x, b, &e, y, false, scratch, &sums);
    ck_assert(y[0] == 0 && y[1] == 4 && y[2] == 0 && y[3] == 6);
    ck_assert_double_eq(sums.below, 3);
    ck_assert_double_eq(sums.above, 5);
    ck_assert_double_eq(sums.inside, 10);
    ck_assert_double_eq_tol(sums.residual, 4 * -.2 + 6 * -.25, 1e-6);
}
END_TEST

DT_TEST_MAIN("point", tiers_agree_on_elements, tiers_agree_on_columns, special_values,
             columns_follow_their_formulas, elements_follow_their_formulas)
