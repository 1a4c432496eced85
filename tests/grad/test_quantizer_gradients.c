/* Every quantizer of the table through the fakequant op: the straight-through gradient is the
 * derivative of the forward pass with the rounding residual held constant. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "core/rng.h"
#include "fakequant/quantizers.h"
#include "tests/support/gradcheck.h"
#include "tests/support/run.h"

enum { ROWS = 3, COLS = 40 };

static void check_row(const dt_quantizer *q, int bits, bool is_signed, int64_t groups, bool weight)
{
    unsigned char options[1024] = { 0 };
    ck_assert_uint_le(q->row.conf_size, sizeof options);
    dt_opt_defaults(q->row.opts, options);
    const dt_opt *factor = dt_opt_find(q->row.opts, "grad_scale"); /* a factor, not a derivative */
    if (factor) ck_assert_int_eq(dt_opt_set(factor, options, "false", NULL, NULL), DT_OK);
    dt_fakequant_conf conf = {
        .quantizer = q,
        .options = options,
        .site = { .bits = bits, .is_signed = is_signed, .weight = weight, .groups = groups },
    };
    dt_rng rng;
    dt_rng_open(&rng, 3, DT_RNG_TEST, (uint32_t)bits, (uint64_t)groups);
    real x[ROWS * COLS], params[DT_QUANT_MAX_PARAMS][ROWS];
    for (int i = 0; i < ROWS * COLS; i++) {
        x[i] = (real)dt_rng_normal(&rng);
        if (!is_signed && x[i] < 0) x[i] = -x[i] / 4;
    }
    gradcheck g = { .op = dt_op_find("fakequant"),
                    .conf = &conf,
                    .threads = 2,
                    .in_count = 1 + q->param_count,
                    .in = { x } };
    g.in_shape[0] = DT_SHAPE(ROWS, COLS);
    dt_quant_site site = conf.site;
    site.count = ROWS * COLS / groups;
    site.features = weight ? site.count : COLS;
    for (int64_t k = 0; k < groups; k++) {
        real p[DT_QUANT_MAX_PARAMS];
        ck_assert_int_eq(q->init(options, &site, x + k * site.count, p, NULL), DT_OK);
        for (int i = 0; i < q->param_count; i++)
            params[i][k] = p[i] * (real)0.7; /* some clipping */
    }
    for (int i = 0; i < q->param_count; i++) {
        g.in_shape[1 + i] = DT_SHAPE(groups);
        g.in[1 + i] = params[i];
        if (!q->params[i].learned) g.skip |= 1u << (1 + i);
    }
    g.out_shape[0] = g.in_shape[0];
    ck_assert(gradcheck_run(&g));
    ck_assert_msg(g.worst < 1e-6, "%s %d bits, %lld groups: %s", q->row.name, bits,
                  (long long)groups, g.worst_at);
    ck_assert_int_gt(g.checked, 3 * g.skipped);
}

START_TEST(straight_through_gradients)
{
    int rows = 0;
    for (const dt_row *const *r = dt_quantizers.rows; *r; r++) {
        const dt_quantizer *q = dt_quantizer_of(*r);
        if (!q->plan) continue;
        for (int bits = q->min_bits; bits <= q->max_bits; bits++) {
            check_row(q, bits, true, 1, true);
            check_row(q, bits, true, ROWS, true);
            check_row(q, bits, true, 1, false);
            check_row(q, bits, false, 1, false);
        }
        rows++;
    }
    ck_assert_int_ge(rows, 1);
}
END_TEST

DT_TEST_MAIN("quantizer_gradients", straight_through_gradients)
