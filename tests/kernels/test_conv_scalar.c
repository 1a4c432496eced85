/* The scalar convolution against the formula of conv.h written another way, and its gradients
 * against the adjoint identity <conv(x, w), dy> = <x, dx> = <w, dw>. Built in float and in double.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kernels/conv_case.h"
#include "tests/support/run.h"

/* Rounding of `real` over the few hundred terms of these shapes, relative to the sum of |x| |w|. */
static const double bound = sizeof(real) == 8 ? 1e-14 : 5e-6;

/* y and the sum of magnitudes, by scattering every product; all in double. */
static void naive(const conv_case *c, double *y, double *size)
{
    const dt_conv_shape *s = &c->s;
    int64_t I = s->C / s->G, M = s->O / s->G, at = 0;
    for (int64_t n = 0; n < s->N; n++)
        for (int64_t h = 0; h < s->H; h++)
            for (int64_t w = 0; w < s->W; w++)
                for (int64_t ch = 0; ch < s->C; ch++, at++)
                    for (int64_t oh = 0; oh < s->OH; oh++)
                        for (int64_t ow = 0; ow < s->OW; ow++) {
                            int64_t kh = h + s->PH - oh * s->SH, kw = w + s->PW - ow * s->SW;
                            if (kh % (s->DH + 1) || kw % (s->DW + 1)) continue;
                            kh /= s->DH + 1, kw /= s->DW + 1;
                            if (kh < 0 || kh >= s->KH || kw < 0 || kw >= s->KW) continue;
                            for (int64_t m = 0; m < M; m++) {
                                int64_t o = ch / I * M + m;
                                int64_t f = ((o * s->KH + kh) * s->KW + kw) * I + ch % I;
                                int64_t to = ((n * s->OH + oh) * s->OW + ow) * s->O + o;
                                double product = (double)c->x[at] * (double)c->w[f];
                                y[to] += product;
                                size[to] += fabs(product);
                            }
                        }
}

