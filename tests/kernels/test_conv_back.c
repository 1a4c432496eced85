/* Both gradients of a convolution at once: the bits of dgrad and wgrad, in every tier, whether dy
 * is finished or not. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels.h"
#include "tests/kernels/conv_case.h"
#include "tests/support/run.h"

static const char *const tiers[] = { "scalar", "avx2", "avx512" };

/* What is asked of one call. */
typedef struct choice {
    bool unfinished, codes, dx, dw;
    int accumulate, threads;
} choice;

typedef struct half {
    const real *dy;
    int64_t picture;
} half;

/* dy is kept halved, which loses no bit. */
static void twice(const void *arg, int64_t first, int64_t count, real *to)
{
    const half *h = arg;
    for (int64_t i = 0; i < count * h->picture; i++)
        to[i] = 2 * h->dy[first * h->picture + i];
}

static real *filled(size_t count, real value)
{
    real *a = dt_get_array(NULL, count, sizeof *a, "test");
    for (size_t i = 0; i < count; i++)
        a[i] = value;
    return a;
}

static void check_call(const dt_kernels *k, const conv_case *c, choice o)
{
    real *dx = run_pass(&k->conv, c, DT_CONV_DGRAD, o.accumulate, 1, (real)0.5);
    real *dw = run_pass(&k->conv, c, DT_CONV_WGRAD, 0, 1, 0);
    real *got_dx = filled(c->x_count, (real)0.5), *got_dw = filled(c->w_count, 0);
    real *dy = filled(c->y_count, 0);
    for (size_t i = 0; i < c->y_count; i++)
        dy[i] = o.unfinished ? c->dy[i] / 2 : c->dy[i];
    half h = { dy, (int64_t)c->y_count / c->s.N };
    size_t bytes = k->conv.workspace(&c->s, DT_CONV_BACKWARD, o.threads);
    unsigned char *work = dt_get(NULL, bytes + GUARD, "test");
    memset(work, 0xff, bytes + GUARD);
    dt_conv_back b = { .shape = c->s,
                       .x = { o.codes ? NULL : c->x, c->codes, CODES_ZERO, CODES_SCALE },
                       .w = c->w,
                       .dy = dy,
                       .finish = o.unfinished ? twice : NULL,
                       .arg = &h,
                       .dx = o.dx ? got_dx : NULL,
                       .accumulate = o.accumulate,
                       .dw = o.dw ? got_dw : NULL };
    k->conv.backward(&b, work, o.threads);
    char name[160];
    conv_print(&c->s, name, sizeof name);
    ck_assert_msg(!o.dx || memcmp(dx + GUARD, got_dx, c->x_count * sizeof *dx) == 0,
                  "%s %s: dx differs (unfinished %d, threads %d)", k->isa, name, o.unfinished,
                  o.threads);
    ck_assert_msg(!o.dw || memcmp(dw + GUARD, got_dw, c->w_count * sizeof *dw) == 0,
                  "%s %s: dw differs (unfinished %d, threads %d)", k->isa, name, o.unfinished,
                  o.threads);
    for (size_t i = 0; i < GUARD; i++)
        ck_assert_msg(work[bytes + i] == 0xff, "%s %s: a guard byte was written", k->isa, name);
    real *all[] = { dx, dw, got_dx, got_dw, dy };
    for (size_t i = 0; i < DT_ARRAY_LEN(all); i++)
        dt_put(NULL, all[i]);
    dt_put(NULL, work);
}

static void check(const dt_kernels *k, dt_conv_shape s)
{
    conv_case c = conv_open(s);
    c.codes = dt_get(NULL, c.x_count, "test");
    for (size_t i = 0; i < c.x_count; i++) {
        c.codes[i] = (uint8_t)(i * 37 % 251);
        c.x[i] = (real)(c.codes[i] - CODES_ZERO) * CODES_SCALE;
    }
    check_call(k, &c, (choice){ .dx = true, .dw = true, .threads = 1 });
    check_call(k, &c,
               (choice){ .unfinished = true, .codes = true, .dx = true, .dw = true, .threads = 3 });
    check_call(
        k, &c,
        (choice){ .unfinished = true, .dx = true, .dw = true, .accumulate = 1, .threads = 2 });
    check_call(k, &c, (choice){ .unfinished = true, .dw = true, .threads = 2 });
    check_call(k, &c, (choice){ .unfinished = true, .dx = true, .threads = 2 });
    dt_put(NULL, c.codes);
    conv_close(&c);
}

static void check_tier(const char *tier)
{
    dt_kernels k;
    if (!test_tier(tier, &k)) return;
    check(&k, conv_shape(3, 32, 32, 16, 16, 3, 3, 1, 1, 1)); /* pictures of several bands */
    check(&k, conv_shape(17, 8, 8, 16, 32, 3, 3, 1, 1, 1));
    check(&k, conv_shape(70, 4, 4, 24, 16, 3, 3, 1, 1, 1)); /* units of several pictures */
    check(&k, conv_shape(70, 5, 6, 16, 32, 3, 3, 1, 1, 1)); /* the same by minimal filtering */
    check(&k, conv_shape(3, 33, 31, 16, 32, 3, 3, 1, 0, 1));
    check(&k, conv_shape(5, 15, 13, 3, 20, 3, 3, 2, 1, 1));
    check(&k, conv_shape(2, 12, 12, 32, 32, 3, 3, 1, 1, 32));
    if (strcmp(k.isa, "scalar") == 0) return;
    check(&k, conv_shape(2, 128, 128, 8, 16, 3, 3, 1, 1, 1)); /* pictures too large for a cache */
    check(&k, conv_shape(2, 66, 64, 16, 48, 3, 3, 1, 1, 1));
    check(&k, conv_shape(2, 3, 3, 512, 512, 3, 3, 1, 1, 1)); /* weights cut into pieces */
}

START_TEST(bits_of_both_passes)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(tiers); i++)
        check_tier(tiers[i]);
}
END_TEST

DT_TEST_MAIN("conv_back", bits_of_both_passes)
