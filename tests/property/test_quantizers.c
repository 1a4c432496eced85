/* What every row of the quantizer table must satisfy, in float and in double. A row brings its
 * worked examples and nothing else. "Frozen" means that parameters and statistics stay as they are;
 * values are those after the transform. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/op_fakequant.h"
#include "core/alloc.h"
#include "core/rng.h"
#include "fakequant/floor.h"
#include "tests/support/quant_rows.h"

enum { COUNT = 4000, SAMPLE = 1000, MOST_LEVELS = 256 }; /* probes; values seen by init */
static const double near = sizeof(real) == sizeof(float) ? 2e-6 : 1e-13; /* a few roundings */

/* A quantizer at one site with parameters from a Gaussian sample. */
typedef struct frozen {
    const quant_setup *setup;
    const dt_quantizer *q;
    const void *options;
    dt_quant_site site;
    dt_ste ste;
    real params[DT_QUANT_MAX_PARAMS], stats[DT_QUANT_MAX_STATS];
    dt_encode e;
    double value[MOST_LEVELS]; /* of the grid, ascending */
    int levels;
    const char *name;
} frozen;

static void read_grid(frozen *f)
{
    dt_grid g = { 0 };
    f->levels = 0;
    if (!f->q->grid || !f->q->grid(f->options, &f->site, f->params, f->stats, &g)) return;
    f->levels = g.level ? g.levels : g.qmax - g.qmin + 1;
    ck_assert_msg(f->levels >= 2 && f->levels <= 1 << f->site.bits, "%s: %d levels", f->name,
                  f->levels);
    for (int i = 0; i < f->levels; i++)
        f->value[i] = g.scale * (g.level ? g.level[i] : g.qmin + i - g.zero_point);
}

static void plan(const frozen *f, const real *params, dt_encode *e)
{
    const dt_fakequant_conf c = {
        .quantizer = f->q, .options = f->options, .site = f->site, .ste = f->ste
    };
    dt_fakequant_encode(&c, &f->site, params, f->stats, e);
}

static void freeze(frozen *f, const quant_setup *s)
{
    const dt_quantizer *q = s->q;
    *f = (frozen){ .setup = s, .q = q, .options = s->options, .site = s->site, .name = s->name };
    static real x[SAMPLE], t[SAMPLE];
    dt_rng rng;
    dt_rng_open(&rng, 7, DT_RNG_TEST, (uint32_t)s->site.bits, 0);
    for (int i = 0; i < SAMPLE; i++) {
        x[i] = (real)dt_rng_normal(&rng);
        if (!s->site.is_signed && x[i] < 0) x[i] = 0;
    }
    f->site.count = f->site.features = SAMPLE;
    f->site.inner = 16;
    bool transforms = dt_quant_transforms(q, &f->site);
    if (transforms) q->transform(f->options, &f->site, x, t, f->stats);
    if (q->init)
        ck_assert_int_eq(q->init(f->options, &f->site, transforms ? t : x, f->params, NULL), DT_OK);
    plan(f, f->params, &f->e);
    ck_assert_msg(f->e.scale > 0 && isfinite(f->e.scale), "%s: scale %g", f->name,
                  (double)f->e.scale);
    ck_assert(f->e.qmin < f->e.qmax);
    read_grid(f);
}

static real quantize(const frozen *f, real x)
{
    real y;
    dt_quantizer_apply(&f->e, 1, &x, &y);
    return y;
}

static void (*check_frozen)(const frozen *f);

static void freeze_and_check(const quant_setup *s)
{
    frozen f;
    freeze(&f, s);
    check_frozen(&f);
}

static void for_all(void (*check)(const frozen *f))
{
    check_frozen = check;
    quant_rows_checked = 0;
    quant_for_all(freeze_and_check);
    ck_assert_msg(quant_rows_checked > 0, "the property holds of no row");
}

/* Values over and beyond the range, ascending. */
static real probe(const frozen *f, int i, int n)
{
    double low = (double)(f->e.qmin * f->e.scale + f->e.offset),
           high = (double)(f->e.qmax * f->e.scale + f->e.offset), margin = (high - low) / 4;
    return (real)(low - margin + (high - low + 2 * margin) * i / (n - 1));
}

