/* Every quantizer of the table through the fakequant op: the straight-through gradient is the
 * derivative of the forward pass with the rounding residual held constant. Statistics that the
 * backward pass takes for constants are held constant too; parameters whose published gradient is
 * no derivative are left out, by what the row says of itself. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "autograd/op_fakequant.h"
#include "core/alloc.h"
#include "core/rng.h"
#include "tests/support/gradcheck.h"
#include "tests/support/quant_rows.h"

enum { ROWS = 3, COLS = 40 };

/* A row behind its transform: the values are the transformed ones, the statistics stay. */
static const real *kept_stats;
static int kept_count;

static void keep_transform(const void *conf, const dt_quant_site *site, const real *x, real *t,
                           real *stats)
{
    (void)conf;
    memcpy(t, x, (size_t)(site->groups * site->count) * sizeof *t);
    memcpy(stats, kept_stats, (size_t)(site->groups * kept_count) * sizeof *stats);
}

static void keep_transform_back(const void *conf, const dt_quant_site *site, const real *x,
                                const real *t, const real *stats, const real *dt, real *dx)
{
    (void)conf;
    (void)x;
    (void)t;
    (void)stats;
    memcpy(dx, dt, (size_t)(site->groups * site->count) * sizeof *dx);
}

typedef struct sample {
    real x[ROWS * COLS], t[ROWS * COLS], stats[ROWS * DT_QUANT_MAX_STATS];
    real params[DT_QUANT_MAX_PARAMS][ROWS];
} sample;

static void draw(const quant_setup *s, sample *d)
{
    dt_rng rng;
    dt_rng_open(&rng, 3, DT_RNG_TEST, (uint32_t)s->site.bits, 0);
    for (int i = 0; i < ROWS * COLS; i++) {
        d->x[i] = (real)dt_rng_normal(&rng);
        if (!s->site.is_signed && d->x[i] < 0) d->x[i] = -d->x[i] / 4;
    }
}

/* Parameters, and values that reach beyond their range. */
static void start(const dt_fakequant_conf *c, const dt_quant_site *site, bool transforms, sample *d)
{
    const dt_quantizer *q = c->quantizer;
    if (transforms) q->transform(c->options, site, d->x, d->t, d->stats);
    for (int64_t k = 0; k < site->groups; k++) {
        real p[DT_QUANT_MAX_PARAMS] = { 0 }, *x = d->x + k * site->count, most = 0;
        const real *seen = transforms ? d->t + k * site->count : x;
        if (q->init) ck_assert_int_eq(q->init(c->options, site, seen, p, NULL), DT_OK);
        for (int i = 0; i < q->param_count; i++)
            d->params[i][k] = p[i] = p[i] * (real)0.7;
        if (transforms) continue;
        dt_encode e;
        dt_fakequant_encode(c, site, p, NULL, &e);
        for (int64_t i = 0; i < site->count; i++)
            most = fmax(most, fabs(x[i]));
        real top = fmax(fabs(e.qmin * e.scale + e.offset), fabs(e.qmax * e.scale + e.offset));
        for (int64_t i = 0; i < site->count; i++)
            x[i] *= (real)1.3 * top / most;
    }
}

static void check_groups(const quant_setup *s, int64_t groups)
{
    unsigned char options[QUANT_OPTIONS];
    sample d;
    dt_quantizer frozen = *s->q;
    memcpy(options, s->options, sizeof options);
    quant_no_factor(s->q, options);
    dt_fakequant_conf conf = { .quantizer = s->q, .options = options, .site = s->site };
    conf.site.groups = groups;
    gradcheck g = { .op = dt_op_find("fakequant"),
                    .conf = &conf,
                    .threads = 2,
                    .in_count = 1 + s->q->param_count,
                    .in = { d.x } };
    g.in_shape[0] = g.out_shape[0] = DT_SHAPE(ROWS, COLS);
    draw(s, &d);
    dt_quant_site site = dt_fakequant_site(&conf, &g.in_shape[0]);
    bool transforms = dt_quant_transforms(s->q, &site);
    start(&conf, &site, transforms, &d);
    if (transforms && s->claims->statistics_constant) {
        frozen.transform = keep_transform;
        frozen.transform_back = keep_transform_back;
        kept_stats = d.stats;
        kept_count = s->q->stat_count;
        conf.quantizer = &frozen;
        g.in[0] = d.t;
    }
    for (int i = 0; i < s->q->param_count; i++) {
        g.in_shape[1 + i] = DT_SHAPE(groups);
        g.in[1 + i] = d.params[i];
        if (!s->q->params[i].learned || s->claims->surrogate) g.skip |= 1u << (1 + i);
    }
    ck_assert(gradcheck_run(&g));
    ck_assert_msg(g.worst < 1e-6, "%s, %lld groups: %s", s->name, (long long)groups, g.worst_at);
    ck_assert_int_gt(g.checked, 3 * g.skipped);
}

static void check_setup(const quant_setup *s)
{
    check_groups(s, 1);
    if (s->site.weight) check_groups(s, ROWS);
}

START_TEST(straight_through_gradients)
{
    quant_for_all(check_setup);
}
END_TEST

DT_TEST_MAIN("quantizer_gradients", straight_through_gradients)
