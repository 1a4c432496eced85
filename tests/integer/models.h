/* Integer models of small networks, and a network with what the models of recipes lack. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_INTEGER_MODELS_H
#define DT_TESTS_INTEGER_MODELS_H

#include "autograd/quantizer.h"
#include "integer/form.h"
#include "tests/exchange/net.h"

#define RECIPE_BITS(bits)                                                                          \
    "quant: {weights: {method: lsq, bits: " bits "}, activations: {method: lsq, bits: " bits       \
    "}, first: {weights: 8, activations: 8}, last: {weights: 8, activations: 8}}\n"

typedef int odd_conv(dt_builder *b, const char *name, dt_layer_role role, int x, int64_t out,
                     int kernel, int stride, int pad, int groups);

/* Max-pooling, groups, a signed input of a conv in the middle, a 1x1 shortcut with
 * stride 2. `conv`: with or without biases in front of the norms. */
static inline int odd_layers(dt_builder *b, int classes, int x, odd_conv *conv)
{
    x = conv(b, "conv1", DT_LAYER_FIRST, x, 6, 3, 1, 1, 1);
    x = dt_layer_stream(b, "stem", dt_layer_relu(b, "relu1", dt_layer_batchnorm(b, "bn1", x)));
    x = dt_layer_maxpool(b, "pool", x, 3, 2, 1);
    int y = conv(b, "conv2", DT_LAYER_BODY, x, 10, 3, 2, 1, 2);
    y = dt_layer_batchnorm(b, "bn2", y); /* no ReLU: signed codes */
    y = conv(b, "conv3", DT_LAYER_BODY, y, 10, 3, 1, 1, 10);
    y = dt_layer_batchnorm(b, "bn3", y);
    int skip = conv(b, "down", DT_LAYER_SHORTCUT, x, 10, 1, 2, 0, 1);
    x = dt_layer_residual(b, "block", y, dt_layer_batchnorm(b, "bn4", skip));
    x = dt_layer_gap(b, "avgpool", x);
    return dt_layer_linear(b, "fc", DT_LAYER_LAST, x, classes);
}
static inline int odd_build(dt_builder *b, const void *conf, int classes, int x)
{
    (void)conf;
    return odd_layers(b, classes, x, dt_layer_conv2d);
}
static inline int odd_build_biased(dt_builder *b, const void *conf, int classes, int x)
{
    (void)conf;
    return odd_layers(b, classes, x, dt_layer_conv2d_bias);
}
static const dt_model odd_model = { .row = { "odd", "for tests", NULL, 0 }, .build = odd_build },
                      odd_biased_model = { .row = { "odd_biased", "for tests", NULL, 0 },
                                           .build = odd_build_biased };

/* Lets a site behind a ReLU have signed codes, as a method with an offset would: the ReLU is then
 * more than the lowest code of the grid. */
static inline void make_signed(const testnet *t, const char *site)
{
    const dt_node *n = testnet_node(t, "fakequant", site);
    ((dt_fakequant_conf *)(uintptr_t)n->conf)->site.is_signed = true;
}

static inline dt_int_model *int_model(const testnet *t, const char *contract)
{
    dt_error err = { .text = "" };
    dt_lowered *l;
    dt_int_model *m;
    const dt_contract *c;
    ck_assert_int_eq(dt_contract_get(contract, NULL, &c, NULL), DT_OK);
    ck_assert_msg(dt_lower_new(&t->low, &l, &err) == DT_OK, "%s", err.text);
    ck_assert_msg(dt_int_model_new(l, c, NULL, &m, &err) == DT_OK, "%s", err.text);
    dt_lower_free(l);
    return m;
}

/* n random pictures of TESTNET_SIDE. */
static inline float *int_pictures(int64_t n, uint64_t seed)
{
    size_t count = (size_t)(n * TESTNET_SIDE * TESTNET_SIDE * 3);
    float *x = dt_get_array(NULL, count, sizeof *x, "test");
    dt_rng rng;
    dt_rng_open(&rng, seed, DT_RNG_TEST, 11, 0);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(dt_rng_uniform(&rng) * 2 - 1);
    return x;
}

static inline bool int_is(const dt_int_node *n, const char *form)
{
    return strcmp(n->form->name, form) == 0;
}

static inline int int_node(const dt_int_model *m, const char *form, const char *name)
{
    for (int i = 0; i < m->node_count; i++)
        if (int_is(&m->node[i], form) && strcmp(m->node[i].name, name) == 0) return i;
    ck_abort_msg("no %s '%s'", form, name);
}

static inline size_t int_bytes(const dt_int_run *r, int value)
{
    const dt_int_value *v = &r->model->value[value];
    return (size_t)(r->n * dt_int_count(v)) * (v->is_sum ? sizeof(int32_t) : 1);
}

#endif