static int level_of(const frozen *f, double y)
{
    int best = 0;
    for (int i = 1; i < f->levels; i++)
        if (fabs(f->value[i] - y) < fabs(f->value[best] - y)) best = i;
    return best;
}

static void check_on_grid(const frozen *f, double x)
{
    double y = (double)quantize(f, (real)x), value = f->value[level_of(f, y)];
    QUANT_HOLDS(fabs(y - value) <= near * (fabs(value) + fabs((double)f->e.offset)),
                "%s: %.9g gives %.9g, the grid has %.9g", f->name, x, y, value);
}

static void check_idempotent(const frozen *f)
{
    if (f->setup->claims->not_idempotent) return;
    for (int i = 0; i < COUNT; i++) {
        real y = quantize(f, probe(f, i, COUNT)), again = quantize(f, y);
        QUANT_HOLDS(y == again, "%s: %.9g becomes %.9g", f->name, (double)y, (double)again);
    }
}

START_TEST(idempotent)
{
    for_all(check_idempotent);
}
END_TEST

static void check_monotone(const frozen *f)
{
    double before = -INFINITY;
    int distinct = 0;
    for (int i = 0; i < COUNT; i++) {
        double y = (double)quantize(f, probe(f, i, COUNT));
        QUANT_HOLDS(y >= before, "%s: falls at %.9g", f->name, (double)probe(f, i, COUNT));
        distinct += y > before;
        before = y;
    }
    QUANT_HOLDS(distinct <= 1 << f->site.bits, "%s: %d levels", f->name, distinct);
    if (!f->levels) ck_assert_int_ge(distinct, (1 << f->site.bits) - 1);
    for (int i = 0; i < f->levels; i++) /* uneven grids have levels between the probes */
        QUANT_HOLDS(level_of(f, (double)quantize(f, (real)f->value[i])) == i,
                    "%s: the level %g is not reached", f->name, f->value[i]);
    ck_assert_int_ge(f->levels ? f->levels : distinct, (1 << f->site.bits) - 1);
}

START_TEST(monotone_with_all_its_levels)
{
    for_all(check_monotone);
}
END_TEST

static void check_grid(const frozen *f)
{
    if (!f->levels) return; /* exporters refuse it */
    for (int i = 0; i < COUNT; i++) {
        double x = (double)probe(f, i, COUNT);
        check_on_grid(f, x);
        if (x < f->value[0] || x > f->value[f->levels - 1]) continue;
        int above = 0;
        while (f->value[above] < x)
            above++;
        double gap = above ? f->value[above] - f->value[above - 1] : 0;
        double error = fabs((double)quantize(f, (real)x) - x);
        QUANT_HOLDS(error <= gap / 2 * (1 + near) + near * (fabs(x) + fabs((double)f->e.offset)),
                    "%s: error %.9g at %.9g", f->name, error, x);
    }
}

START_TEST(on_the_grid_with_half_a_gap_of_error)
{
    for_all(check_grid);
}
END_TEST

static void check_special(const frozen *f)
{
    double s = (double)f->e.scale, o = (double)f->e.offset;
    double low = (double)f->e.qmin, high = (double)f->e.qmax;
    const double tiny = sizeof(real) == sizeof(float) ? (double)FLT_TRUE_MIN : DBL_TRUE_MIN;
    const double most = sizeof(real) == sizeof(float) ? (double)FLT_MAX : DBL_MAX;
    const double x[] = { 0,    -0.0,  tiny,     -tiny,    (low - 1) * s + o, (high + 1) * s + o,
                         most, -most, INFINITY, -INFINITY };
    if (f->levels) {
        for (size_t i = 0; i < DT_ARRAY_LEN(x); i++)
            check_on_grid(f, x[i]);
        for (int i = 1; i < f->levels; i++) /* ties */
            check_on_grid(f, (f->value[i - 1] + f->value[i]) / 2);
    }
    real top = quantize(f, (real)most), bottom = quantize(f, (real)-most);
    ck_assert_double_eq((double)top, (double)quantize(f, (real)((high + 1) * s + o)));
    ck_assert_double_eq((double)bottom, (double)quantize(f, (real)((low - 1) * s + o)));
    ck_assert(bottom < top);
    QUANT_HOLDS(isnan(quantize(f, (real)NAN)), "%s: nan is lost", f->name);
}

