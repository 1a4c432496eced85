/* Injected faults: each must be found, and the right node named. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "integer/compare.h"

#include <stdio.h>

#include "tests/integer/faults.h"
#include "tests/support/failalloc.h"
#include "tests/support/run.h"

enum { PICTURES = 6 };

typedef struct fault {
    const char *what;
    const char *form;
    const char *node;
    void (*spoil)(fault_site *f);                     /* the tested model, or */
    void (*run)(dt_int_run *r, const dt_int_node *n); /* the executor */
    bool silent; /* may change no code of any sum: then only the models' numbers show it */
} fault;

/* The network of models.h. */
static const fault odd_faults[] = {
    { "bias + 1", "product", "conv1", bias_plus_1, NULL, false },
    { "bias + 1", "product", "conv2", bias_plus_1, NULL, false },
    { "bias - 1", "product", "down", bias_minus_1, NULL, false },
    { "bias - 1", "product", "fc", bias_minus_1, NULL, false },
    { "bias of the next channel", "product", "conv3", bias_rotated, NULL, false },
    { "no bias", "product", "conv2", bias_missing, NULL, false },
    { "one weight", "product", "conv2", weight_plus_1, NULL, false },
    { "one weight", "product", "conv3", weight_plus_1, NULL, false },
    { "sign of a channel", "product", "conv1", sign_of_a_channel, NULL, false },
    { "height and width", "product", "conv1", kernel_axes, NULL, false },
    { "height and width", "product", "conv3", kernel_axes, NULL, false },
    { "flipped kernel", "product", "conv2", kernel_flipped, NULL, false },
    { "order of inputs", "product", "conv1", input_axis, NULL, false },
    { "order of outputs", "product", "down", output_axis, NULL, false },
    { "order of inputs", "product", "fc", input_axis, NULL, false },
    { "gain", "product", "conv2", gain_forgotten, NULL, false },
    { "scale + 1 %", "requant", "stem.output_quant", scale_plus_1_percent, NULL, false },
    { "scale + 1 ulp", "requant", "conv3.input_quant", scale_plus_1_ulp, NULL, true },
    { "scale + 1 ulp", "requant", "fc.output_quant", scale_plus_1_ulp, NULL, true },
    { "one scale for all", "requant", "conv3.input_quant", scale_of_the_first_channel, NULL,
      false },
    { "scale of the next channel", "requant", "block.branch_quant", scale_rotated, NULL, false },
    { "zero point + 1", "requant", "conv3.input_quant", zero_point_plus_1, NULL, false },
    { "zero point 0", "requant", "fc.output_quant", zero_point_of_bytes, NULL, false },
    { "no upper clip", "requant", "conv3.input_quant", no_upper_clip, NULL, false },
    { "highest code", "requant", "conv3.input_quant", highest_code_lower, NULL, false },
    { "lowest code", "requant", "conv3.input_quant", lowest_code_higher, NULL, false },
    { "no relu", "add", "block.output_quant", no_lower_clip, NULL, false },
    { "ratios exchanged", "add", "block.output_quant", addends_swapped, NULL, false },
    { "zero point of an addend", "add", "block.output_quant", zero_of_an_addend, NULL, false },
    { "an addend twice", "add", "block.output_quant", first_addend_twice, NULL, false },
    { "rounding of the addition", "add", "block.output_quant", rounded_double, NULL, true },
    { "scale of the picture", "input", "conv1.input_quant", grid_scale, NULL, false },
    { "zero point of the picture", "input", "conv1.input_quant", zero_point_plus_1, NULL, false },
    { "scale of a table", "table", "conv2.input_quant", grid_scale, NULL, false },
    { "bits of a table", "table", "conv2.input_quant", bits_minus_1, NULL, false },
    { "window", "maxpool", "pool", small_window, NULL, false },
    { "padding of a window", "maxpool", "pool", window_not_padded, NULL, false },
    { "pixels", "mean", "avgpool", fewer_pixels, NULL, false },
    { "count of the mean", "requant", "avgpool.output_quant", mean_of_fewer, NULL, false },
    { "padding code", "product", "conv3", NULL, padded_with_0, false },
    { "padding code", "product", "conv1", NULL, padded_with_0, false },
    { "saturating products", "product", "conv1", NULL, saturating, false },
    { "zero point of the input", "product", "conv3", NULL, zero_point_of_the_input, false },
    { "bias twice", "product", "conv2", NULL, bias_twice, false },
    { "16-bit sums", "product", "conv1", NULL, sums_of_16_bits, false },
    { "last sum", "product", "conv2", NULL, last_sum_lost, false },
    { "truncation", "requant", "conv3.input_quant", NULL, codes_truncated, false },
    { "wrapped codes", "requant", "stem.output_quant", NULL, codes_wrapped, false },
    { "picture repeated", "maxpool", "pool", NULL, picture_repeated, false },
    { "one code", "table", "conv2.input_quant", NULL, one_code_off, false },
    { "one code", "add", "block.output_quant", NULL, one_code_off, false },
};

