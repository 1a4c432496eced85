/* Networks from recipe texts, with random weights, norms of both signs and quantizers started from
 * random pictures. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_EXPORT_NET_H
#define DT_TESTS_EXPORT_NET_H

#include <string.h>

#include "autograd/op_batchnorm.h"
#include "autograd/query.h"
#include "core/rng.h"
#include "exchange/exporter.h"
#include "layers/models.h"
#include "tests/support/run.h"
#include "train/net/session.h"

#define RECIPE_DATA "data: {name: cifar10, batch: 8}\ntrain: {epochs: 1, seed: 5}\n"
#define RECIPE_SMALL "model: {name: smallcnn, classes: 10, width: 4}\n" RECIPE_DATA
#define RECIPE_RESNET "model: {name: resnet20, classes: 10}\n" RECIPE_DATA
#define RECIPE_MOBILE "model: {name: mobilenet_v2, classes: 10, width: 0.25}\n" RECIPE_DATA
/* LSQ at 4 bits; `more` are further keys of quant. */
#define RECIPE_QUANT(more)                                                                         \
    "quant: {weights: {method: lsq, bits: 4}, activations: {method: lsq, bits: 4}, " more "}\n"
#define RECIPE_W4A4                                                                                \
    RECIPE_QUANT("first: {weights: 8, activations: 8}, last: {weights: 8, activations: 8}")
#define RECIPE_W8(narrow)                                                                          \
    "quant: {weights: {method: lsq, bits: 8, narrow: " narrow "}, "                                \
    "activations: {method: lsq, bits: 8}}\n"

typedef struct testnet {
    dt_recipe *recipe;
    dt_net net;
    dt_export_source src;
    dt_lower_source low; /* the same, for the lowering */
} testnet;

enum { TESTNET_SIDE = 12, TESTNET_BATCH = 4 };

static inline void testnet_randomize_norms(dt_net *net)
{
    dt_rng rng;
    dt_rng_open(&rng, 3, DT_RNG_TEST, 0, 0);
    for (int i = 0; i < net->graph.node_count; i++) {
        const dt_node *n = &net->graph.node[i];
        if (!n->op->batch_stat) continue;
        for (int64_t c = 0; c < net->graph.value[n->in[DT_BN_GAMMA]].shape.dim[0]; c++) {
            net->state.data[n->in[DT_BN_GAMMA]][c] = (real)(dt_rng_uniform(&rng) * 3 - 1);
            net->state.data[n->in[DT_BN_BETA]][c] = (real)(dt_rng_uniform(&rng) - 0.3);
            net->state.data[n->in[DT_BN_MEAN]][c] = (real)(dt_rng_normal(&rng) * 0.2);
            net->state.data[n->in[DT_BN_VAR]][c] = (real)(dt_rng_uniform(&rng) + 0.2);
        }
    }
}

/* Of convolutions; that of the last layer stays 0, as it starts. */
static inline void testnet_randomize_biases(dt_net *net)
{
    const dt_graph *g = &net->graph;
    dt_rng rng;
    dt_rng_open(&rng, 6, DT_RNG_TEST, 0, 0);
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *n = &g->node[i];
        bool conv = n->op->product && g->value[n->in[n->op->product->w]].shape.rank == 4;
        int bias = conv ? dt_query_bias(n) : -1;
        for (int64_t c = 0; bias >= 0 && c < dt_shape_count(&g->value[bias].shape); c++)
            net->state.data[bias][c] = (real)(dt_rng_normal(&rng) * 0.3);
    }
}

static inline void testnet_calibrate(dt_net *net)
{
    enum { N = TESTNET_BATCH * TESTNET_SIDE * TESTNET_SIDE * 3 };
    float x[N];
    const int32_t labels[TESTNET_BATCH] = { 0, 1, 2, 3 };
    dt_kernels k;
    dt_rng rng;
    dt_rng_open(&rng, 4, DT_RNG_TEST, 0, 0);
    for (int i = 0; i < N; i++)
        x[i] = (float)(dt_rng_uniform(&rng) * 2 - 1);
    ck_assert_int_eq(dt_kernels_init(&k, test_isa, NULL), DT_OK);
    ck_assert_int_eq(
        dt_net_calibrate(net, &k, 1, x, labels, TESTNET_BATCH, true, NULL, NULL, NULL, NULL),
        DT_OK);
}

/* `model`: instead of the recipe's, NULL: the recipe's. */
static inline void testnet_init_model(testnet *t, const char *recipe, const dt_model *model)
{
    dt_error err;
    const dt_recipe_params p = { .tables = &dt_tables, .path = "r.yaml", .text = recipe };
    const dt_net_input input = { TESTNET_SIDE, TESTNET_SIDE, -1, 1 };
    ck_assert_msg(dt_recipe_read(&p, &t->recipe, &err) == DT_OK, "%s", err.text);
    if (model) t->recipe->model.choice.row = &model->row;
    ck_assert_msg(dt_net_init(&t->net, t->recipe, &input, false, NULL, &err) == DT_OK, "%s",
                  err.text);
    testnet_randomize_norms(&t->net);
    testnet_randomize_biases(&t->net);
    if (dt_net_is_quantized(&t->net)) testnet_calibrate(&t->net);
    t->src = (dt_export_source){ .name = "small",
                                 .graph = &t->net.graph,
                                 .state = &t->net.state,
                                 .input = t->net.input,
                                 .logits = t->net.logits };
    t->low = dt_export_lower(&t->src);
}

static inline void testnet_init(testnet *t, const char *recipe)
{
    testnet_init_model(t, recipe, NULL);
}

static inline void testnet_fini(testnet *t)
{
    dt_net_fini(&t->net);
    dt_recipe_free(t->recipe);
}

/* NULL: none. */
static inline const dt_node *testnet_node(const testnet *t, const char *op, const char *name)
{
    for (int i = 0; i < t->net.graph.node_count; i++) {
        const dt_node *n = &t->net.graph.node[i];
        if (strcmp(n->op->name, op) == 0 && strcmp(n->name, name) == 0) return n;
    }
    return NULL;
}

#endif