START_TEST(special_values_are_defined)
{
    for_all(check_special);
}
END_TEST

static void check_scale(const frozen *f)
{
    static const double factors[] = { -1, 0, -1e-30, 1e-30 };
    for (int i = 0; i < f->q->param_count; i++) {
        if (!f->q->params[i].learned) continue;
        for (size_t k = 0; k < DT_ARRAY_LEN(factors); k++) {
            real params[DT_QUANT_MAX_PARAMS];
            memcpy(params, f->params, sizeof params);
            params[i] = (real)((double)params[i] * factors[k]);
            dt_encode e;
            plan(f, params, &e);
            QUANT_HOLDS(e.scale > 0 && isfinite(e.scale) && e.qmin < e.qmax,
                        "%s: %s %g gives the scale %g", f->name, f->q->params[i].name,
                        (double)params[i], (double)e.scale);
        }
    }
}

START_TEST(scale_stays_positive)
{
    for_all(check_scale);
}
END_TEST

/* What fused passes rely on. */
static void check_uniform(const frozen *f)
{
    if (!f->q->uniform || !f->q->uniform(f->options, &f->site)) return;
    dt_grid g = { 0 };
    QUANT_HOLDS(!dt_quant_transforms(f->q, &f->site) && !f->e.thresholds && f->e.offset == 0,
                "%s: not affine without offset", f->name);
    QUANT_HOLDS(f->q->grid && f->q->grid(f->options, &f->site, f->params, f->stats, &g),
                "%s: has no grid", f->name);
    QUANT_HOLDS(!g.level && g.zero_point == 0 && (real)g.scale == f->e.scale &&
                    g.qmin == (int)f->e.qmin && g.qmax == (int)f->e.qmax,
                "%s: the grid is another one", f->name);
}

static void check_integer(const frozen *f)
{
    if (!f->q->integer || !f->q->integer(f->options, &f->site)) return;
    dt_grid g = { 0 };
    QUANT_HOLDS(f->e.offset == 0 && f->q->grid, "%s: has an offset, or no grid", f->name);
    QUANT_HOLDS(f->q->grid(f->options, &f->site, f->params, NULL, &g), "%s: wants statistics",
                f->name);
    QUANT_HOLDS(g.zero_point == 0 && (real)g.scale == f->e.scale && g.qmin == (int)f->e.qmin &&
                    g.qmax == (int)f->e.qmax,
                "%s: the grid is another one", f->name);
    for (int i = 0; i < g.levels; i++)
        QUANT_HOLDS((real)g.level[i] == f->e.level[i], "%s: level %d", f->name, i);
    QUANT_HOLDS(f->site.weight ? g.qmin >= -128 && g.qmax <= 127 : g.qmax - g.qmin <= 255,
                "%s: %d..%d are not 8 bits", f->name, g.qmin, g.qmax);
}

START_TEST(integer_rows_are_what_they_say)
{
    for_all(check_integer);
}
END_TEST

START_TEST(uniform_rows_are_what_they_say)
{
    for_all(check_uniform);
}
END_TEST

/* Gradient of one element, by kernel and param_grad, without the factor on parameter gradients. */
static real gradient_of(const frozen *f, real x, real *grads)
{
    frozen one = *f;
    dt_point_kernels k;
    dt_encode_sums sums;
    real g = 1, dx;
    _Alignas(64) unsigned char work[256];
    QUANT_HOLDS(dt_encode_work(1) <= sizeof work, "%zu bytes of work", dt_encode_work(1));
    one.site.count = one.site.features = 1;
    _Alignas(16) unsigned char options[QUANT_OPTIONS];
    memcpy(options, f->options, sizeof options);
    quant_no_factor(f->q, options);
    dt_point_scalar(&k);
    k.encode_back(1, 1, &x, &g, &f->e, &dx, false, work, &sums);
    for (int i = 0; i < f->q->param_count; i++)
        grads[i] = 0;
    if (f->q->param_grad) f->q->param_grad(options, &one.site, f->params, &f->e, &sums, grads);
    return dx;
}