static double dot(const real *a, const real *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void check(dt_conv_shape s)
{
    dt_conv_kernels k;
    dt_conv_scalar(&k);
    conv_case c = conv_open(s);
    char name[160];
    conv_print(&s, name, sizeof name);
    double *y = dt_get_array(NULL, c.y_count, sizeof *y, "test");
    double *size = dt_get_array(NULL, c.y_count, sizeof *size, "test");
    naive(&c, y, size);
    real *out[3];
    for (int pass = 0; pass < 3; pass++) {
        out[pass] = run_pass(&k, &c, (dt_conv_pass)pass, 0, 1, (real)NAN);
        ck_assert_msg(out[pass] != NULL, "%s: pass %d wrote outside its output", name, pass);
    }
    double total = 0;
    for (size_t i = 0; i < c.y_count; i++) {
        total += size[i] * fabs((double)c.dy[i]);
        ck_assert_msg(fabs((double)out[0][GUARD + i] - y[i]) <= bound * size[i], "%s: y[%zu]", name,
                      i);
    }
    double forward = dot(out[0] + GUARD, c.dy, c.y_count);
    double dgrad = dot(out[1] + GUARD, c.x, c.x_count);
    double wgrad = dot(out[2] + GUARD, c.w, c.w_count);
    ck_assert_msg(fabs(forward - dgrad) <= bound * total, "%s: <y,dy> %.17g, <x,dx> %.17g", name,
                  forward, dgrad);
    ck_assert_msg(fabs(forward - wgrad) <= bound * total, "%s: <y,dy> %.17g, <w,dw> %.17g", name,
                  forward, wgrad);
    for (int pass = 0; pass < 3; pass++)
        dt_put(NULL, out[pass]);
    dt_put(NULL, y);
    dt_put(NULL, size);
    conv_close(&c);
}

START_TEST(equals_the_formula)
{
    for (int64_t K = 1; K <= 5; K += 2)
        for (int64_t S = 1; S <= 3; S++)
            for (int64_t P = 0; P <= 3; P++) {
                check(conv_shape(2, 6, 5, 3, 4, K, K, S, P, 1));
                check(conv_shape(1, 5, 7, 4, 6, K, K, S, P, 2));
                check(conv_shape(1, 7, 6, 3, 3, K, 1, S, P, 3));
            }
    dt_conv_shape s = conv_shape(2, 5, 9, 2, 3, 1, 7, 1, 0, 1);
    s.PW = 3, s.SW = 2, s.OW = (9 + 6 - 7) / 2 + 1;
    check(s);
    check(conv_shape(3, 1, 1, 5, 2, 1, 1, 1, 0, 1));
    check(conv_dilated(conv_shape(2, 9, 8, 4, 6, 3, 2, 1, 2, 2), 1, 2));
    check(conv_dilated(conv_shape(1, 9, 12, 3, 3, 3, 3, 2, 3, 3), 2, 1));
    check(conv_shape(1, 4, 4, 2, 2, 1, 1, 6, 0, 1)); /* stride beyond the picture */
}
END_TEST

/* Each element of dx and dw by itself: the derivative of <y,dy> along a unit vector is exact
 * because the product is linear in both operands. */
START_TEST(gradients_by_unit_vectors)
{
    dt_conv_kernels k;
    dt_conv_scalar(&k);
    conv_case c = conv_open(conv_shape(2, 5, 4, 4, 2, 3, 3, 2, 1, 2));
    for (int pass = DT_CONV_DGRAD; pass <= DT_CONV_WGRAD; pass++) {
        real *grad = run_pass(&k, &c, (dt_conv_pass)pass, 0, 1, 0);
        real *operand = pass == DT_CONV_DGRAD ? c.x : c.w;
        size_t count = pass_count(&c, (dt_conv_pass)pass);
        real *keep = random_array(count, 9);
        memcpy(keep, operand, count * sizeof *keep);
        for (size_t i = 0; i < count; i++) {
            memset(operand, 0, count * sizeof *operand);
            operand[i] = 1;
            real *y = run_pass(&k, &c, DT_CONV_FORWARD, 0, 1, 0);
            ck_assert_double_eq_tol((double)grad[GUARD + i], dot(y + GUARD, c.dy, c.y_count),
                                    50 * bound);
            dt_put(NULL, y);
        }
        memcpy(operand, keep, count * sizeof *keep);
        dt_put(NULL, keep);
        dt_put(NULL, grad);
    }
    conv_close(&c);
}
END_TEST

START_TEST(dgrad_accumulates)
{
    dt_conv_kernels k;
    dt_conv_scalar(&k);
    conv_case c = conv_open(conv_shape(1, 5, 4, 2, 3, 3, 3, 2, 1, 1));
    real *plain = run_pass(&k, &c, DT_CONV_DGRAD, 0, 1, 7);
    real *added = run_pass(&k, &c, DT_CONV_DGRAD, 1, 1, 7);
    for (size_t i = GUARD; i < GUARD + c.x_count; i++)
        ck_assert_double_eq_tol((double)added[i], (double)plain[i] + 7, 20 * bound);
    dt_put(NULL, plain);
    dt_put(NULL, added);
    conv_close(&c);
}
END_TEST

START_TEST(threads_do_not_change_a_bit)
{
    dt_conv_kernels k;
    dt_conv_scalar(&k);
    conv_case c = conv_open(conv_shape(3, 7, 6, 4, 6, 3, 3, 1, 1, 2));
    for (int pass = 0; pass < 3; pass++) {
        size_t bytes = pass_count(&c, (dt_conv_pass)pass) * sizeof(real);
        real *one = run_pass(&k, &c, (dt_conv_pass)pass, 0, 1, 0);
        for (int threads = 2; threads <= 4; threads++) {
            real *many = run_pass(&k, &c, (dt_conv_pass)pass, 0, threads, 0);
            ck_assert_mem_eq(one + GUARD, many + GUARD, bytes);
            dt_put(NULL, many);
        }
        dt_put(NULL, one);
    }
    conv_close(&c);
}
END_TEST

DT_TEST_MAIN("conv_scalar", equals_the_formula, gradients_by_unit_vectors, dgrad_accumulates,
             threads_do_not_change_a_bit)
