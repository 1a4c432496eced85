/* A recipe's network without its dataset. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_SUPPORT_NETS_H
#define DT_TESTS_SUPPORT_NETS_H

#include "layers/models.h"
#include "tests/support/run.h"
#include "train/net/session.h"

typedef struct test_net {
    dt_recipe *recipe;
    dt_net net;
} test_net;

#define TEST_FLOAT(model) "{model: {name: " model "}, data: {name: builtin}}"
#define TEST_LSQ(model, placement)                                                                 \
    "{model: {name: " model "}, data: {name: builtin}, quant: {placement: " placement              \
    ", weights: {method: lsq, bits: 4}, activations: {method: lsq, bits: 4}}}"

/* What such a model takes. */
static inline dt_net_input test_net_input(const dt_row *model)
{
    dt_net_input input = { .H = 32, .W = 32, .low = -2.5, .high = 2.5 };
    if (((const dt_model *)(const void *)model)->axes == 1) input.shape = DT_SHAPE(1, 64);
    return input;
}

/* `model`: instead of the recipe's, NULL: the recipe's. */
static inline void test_net_open_model(test_net *t, const char *recipe, const dt_model *model,
                                       bool with_grads)
{
    dt_error err = { .status = DT_OK };
    const dt_recipe_params p = { .tables = &dt_tables, .path = "test.yaml", .text = recipe };
    ck_assert_msg(dt_recipe_read(&p, &t->recipe, &err) == DT_OK, "%s", err.text);
    if (model) t->recipe->model.choice.row = &model->row;
    const dt_net_input input = test_net_input(t->recipe->model.choice.row);
    ck_assert_msg(dt_net_init(&t->net, t->recipe, &input, with_grads, NULL, &err) == DT_OK, "%s",
                  err.text);
}

static inline void test_net_open(test_net *t, const char *recipe, bool with_grads)
{
    test_net_open_model(t, recipe, NULL, with_grads);
}

static inline void test_net_close(test_net *t)
{
    dt_net_fini(&t->net);
    dt_recipe_free(t->recipe);
}

/* A parameter's or buffer's storage. */
static inline real *test_net_data(test_net *t, const char *name, int64_t *out_count)
{
    int id = dt_graph_find(&t->net.graph, name);
    ck_assert_msg(id >= 0, "no '%s'", name);
    *out_count = dt_shape_count(&t->net.graph.value[id].shape);
    return t->net.state.data[id];
}

#endif