/* Euler's identity x dy/dx + sum p dy/dp = y. */
static void check_euler(const frozen *f)
{
    for (int i = 0; i < COUNT; i++) {
        real x = probe(f, i, COUNT), grads[DT_QUANT_MAX_PARAMS], y = quantize(f, x);
        double sum = (double)x * (double)gradient_of(f, x, grads);
        for (int k = 0; k < f->q->param_count; k++)
            sum += (double)f->params[k] * (double)grads[k];
        double size = fabs((double)x) + fabs((double)y) + fabs((double)f->e.offset);
        QUANT_HOLDS(fabs(sum - (double)y) <= 4 * near * size,
                    "%s, ste %d: at %.9g Euler's sum is %.9g, y %.9g", f->name, f->ste.kind,
                    (double)x, sum, (double)y);
    }
}

/* Degree 1 in (x, parameters): Euler's identity, whatever the gradient of rounding is taken for
 * (what rounding keeps from x goes to the parameters), and F(c x; c p) = c F(x; p), exactly where c
 * is a power of two. */
static void check_homogeneous(const frozen *f)
{
    if (!f->setup->claims->homogeneous) return;
    frozen big = *f, shaped = *f;
    for (int i = 0; i < f->q->param_count; i++)
        big.params[i] = 8 * f->params[i];
    plan(f, big.params, &big.e);
    for (int i = 0; i < COUNT; i++) {
        real x = probe(f, i, COUNT), y = quantize(f, x);
        QUANT_HOLDS(quantize(&big, 8 * x) == 8 * y, "%s: not equivariant at %.9g", f->name,
                    (double)x);
    }
    check_euler(f);
    static const dt_ste kinds[] = { { DT_STE_CLIPPED }, { DT_STE_EWGS, .5 }, { DT_STE_TANH, .2 } };
    for (size_t k = 0; !f->e.thresholds && k < DT_ARRAY_LEN(kinds); k++) {
        shaped.ste = kinds[k];
        plan(&shaped, f->params, &shaped.e);
        check_euler(&shaped);
    }
}

START_TEST(homogeneous_rows_obey_euler)
{
    for_all(check_homogeneous);
}
END_TEST

/* What an optimizer may do to a group: pushed past 0, or by any factor. */
static void push(const frozen *f, int how, real *params)
{
    static const double factors[] = { 0, -1, -1e6, 1e-9, 0.3, -0.0 };
    for (int i = 0; i < f->q->param_count; i++)
        if (f->q->params[i].learned)
            params[i] = how % 2 ? params[i] * (real)factors[how / 2 % 6]
                                : params[i] - (real)(how / 2 % 2 ? 1e5 : 3);
}

static double size_of(const frozen *f, const real *params, double *first)
{
    double size;
    f->q->range(f->options, &f->site, params, &size, first);
    return size;
}

/* What exports write is what is used. */
static void check_settled(const frozen *f, const real *params, const dt_encode *e)
{
    real p[DT_QUANT_MAX_PARAMS];
    dt_encode settled;
    if (!f->q->settle) return;
    memcpy(p, params, sizeof p);
    f->q->settle(f->options, &f->site, p);
    plan(f, p, &settled);
    QUANT_HOLDS(settled.scale == e->scale && settled.offset == e->offset,
                "%s: scale %g, settled %g", f->name, (double)e->scale, (double)settled.scale);
    double first, size = size_of(f, p, &first);
    QUANT_HOLDS(size > 0, "%s: %g", f->name, size);
}

static void check_held(const frozen *f)
{
    const dt_fakequant_conf c = { .quantizer = f->q, .options = f->options, .site = f->site };
    bool learns = false;
    for (int i = 0; i < f->q->param_count; i++)
        learns = learns || f->q->params[i].learned;
    QUANT_HOLDS(learns == (f->q->range != NULL) && learns == (f->q->resize != NULL),
                "%s: what is learned has a range that can be held", f->name);
    if (!learns) return;
    real p[DT_QUANT_MAX_PARAMS], before[DT_QUANT_MAX_PARAMS];
    double first, start = size_of(f, f->params, &first), size;
    QUANT_HOLDS(dt_floor_usable(&c, memcpy(p, f->params, sizeof p), &size) && size == start &&
                    !dt_floor_is_at(&c, p),
                "%s: starts with a range of %g", f->name, start);
    for (int how = 0; how < 24; how++) {
        memcpy(p, f->params, sizeof p);
        for (int i = 0; i < 24; i++) { /* again and again, as momentum does */
            dt_encode e;
            memcpy(before, p, sizeof p);
            double was = size_of(f, before, &first);
            push(f, how, p);
            if (!isfinite(p[0]) || !isfinite(p[1])) break; /* on which a run ends */
            dt_floor_hold(&c, before, p);
            double now = size_of(f, p, &first);
            QUANT_HOLDS(now >= was * 0.4999 || dt_floor_is_at(&c, p), "%s: from %g to %g at once",
                        f->name, was, now);
            QUANT_HOLDS(now >= first * DT_FLOOR_FIRST * 0.999, "%s: %g, below the floor of %g",
                        f->name, now, first);
            plan(f, p, &e);
            QUANT_HOLDS(e.scale > 0 && isfinite(e.scale), "%s: scale %g", f->name, (double)e.scale);
            QUANT_HOLDS(dt_floor_usable(&c, p, &size), "%s: %g is no range", f->name, size);
            check_settled(f, p, &e);
        }
    }
}

