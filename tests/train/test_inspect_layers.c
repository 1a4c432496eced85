/* Layers of a small net: costs by hand, clipping and noise from the weights and their scale. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/inspect/inspect_layers.h"

#include <math.h>

#include "tests/exchange/net.h"
#include "tests/support/failalloc.h"
#include "tests/support/run.h"

static dt_inspect_layer layer_of(const testnet *t, const char *op, const char *name)
{
    dt_inspect_layer l;
    const dt_node *n = testnet_node(t, op, name);
    ck_assert_ptr_nonnull(n);
    ck_assert_int_eq(dt_inspect_layer_of(&t->net.graph, &t->net.state, n, NULL, &l, NULL), DT_OK);
    return l;
}

START_TEST(costs_follow_from_shapes_and_bits)
{
    testnet t; /* 12x12 pictures, width 4 */
    testnet_init(&t, RECIPE_SMALL RECIPE_QUANT("first: {weights: 8, activations: 8}, last: none, "
                                               "rules: [{layers: conv2, weights: {bits: 3}}]"));
    const dt_inspect_layer a = layer_of(&t, "conv2d", "conv1");
    ck_assert_int_eq(a.weights, 4 * 27);
    ck_assert_int_eq(a.macs, 12 * 12 * 4 * 27);
    ck_assert_int_eq(a.bops, a.macs * 64);
    const dt_inspect_layer b = layer_of(&t, "conv2d", "conv2");
    ck_assert_int_eq(b.w_bits, 3);
    ck_assert_int_eq(b.a_bits, 4);
    ck_assert_uint_eq(b.low_bytes, (size_t)(b.weights * 3 + 7) / 8);
    ck_assert_uint_eq(b.container_bytes, (size_t)b.weights);
    ck_assert_int_eq(b.macs, b.out.dim[1] * b.out.dim[2] * b.weights);
    const dt_inspect_layer c = layer_of(&t, "linear", "fc");
    ck_assert_int_eq(c.w_bits, DT_FLOAT_BITS);
    ck_assert_uint_eq(c.low_bytes, 4 * (size_t)c.weights);
    ck_assert_ptr_null(c.method);
    ck_assert(c.clipped < 0 && isinf(c.sqnr_db));
    testnet_fini(&t);
}
END_TEST

START_TEST(clipping_and_noise_are_those_of_the_grid)
{
    testnet t;
    double signal = 0, noise = 0, low = 0, high = 0;
    int64_t clipped = 0;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    const dt_node *site = testnet_node(&t, "fakequant", "conv3.weight_quant");
    real *w = t.net.state.data[site->in[0]];
    const double s = (double)t.net.state.data[site->in[1]][0];
    w[5] = (real)(9 * s); /* outside of -8..7 */
    const dt_inspect_layer l = layer_of(&t, "conv2d", "conv3");
    for (int64_t i = 0; i < l.weights; i++) {
        double x = (double)w[i], u = rint(x / s), q = u < -8 ? -8 : u > 7 ? 7 : u;
        clipped += x < -8 * s || x > 7 * s;
        signal += x * x;
        noise += (x - q * s) * (x - q * s);
        low = x < low ? x : low;
        high = x > high ? x : high;
    }
    ck_assert_int_gt(clipped, 0);
    ck_assert(fabs(l.clipped * (double)l.weights - (double)clipped) < 0.5);
    ck_assert(fabs(l.sqnr_db - 10 * log10(signal / noise)) < 0.01); /* float scale times code */
    ck_assert(l.low == low && l.high == high);
    ck_assert_str_eq(l.method, "lsq");
    testnet_fini(&t);
}
END_TEST

START_TEST(no_memory_is_an_error)
{
    testnet t;
    failalloc f;
    dt_inspect_layer l;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    failalloc_init(&f, 1);
    ck_assert_int_eq(dt_inspect_layer_of(&t.net.graph, &t.net.state,
                                         testnet_node(&t, "conv2d", "conv3"), &f.alloc, &l, NULL),
                     DT_ERR_NOMEM);
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("inspect_layers", costs_follow_from_shapes_and_bits,
             clipping_and_noise_are_those_of_the_grid, no_memory_is_an_error)
