/* Ranges of one form as the parameters of another. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/net/net_convert.h"

#include <string.h>

#include "autograd/quantizer.h"
#include "core/rng.h"
#include "tests/support/nets.h"

#define ASYMMETRIC(form)                                                                           \
    "{model: {name: smallcnn}, data: {name: builtin}, quant: {placement: paper, weights: "         \
    "{method: "                                                                                    \
    "lsq, bits: 4}, activations: {method: " form "}}}"

/* Random ranges with 0 inside; of activations behind a rectifier they begin there. */
static void random_ranges(test_net *t)
{
    dt_rng rng;
    dt_rng_open(&rng, 3, DT_RNG_TEST, 0, 0);
    for (int i = 0; i < t->net.graph.value_count; i++) {
        const char *name = t->net.graph.value[i].name;
        real *x = t->net.state.data[i];
        if (!x) continue;
        if (strstr(name, "_quant.low"))
            x[0] = strncmp(name, "conv1.", 6) == 0 ? (real)(-0.5 - dt_rng_uniform(&rng)) : 0;
        if (strstr(name, "_quant.high")) x[0] = (real)(0.5 + dt_rng_uniform(&rng));
    }
}

/* Imports what `from` exports. */
static void convert(const test_net *from, test_net *to)
{
    dt_tensors set;
    dt_net_report report;
    dt_error err = { .status = DT_OK };
    ck_assert_int_eq(dt_tensors_init(&set, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_net_export(&from->net, true, &set, NULL), DT_OK);
    const dt_net_file file = { .set = &set, .path = "f", .native = true };
    ck_assert_msg(dt_net_import(&to->net, &file, &report, &err) == DT_OK, "%s", err.text);
    ck_assert(report.has_quantizers && report.missing == 0 && report.unexpected == 0);
    ck_assert_int_gt(report.converted, 4);
    dt_tensors_fini(&set);
}

/* Scale and offset of every quantizer of activations. */
static int encoders(const test_net *t, dt_encode *e)
{
    int n = 0;
    for (int i = 0; i < t->net.graph.node_count; i++) {
        const dt_node *node = &t->net.graph.node[i];
        const dt_fakequant_conf *c = node->conf;
        real p[DT_QUANT_MAX_PARAMS];
        if (!node->op->quantizes || c->site.weight) continue;
        for (int k = 1; k < node->in_count; k++)
            p[k - 1] = t->net.state.data[node->in[k]][0];
        e[n] = (dt_encode){ .scale = 1 };
        c->quantizer->plan(c->options, &c->site, p, NULL, &e[n++]);
    }
    return n;
}

static void expect_equal_ranges(const test_net *a, const test_net *b)
{
    dt_encode x[32], y[32];
    int n = encoders(a, x);
    ck_assert_int_eq(n, encoders(b, y));
    for (int i = 0; i < n; i++) {
        double s = (double)x[i].scale;
        ck_assert_double_eq_tol((double)y[i].scale, s, 1e-6 * s);
        ck_assert_double_eq_tol((double)(y[i].qmin * y[i].scale + y[i].offset),
                                (double)(x[i].qmin * x[i].scale + x[i].offset), 1e-5 * s);
    }
}

/* Forms of one range are read into each other, and back. */
START_TEST(forms_of_ranges_are_converted)
{
    static const char *const others[] = {
        ASYMMETRIC("asymmetric, bits: 4, form: scale_offset"),
        ASYMMETRIC("asymmetric, bits: 4, form: beta_gamma"),
        ASYMMETRIC("asymmetric, bits: 4, form: beta_gamma, sigmoid: true"),
        ASYMMETRIC("lsqplus, bits: 4"),
    };
    test_net ends, back, other;
    test_net_open(&ends, ASYMMETRIC("asymmetric, bits: 4"), false);
    random_ranges(&ends);
    for (size_t i = 0; i < DT_ARRAY_LEN(others); i++) {
        test_net_open(&other, others[i], false);
        convert(&ends, &other);
        expect_equal_ranges(&ends, &other);
        if (i < 3) {
            test_net_open(&back, ASYMMETRIC("asymmetric, bits: 4"), false);
            convert(&other, &back);
            expect_equal_ranges(&ends, &back);
            test_net_close(&back);
        }
        test_net_close(&other);
    }
    test_net_close(&ends);
}
END_TEST

DT_TEST_MAIN("net_convert", forms_of_ranges_are_converted)