START_TEST(learned_ranges_are_held)
{
    for_all(check_held);
}
END_TEST

/* An update that stays away from the floor keeps its bits. */
static void check_free(const frozen *f)
{
    const dt_fakequant_conf c = { .quantizer = f->q, .options = f->options, .site = f->site };
    real p[DT_QUANT_MAX_PARAMS], want[DT_QUANT_MAX_PARAMS];
    for (int how = 0; f->q->range && how < 2; how++) {
        memcpy(p, f->params, sizeof p);
        for (int i = 0; i < f->q->param_count; i++)
            if (f->q->params[i].learned) p[i] *= (real)(how % 2 ? 1.05 : 0.97);
        memcpy(want, p, sizeof p);
        QUANT_HOLDS(dt_floor_hold(&c, f->params, p) == DT_HELD_NOT &&
                        memcmp(p, want, sizeof p) == 0,
                    "%s: a small update is held", f->name);
        p[0] = (real)NAN; /* is for the run to see */
        QUANT_HOLDS(dt_floor_hold(&c, f->params, p) == DT_HELD_NOT && isnan(p[0]) &&
                        !dt_floor_usable(&c, p, &(double){ 0 }),
                    "%s: a nan is hidden", f->name);
    }
}

START_TEST(small_updates_keep_their_bits)
{
    for_all(check_free);
}
END_TEST

/* Every option: its least, greatest and default value survive printing and reading. */
static void check_options(const dt_quantizer *q)
{
    _Alignas(16) unsigned char conf[QUANT_OPTIONS] = { 0 }, back[QUANT_OPTIONS] = { 0 };
    char text[DT_OPT_STR_MAX];
    dt_error err;
    dt_opt_defaults(q->row.opts, conf);
    for (const dt_opt *o = q->row.opts; o && o->key; o++) {
        char values[3][DT_OPT_STR_MAX];
        dt_opt_print(o, conf, values[0], DT_OPT_STR_MAX);
        snprintf(values[1], DT_OPT_STR_MAX, "%.17g", o->min);
        snprintf(values[2], DT_OPT_STR_MAX, "%.17g", o->max);
        bool number = o->type == DT_OPT_TYPE_INT || o->type == DT_OPT_TYPE_FLOAT;
        for (int i = 0; i < (number ? 3 : 1); i++) {
            ck_assert_msg(dt_opt_set(o, conf, values[i], NULL, &err) == DT_OK, "%s", err.text);
            dt_opt_print(o, conf, text, sizeof text);
            ck_assert_msg(dt_opt_set(o, back, text, NULL, &err) == DT_OK, "%s: %s", q->row.name,
                          err.text);
        }
    }
    ck_assert_mem_eq(conf, back, q->row.conf_size);
}

START_TEST(options_round_trip)
{
    for (const dt_row *const *r = dt_quantizers.rows; *r; r++)
        check_options(dt_quantizer_of(*r));
}
END_TEST

DT_TEST_MAIN("quantizers", idempotent, monotone_with_all_its_levels,
             on_the_grid_with_half_a_gap_of_error, special_values_are_defined, scale_stays_positive,
             learned_ranges_are_held, small_updates_keep_their_bits, homogeneous_rows_obey_euler,
             uniform_rows_are_what_they_say, integer_rows_are_what_they_say, options_round_trip)