/* Where all scales are powers of two, ties are common. */
static const fault dyadic_faults[] = {
    { "double rounding", "requant", "conv3.input_quant", rounded_double, NULL, false },
    { "single rounding", "requant", "conv3.input_quant", rounded_single, NULL, false },
    { "half up", "requant", "stem.output_quant", NULL, codes_half_up, false },
    { "shifted addition", "add", "block.output_quant", rounded_xnnpack, NULL, false },
};

static const fault resnet_faults[] = {
    { "zero channels", "pad", "layer2.0.shortcut", zeros_behind, NULL, false },
    { "stride", "pad", "layer3.0.shortcut", stride_1, NULL, false },
    { "zero channels' code", "pad", "layer3.0.shortcut", zero_point_plus_1, NULL, false },
    { "16-bit sums", "product", "conv1", NULL, sums_of_16_bits, false },
    { "bias + 1", "product", "layer3.2.conv2", bias_plus_1, NULL, false },
};

static void open_compare(dt_int_compare *c, const dt_int_model *m, const dt_int_model *tested,
                         const dt_int_executor *e, const dt_kernels *k, const float *x)
{
    const dt_int_compare_params p = { m, tested, e, k, 1, PICTURES, NULL };
    ck_assert_int_eq(dt_int_compare_init(c, &p, NULL), DT_OK);
    dt_int_compare_batch(c, x, PICTURES / 2);
    dt_int_compare_batch(c, x + PICTURES / 2 * TESTNET_SIDE * TESTNET_SIDE * 3, PICTURES / 2);
}

static void expect_found(const testnet *t, const dt_int_model *good, const fault *f,
                         const dt_kernels *k, const float *x)
{
    dt_int_model *bad = int_model(t, "fp32");
    int at = int_node(bad, f->form, f->node);
    fault_site site = { bad, &bad->node[at], &bad->value[bad->node[at].out] };
    const dt_int_executor wrong = { "wrong", f->run, fault_work };
    dt_int_compare c;
    char text[160] = "";
    if (f->spoil) f->spoil(&site);
    fault_node = f->node;
    open_compare(&c, good, bad, f->run ? &wrong : NULL, k, x);
    int first = dt_int_compare_first(&c), named = dt_int_model_diff(bad, good, text, sizeof text);
    ck_assert_msg(first == at || (f->silent && first == -1), "%s at '%s': found at %d '%s'",
                  f->what, f->node, first, first < 0 ? "" : good->node[first].name);
    if (first >= 0) {
        const dt_int_diff *d = &c.isolated[first], *e = &c.chained[first];
        ck_assert(d->differ > 0 && d->differ <= d->checked && d->got != d->want);
        ck_assert(e->differ > 0 && e->largest >= 1);
        for (int i = 0; i < first; i++)
            ck_assert_int_eq(c.chained[i].differ, 0);
        /* a node that is right stays right, whatever it is fed */
        for (int i = 0; i < good->node_count; i++)
            if (i != at && !(f->spoil && good->node[i].in[0] == good->node[at].out))
                ck_assert_int_eq(c.isolated[i].differ, 0);
    }
    /* an addend that is taken twice is wiring, no number */
    if (f->spoil && f->spoil != first_addend_twice)
        ck_assert_msg(named == at && strncmp(text, f->node, strlen(f->node)) == 0,
                      "%s at '%s': models differ at %d: %s", f->what, f->node, named, text);
    dt_int_compare_fini(&c);
    dt_int_model_free(bad);
}

static void expect_all(const testnet *t, const fault *list, size_t count)
{
    dt_kernels k;
    dt_int_compare c;
    char text[160];
    dt_int_model *good = int_model(t, "fp32"), *same = int_model(t, "fp32");
    float *x = int_pictures(PICTURES, 3);
    ck_assert_int_eq(dt_kernels_init(&k, test_isa, NULL), DT_OK);
    open_compare(&c, good, same, NULL, &k, x); /* without a fault nothing is found */
    ck_assert_int_eq(dt_int_compare_first(&c), -1);
    ck_assert_int_eq(dt_int_model_diff(good, same, text, sizeof text), -1);
    for (int i = 0; i < good->node_count; i++) {
        int64_t n = PICTURES * dt_int_count(&good->value[good->node[i].out]);
        ck_assert_int_eq(c.chained[i].checked, n);
        ck_assert_int_eq(c.isolated[i].checked, n);
        ck_assert_int_eq(c.chained[i].differ, 0);
    }
    dt_int_compare_fini(&c);
    for (size_t i = 0; i < count; i++)
        expect_found(t, good, &list[i], &k, x);
    dt_put(NULL, x);
    dt_int_model_free(good);
    dt_int_model_free(same);
}

START_TEST(faults_are_found_and_named)
{
    testnet t;
    testnet_init_model(&t, RECIPE_SMALL RECIPE_BITS("4"), &odd_model);
    make_signed(&t, "block.output_quant");
    expect_all(&t, odd_faults, DT_ARRAY_LEN(odd_faults));
    testnet_fini(&t);
    testnet_init(&t, RECIPE_RESNET RECIPE_W4A4);
    expect_all(&t, resnet_faults, DT_ARRAY_LEN(resnet_faults));
    testnet_fini(&t);
    ck_assert_uint_ge(DT_ARRAY_LEN(odd_faults) + DT_ARRAY_LEN(resnet_faults), 50);
}
END_TEST

