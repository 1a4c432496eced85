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
/* As many as a register of 16 numbers holds, and more. */
static const real levels_16[] = { 0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 33, 36, 48 },
                  thresholds_15[] = { (real)0.5, (real)1.5, (real)2.5,  (real)3.5,  5,
                                      7,         (real)8.5, (real)10.5, 14,         17,
                                      21,        28,        (real)32.5, (real)34.5, 42 };
static const real levels_18[] = { -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 },
                  thresholds_17[] = { (real)-7.5, (real)-6.5, (real)-5.5, (real)-4.5, (real)-3.5,
                                      (real)-2.5, (real)-1.5, (real)-0.5, (real)0.5,  (real)1.5,
                                      (real)2.5,  (real)3.5,  (real)4.5,  (real)5.5,  (real)6.5,
                                      (real)7.5,  (real)8.5 };
static const dt_encode encoders[] = {
    { .scale = (real)0.5, .qmin = -2, .qmax = 1 },
    { .scale = (real)0.07, .offset = (real)-0.31, .qmin = 0, .qmax = 15, .plain = true },
    { .scale = (real)0.3,
      .qmin = 0,
      .qmax = 4,
      .thresholds = 3,
      .threshold = thresholds,
      .level = levels },
    { .scale = (real)0.04,
      .qmin = 0,
      .qmax = 48,
      .thresholds = 15,
      .threshold = thresholds_15,
      .level = levels_16 },
    { .scale = (real)0.2,
      .qmin = -8,
      .qmax = 9,
      .mask = DT_MASK_CLOSED,
      .thresholds = 17,
      .threshold = thresholds_17,
      .level = levels_18 },
    { .scale = (real)0.5, .qmin = -2, .qmax = 1, .mask = DT_MASK_ROUNDED },
    { .scale = (real)0.11,
      .qmin = -8,
      .qmax = 7,
      .mask = DT_MASK_CLOSED,
      .slope = DT_SLOPE_GAP,
      .slope_a = (real)0.2 },
    { .scale = (real)0.11,
      .qmin = 0,
      .qmax = 15,
      .plain = true,
      .slope = DT_SLOPE_SOFT,
      .slope_a = (real)2.2,
      .slope_b = (real)1.37 },
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
        if (test_tier(names[i], &k)) check(&scalar, &k);
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
    k->point.clip(1, 40, x, 6, y);
    for (int i = 0; i < 40; i++)
        ck_assert(i % 3 == 0 ? isnan(y[i]) : y[i] == (i % 3 == 1 ? 6 : 0));
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

/* Codes tell of any value that they hide, wherever it stands. */
static void check_hidden(const dt_kernels *scalar, const dt_kernels *k)
{
    enum { N = 150 };
    static const real hidden[] = { (real)NAN, (real)INFINITY, (real)-INFINITY };
    (void)scalar;
    for (size_t e = 0; e < DT_ARRAY_LEN(encoders); e++) {
        real x[N];
        uint8_t code[N];
        if (encoders[e].qmax - encoders[e].qmin > 255) continue;
        for (int i = 0; i < N; i++)
            x[i] = (real)(i - N / 2) / 8;
        ck_assert(k->tile.codes(N, x, &encoders[e], code));
        for (int i = 0; i < 3 * N; i++) {
            real kept = x[i % N];
            x[i % N] = hidden[i / N];
            ck_assert_msg(!k->tile.codes(N, x, &encoders[e], code), "%s encoder %d: %d", k->isa,
                          (int)e, i);
            x[i % N] = kept;
        }
    }
}

START_TEST(codes_tell_what_they_hide)
{
    for_tiers(check_hidden);
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
    const real c[] = { -1, 2, 6, 7 }, clipped[] = { 0, 2, 6, 6 };
    s.point.clip(1, 4, c, 6, y);
    ck_assert(memcmp(y, clipped, sizeof y) == 0);
    s.point.clip_back(1, 4, clipped, b, 6, y, false);
    ck_assert(y[0] == 0 && y[1] == 4 && y[2] == 0 && y[3] == 0);
    s.point.clip_back(1, 4, clipped, b, 6, y, true);
    ck_assert(y[0] == 0 && y[1] == 8 && y[2] == 0 && y[3] == 0);
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

/* Which codes each mask counts as inside, at and beside the ends of -2..1. */
START_TEST(masks_follow_their_definitions)
{
    static const double u[] = { -3, -2.6, -2.5, -2.4, -2, -1.9, 0, .9, 1, 1.4, 1.5, 1.6, 2 };
    static const char *const inside[] = { [DT_MASK_OPEN] = "0000011100000",
                                          [DT_MASK_CLOSED] = "0000111110000",
                                          [DT_MASK_UPPER_OPEN] =
                                              "0000111100000", /* rne(-2.5) is -2, rne(1.5) is 2 */
                                          [DT_MASK_ROUNDED] = "0011111111000" };
    for (int mask = 0; mask <= DT_MASK_ROUNDED; mask++)
        for (size_t i = 0; i < DT_ARRAY_LEN(u); i++) {
            const dt_encode e = { .scale = 1, .qmin = -2, .qmax = 1, .mask = (dt_mask)mask };
            real x = (real)u[i], g = 1, dx;
            unsigned char scratch[64];
            dt_encode_sums sums;
            dt_point_kernels k;
            dt_point_scalar(&k);
            k.encode_back(1, 1, &x, &g, &e, &dx, false, scratch, &sums);
            ck_assert_msg(dx == (inside[mask][i] == '1'), "mask %d at %g", mask, u[i]);
            ck_assert_double_eq(sums.inside + sums.below + sums.above, 1);
            ck_assert_double_eq(sums.inside, (double)dx);
        }
}
END_TEST

/* One element; the slope's factor is what arrives at x for g of either sign. */
static double factor(dt_slope slope, double a, double b, double u, double g, dt_encode_sums *sums)
{
    dt_point_kernels k;
    real x[17], gs[17], dx[17];
    unsigned char scratch[64];
    const dt_encode e = {
        .scale = 1, .qmax = 3, .slope = slope, .slope_a = (real)a, .slope_b = (real)b
    };
    for (int i = 0; i < 17; i++) { /* both the blocks of 16 and the rest */
        x[i] = (real)u;
        gs[i] = i % 16 == 0 ? (real)g : 0;
    }
    dt_point_scalar(&k);
    k.encode_back(1, 17, x, gs, &e, dx, false, scratch, sums);
    ck_assert(dx[0] == dx[16]);
    return (double)dx[0] / g;
}

START_TEST(slopes_follow_their_formulas)
{
    dt_encode_sums sums;
    /* x_n = .30 of 4 levels: u = .9, q = 1; 1.98667 of 2 for delta .2 in units of the range. */
    ck_assert_double_eq_tol(factor(DT_SLOPE_GAP, .2 / 3, 0, .9, 2, &sums), 1.98667 / 2, 1e-5);
    ck_assert_double_eq_tol(factor(DT_SLOPE_GAP, .2 / 3, 0, .9, -2, &sums), 2 - 1.98667 / 2, 1e-5);
    /* residual: g q - h u for both elements; kept: g - h */
    ck_assert_double_eq_tol(sums.kept, 2 * (-2 + 2 * (2 - 1.98667 / 2)), 1e-4);
    ck_assert_double_eq_tol(sums.residual, 2 * (-2 * 1 + 2 * (2 - 1.98667 / 2) * .9), 1e-4);
    /* alpha = .4: k = ln 4, b = k / 2 / .6: 1.1552 where rounding turns, .7394 on a code. */
    double k = log(4.), b = k / 2 / .6, mean = 0;
    ck_assert_double_eq_tol(factor(DT_SLOPE_SOFT, k, b, 1.5, 1, &sums), 1.1552, 1e-4);
    ck_assert_double_eq_tol(factor(DT_SLOPE_SOFT, k, b, 1.000001, 1, &sums), .7394, 1e-4);
    for (int i = 0; i < 1000; i++)
        mean += factor(DT_SLOPE_SOFT, k, b, 1 + (i + .5) / 1000, 1, &sums) / 1000;
    ck_assert_double_eq_tol(mean, 1, 1e-5);
    for (double a = .01; a <= 16; a *= 1.7) { /* against the library's tanh */
        double t = tanh(a * .4);
        ck_assert_double_eq_tol(factor(DT_SLOPE_SOFT, a, 1, 1.9, 1, &sums), 1 - t * t, 1e-6);
    }
}
END_TEST

DT_TEST_MAIN("point", codes_tell_what_they_hide, masks_follow_their_definitions,
             slopes_follow_their_formulas, tiers_agree_on_elements, tiers_agree_on_columns,
             special_values, columns_follow_their_formulas, elements_follow_their_formulas)
