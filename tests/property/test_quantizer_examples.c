/* The worked examples of every quantizer, through the op; and groups against single tensors. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/rng.h"
#include "tests/property/fq_call.h"
#include "tests/support/quant_rows.h"

enum { MOST = 64, GROUPS = 3, COLS = 50 };
static const double near = sizeof(real) == sizeof(float) ? 1e-6 : 1e-12; /* a few roundings */

static void expect(const dt_quantizer *q, int example, const char *what, int i, double got,
                   double want)
{
    ck_assert_msg(fabs(got - want) <= near * (1 + fabs(want)),
                  "%s example %d: %s[%d] is %.9g, not %.9g", q->row.name, example, what, i, got,
                  want);
}

static void replay(const dt_quantizer *q, int number, const dt_quant_example *e)
{
    _Alignas(16) unsigned char options[QUANT_OPTIONS] = { 0 };
    real x[MOST], dy[MOST], y[MOST], dx[MOST];
    real params[DT_QUANT_MAX_PARAMS], d_params[DT_QUANT_MAX_PARAMS];
    ck_assert_int_le(e->n, MOST);
    quant_read_options(q, e->conf, options);
    fq_call c = { .conf = { .quantizer = q,
                            .options = options,
                            .site = { .bits = e->bits,
                                      .is_signed = e->is_signed,
                                      .weight = e->weight,
                                      .groups = 1 } },
                  .shape = DT_SHAPE(1, e->n),
                  .x = x,
                  .dy = dy,
                  .y = y,
                  .dx = dx };
    for (int i = 0; i < e->n; i++) {
        x[i] = (real)e->x[i];
        dy[i] = 1;
    }
    for (int i = 0; i < q->param_count; i++) {
        params[i] = (real)e->param[i];
        c.params[i] = &params[i];
        c.d_params[i] = &d_params[i];
    }
    fq_run(&c, 1);
    for (int i = 0; i < e->n; i++) {
        expect(q, number, "y", i, (double)y[i], e->y[i]);
        expect(q, number, "dx", i, (double)dx[i], e->dx[i]);
    }
    for (int i = 0; i < q->param_count; i++)
        if (q->params[i].learned)
            expect(q, number, q->params[i].name, 0, (double)d_params[i], e->dparam[i]);
}

START_TEST(examples)
{
    int rows = 0;
    for (const dt_row *const *r = dt_quantizers.rows; *r; r++) {
        const dt_quantizer *q = dt_quantizer_of(*r);
        if (!q->plan) continue;
        ck_assert_msg(q->examples && q->examples->n, "%s has no worked example", q->row.name);
        for (int i = 0; q->examples[i].n; i++)
            replay(q, i, &q->examples[i]);
        rows++;
    }
    ck_assert_int_ge(rows, 1);
}
END_TEST

/* A group of a tensor is quantized like a tensor of its own, bit for bit. */
static void check_groups(const quant_setup *s)
{
    const dt_quantizer *q = s->q;
    const void *options = s->options;
    if (q->transform || !s->site.weight) return; /* a transform may look at the whole tensor */
    real x[GROUPS * COLS], dy[GROUPS * COLS], y[2][GROUPS * COLS], dx[2][GROUPS * COLS];
    real params[DT_QUANT_MAX_PARAMS][GROUPS], d_params[2][DT_QUANT_MAX_PARAMS][GROUPS];
    memset(d_params, 0, sizeof d_params);
    dt_rng rng;
    dt_rng_open(&rng, 9, DT_RNG_TEST, (uint32_t)s->site.bits, 0);
    for (int i = 0; i < GROUPS * COLS; i++) {
        x[i] = (real)(dt_rng_normal(&rng) * (1 + i / COLS));
        dy[i] = (real)dt_rng_normal(&rng);
    }
    dt_quant_site site = s->site;
    site.groups = GROUPS;
    fq_call all = { .conf = { q, options, site },
                    .shape = DT_SHAPE(GROUPS, COLS),
                    .x = x,
                    .dy = dy,
                    .y = y[0],
                    .dx = dx[0] };
    site.groups = 1;
    site.count = site.features = COLS;
    for (int k = 0; k < GROUPS; k++) {
        real p[DT_QUANT_MAX_PARAMS] = { 0 };
        if (q->init) ck_assert_int_eq(q->init(options, &site, x + k * COLS, p, NULL), DT_OK);
        for (int i = 0; i < q->param_count; i++)
            params[i][k] = p[i];
    }
    for (int k = 0; k < GROUPS; k++) {
        fq_call one = { .conf = { q, options, site },
                        .shape = DT_SHAPE(1, COLS),
                        .x = x + k * COLS,
                        .dy = dy + k * COLS,
                        .y = y[1] + k * COLS,
                        .dx = dx[1] + k * COLS };
        for (int i = 0; i < q->param_count; i++) {
            one.params[i] = &params[i][k];
            one.d_params[i] = &d_params[1][i][k];
        }
        fq_run(&one, 1);
    }
    for (int i = 0; i < q->param_count; i++) {
        all.params[i] = params[i];
        all.d_params[i] = d_params[0][i];
    }
    fq_run(&all, 3);
    ck_assert_mem_eq(y[0], y[1], sizeof y[0]);
    ck_assert_mem_eq(dx[0], dx[1], sizeof dx[0]);
    ck_assert_mem_eq(d_params[0], d_params[1], sizeof d_params[0]);
}

START_TEST(a_group_is_like_a_tensor)
{
    quant_for_all(check_groups);
}
END_TEST

DT_TEST_MAIN("quantizer_examples", examples, a_group_is_like_a_tensor)