/* Scales to powers of two, norms to the identity. */
static void make_dyadic(testnet *t)
{
    const dt_graph *g = &t->net.graph;
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *n = &g->node[i];
        if (n->op->quantizes) {
            real *s = t->net.state.data[n->in[1]];
            s[0] = (real)exp2(rint(log2((double)s[0])));
        }
        for (int64_t c = 0; n->op->batch_stat && c < g->value[n->in[1]].shape.dim[0]; c++) {
            t->net.state.data[n->in[DT_BN_GAMMA]][c] = 1;
            t->net.state.data[n->in[DT_BN_VAR]][c] = (real)(1 - 1e-5);
        }
    }
    /* half steps of an addend */
    const dt_node *branch = testnet_node(t, "fakequant", "block.branch_quant");
    const dt_node *output = testnet_node(t, "fakequant", "block.output_quant");
    t->net.state.data[output->in[1]][0] = 2 * t->net.state.data[branch->in[1]][0];
}

START_TEST(rounding_faults_are_found_where_ties_are)
{
    testnet t;
    testnet_init_model(&t, RECIPE_SMALL RECIPE_BITS("4"), &odd_model);
    make_dyadic(&t);
    expect_all(&t, dyadic_faults, DT_ARRAY_LEN(dyadic_faults));
    testnet_fini(&t);
}
END_TEST

/* A model of another batch norm: its first conv has other scales and biases. */
START_TEST(another_epsilon_is_found)
{
    testnet t;
    dt_kernels k;
    dt_int_compare c;
    char text[160];
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    dt_int_model *good = int_model(&t, "fp32");
    dt_batchnorm_conf *conf =
        (dt_batchnorm_conf *)(uintptr_t)testnet_node(&t, "batchnorm", "bn3")->conf;
    conf->eps = 1e-3;
    dt_int_model *bad = int_model(&t, "fp32");
    float *x = int_pictures(PICTURES, 3);
    ck_assert_int_eq(dt_kernels_init(&k, test_isa, NULL), DT_OK);
    open_compare(&c, good, bad, NULL, &k, x);
    ck_assert_str_eq(good->node[dt_int_compare_first(&c)].name, "conv3");
    ck_assert_int_eq(dt_int_model_diff(bad, good, text, sizeof text), dt_int_compare_first(&c));
    dt_int_compare_fini(&c);
    dt_put(NULL, x);
    dt_int_model_free(good);
    dt_int_model_free(bad);
    testnet_fini(&t);
}
END_TEST

START_TEST(the_first_difference_is_located)
{
    const dt_int_value v = { .H = 2, .W = 3, .C = 4 };
    uint8_t a[48] = { 0 }, b[48] = { 0 };
    dt_int_diff d = { 0 };
    dt_int_diff_add(&d, &v, a, b, 2, 10);
    ck_assert(d.checked == 48 && d.differ == 0);
    a[24 + 12 + 2 * 4 + 1] = 9; /* picture 1, row 1, column 2, channel 1 */
    b[47] = 20;
    dt_int_diff_add(&d, &v, a, b, 2, 12);
    ck_assert(d.checked == 96 && d.differ == 2 && d.largest == 20);
    ck_assert(d.picture == 13 && d.y == 1 && d.x == 2 && d.channel == 1);
    ck_assert(d.got == 9 && d.want == 0);
}
END_TEST

START_TEST(other_models_are_refused_and_memory_may_run_out)
{
    testnet t, other;
    dt_kernels k;
    dt_int_compare c;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    testnet_init_model(&other, RECIPE_SMALL RECIPE_W4A4, &odd_model);
    dt_int_model *m = int_model(&t, "fp32"), *o = int_model(&other, "fp32");
    ck_assert_int_eq(dt_kernels_init(&k, test_isa, NULL), DT_OK);
    dt_int_compare_params p = { m, o, NULL, &k, 1, 1, NULL };
    ck_assert_int_eq(dt_int_compare_init(&c, &p, NULL), DT_ERR_ARG);
    p.tested = NULL;
    dt_status st = DT_ERR_NOMEM;
    size_t at = 1;
    for (; st != DT_OK && at < 400; at++) {
        failalloc f;
        failalloc_init(&f, at);
        p.alloc = &f.alloc;
        st = dt_int_compare_init(&c, &p, NULL);
        ck_assert(st == DT_OK || st == DT_ERR_NOMEM);
        if (st == DT_OK) dt_int_compare_fini(&c);
        ck_assert_uint_eq(f.live, 0);
    }
    ck_assert(at > 2 && st == DT_OK);
    dt_int_model_free(m);
    dt_int_model_free(o);
    testnet_fini(&t);
    testnet_fini(&other);
}
END_TEST

DT_TEST_MAIN("compare", faults_are_found_and_named, rounding_faults_are_found_where_ties_are,
             another_epsilon_is_found, the_first_difference_is_located,
             other_models_are_refused_and_memory_may_run_out)
