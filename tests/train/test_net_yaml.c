/* Networks in YAML: what becomes of a list of layers, and the one line that names what is wrong. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/net/net_yaml.h"

#include <string.h>

#include "autograd/exec.h"
#include "autograd/op_arrange.h"
#include "autograd/op_conv2d.h"
#include "fakequant/choice.h"
#include "tests/support/run.h"

typedef struct built {
    dt_yaml_net *net;
    dt_graph graph;
    int x, y;
} built;

/* Builds a text behind pictures of 8x8 with 3 classes. */
static dt_status build(const char *text, built *t, dt_error *err)
{
    const dt_value picture = {
        .name = "input", .kind = DT_VALUE_INPUT, .batched = true, .shape = DT_SHAPE(1, 8, 8, 3)
    };
    *t = (built){ .y = -1 };
    ck_assert_int_eq(dt_graph_init(&t->graph, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_graph_value(&t->graph, &picture, &t->x, NULL), DT_OK);
    ck_assert_int_eq(dt_graph_port(&t->graph, DT_PORT_INPUT, "input", t->x, NULL), DT_OK);
    dt_builder b = { .graph = &t->graph, .err = err };
    DT_TRY(dt_yaml_net_open_text("n.yaml", text, strlen(text), NULL, &t->net, err));
    return dt_yaml_net_build(t->net, &b, t->x, 3, &t->y, NULL, NULL, err);
}

static void end(built *t)
{
    dt_yaml_net_close(t->net);
    dt_graph_fini(&t->graph);
}

static const dt_value *value_of(const built *t, const char *name)
{
    int v = dt_graph_find(&t->graph, name);
    ck_assert_msg(v >= 0, "no '%s'", name);
    return &t->graph.value[v];
}

static const char whole[] =
    "classes: 7\n"
    "layers:\n"
    "- {name: stem.conv, op: conv2d, out: 4, kernel: 3, stride: 2, same: true, bias: false}\n"
    "- {name: stem.bn, op: batchnorm, eps: 0.001}\n"
    "- {op: relu}\n"
    "- {name: dw, op: conv2d, out: 4, kernel_h: 1, kernel_w: 5, pad_w: 2, groups: 4}\n"
    "- {name: down, op: conv2d, from: relu_3, out: 4}\n"
    "- {name: sum, op: add, from: [dw, down]}\n"
    "- {name: lr, op: leaky_relu, alpha: 0.25}\n"
    "- {name: pr, op: prelu, shared: false}\n"
    "- {op: gap}\n"
    "- {name: fc, op: linear, out: classes}\n";

START_TEST(layers_have_names_shapes_starts_and_roles)
{
    built t;
    dt_state state;
    dt_error err = { .text = "" };
    ck_assert_msg(build(whole, &t, &err) == DT_OK, "%s", err.text);
    ck_assert_int_eq(dt_yaml_net_classes(t.net), 7);
    ck_assert(dt_shape_equal(&t.graph.value[t.y].shape, &DT_SHAPE(1, 3)));
    ck_assert(dt_shape_equal(&value_of(&t, "stem.conv.weight")->shape, &DT_SHAPE(4, 3, 3, 3)));
    ck_assert(dt_shape_equal(&value_of(&t, "dw.weight")->shape, &DT_SHAPE(4, 1, 5, 1)));
    ck_assert(dt_shape_equal(&value_of(&t, "pr.weight")->shape, &DT_SHAPE(4)));
    ck_assert_int_eq(dt_graph_find(&t.graph, "stem.conv.bias"), -1);
    const dt_conv2d_conf *c = t.graph.node[0].conf;
    ck_assert_int_eq(c->pad_h, 0); /* 8 rows at stride 2: one zero, below */
    ck_assert_int_eq(c->more_h, 1);
    ck_assert_int_eq(t.graph.node[0].role, DT_LAYER_FIRST);
    ck_assert_int_eq(t.graph.node[t.graph.node_count - 1].role, DT_LAYER_LAST);
    ck_assert_int_eq(dt_state_init(&state, &t.graph, false, 1, NULL, &err), DT_OK);
    const real *w = state.data[dt_graph_find(&t.graph, "stem.conv.weight")];
    double bound = 1 / sqrt(27.0), largest = 0;
    for (int i = 0; i < 4 * 27; i++)
        largest = fmax(largest, fabs((double)w[i]));
    ck_assert(largest <= bound && largest > 0.8 * bound);
    ck_assert(state.data[dt_graph_find(&t.graph, "pr.weight")][3] == (real)0.25);
    ck_assert(state.data[dt_graph_find(&t.graph, "fc.bias")][0] != 0);
    dt_state_fini(&state);
    end(&t);
}
END_TEST

/* Layers behind a convolution of 4 channels "a" and its ReLU "r". */
#define BEHIND "layers:\n- {name: a, op: conv2d, out: 4}\n- {name: r, op: relu}\n"
static const struct {
    const char *text, *words;
} refusals[] = {
    { "[1]\n", "n.yaml:1: a network is a map with the list 'layers'" },
    { "layers: []\n", "n.yaml:1: layers: 'layers' must be a list of layers" },
    { "layer: []\n", "n.yaml:1: layer: unknown key, did you mean 'layers'?" },
    { BEHIND "- {op: power, exponent: 1.5}\n", "exponent 1.5 is no whole number" },
    { BEHIND "- {op: power, exponent: 0}\n", "exponent 0 is no whole number" },
    { BEHIND "- {op: conv2d, out: 2, dilation: 0}\n", "0 is outside 1..1024" },
    { BEHIND "- relu\n", "n.yaml:4: layers.2: must be a map with op" },
    { BEHIND "- {name: x}\n", "n.yaml:4: layers.2: has no op" },
    { BEHIND "- {op: rleu}\n", "no layer is called 'rleu', did you mean 'relu'?" },
    { BEHIND "- {op: fakequant}\n", "no layer is called 'fakequant'" },
    { BEHIND "- {op: conv2d, out: 4, strde: 2}\n", "strde: unknown key, did you mean 'stride'?" },
    { BEHIND "- {op: relu, alpha: 2}\n", "alpha: unknown key; there are: name, op, from" },
    { BEHIND "- {op: conv2d}\n", "'conv2d' needs out" },
    { BEHIND "- {op: conv2d, out: 0}\n", "must be at least 1" },
    { BEHIND "- {op: conv2d, out: 4, kernel: x}\n", "x is not a whole number in 1..1024" },
    { BEHIND "- {op: conv2d, out: 4, kernel: classes}\n", "classes is not a whole number" },
    { BEHIND "- {name: a, op: relu}\n", "'a' is the layer of line 2 already" },
    { BEHIND "- {name: input, op: relu}\n", "'input' is the picture's name" },
    { BEHIND "- {name: 'a b', op: relu}\n", "is no name of a layer" },
    { BEHIND "- {op: relu, from: b}\n", "'b' is no layer before this one" },
    { BEHIND "- {name: s, op: add, from: [s, a]}\n", "'s' is no layer before this one" },
    { BEHIND "- {op: add}\n", "'add' reads 2 to 2 layers, not 1" },
    { BEHIND "- {op: add, from: [a, input]}\n", "n.yaml:4: layers.2: add" },
    { BEHIND "- {op: linear, out: classes}\n", "the output is [1,8,8,3]" },
    { BEHIND "- {op: gap}\noutput: b\n", "output: names no layer" },
    { BEHIND "- {op: gap}\noutputs: [b]\n", "outputs.0: names no layer" },
    { BEHIND "- {op: gap}\noutputs: []\n", "outputs: must be 1 to 8 outputs" },
    { BEHIND "- {name: g, op: gap}\noutputs: g\n", "outputs: must be 1 to 8 outputs" },
    { BEHIND "- {name: g, op: gap}\noutputs: {a: g, b: g}\n", "names layer 'g' twice" },
    { BEHIND "- {name: g, op: gap}\noutputs: {'a b': g}\n", "is no name of an output" },
    { BEHIND "- {name: g, op: gap}\noutputs: {a: g}\noutput: g\n", "stands beside output" },
    { BEHIND "- {name: g, op: gap}\noutputs: [g, r]\n", "outputs.1: the output is [1,8,8,4]" },
    { BEHIND "- {op: conv2d, out: 5, groups: 2}\n", "groups that do not divide" },
};

START_TEST(what_is_wrong_is_named)
{
    built t;
    dt_error err = { .text = "" };
    ck_assert_int_ne(build(refusals[_i].text, &t, &err), DT_OK);
    ck_assert_msg(strstr(err.text, refusals[_i].words) != NULL, "%s", err.text);
    ck_assert_ptr_null(strchr(err.text, '\n'));
    end(&t);
}
END_TEST

/* Several outputs have ports, in their order, and each ends in a last layer. */
START_TEST(outputs_have_names)
{
    built t;
    dt_error err = { .text = "" };
    ck_assert_msg(build(BEHIND
                        "- {name: g, op: gap}\n- {name: f, op: linear, out: classes}\n"
                        "- {name: h, op: linear, out: 2, from: g}\noutputs: {box: h, kind: f}\n",
                        &t, &err) == DT_OK,
                  "%s", err.text);
    ck_assert_int_eq(dt_yaml_net_outputs(t.net), 2);
    ck_assert_int_eq(dt_graph_output(&t.graph, 0), t.y);
    ck_assert(dt_shape_equal(&t.graph.value[t.y].shape, &DT_SHAPE(1, 2)));
    ck_assert_str_eq(dt_graph_port_name(&t.graph, dt_graph_output(&t.graph, 1), ""), "kind");
    ck_assert_int_eq(dt_graph_output(&t.graph, 2), -1);
    ck_assert_int_eq(dt_graph_outputs(&t.graph), 5);
    for (int i = 1; i <= 2; i++)
        ck_assert_int_eq(t.graph.node[t.graph.node_count - i].role, DT_LAYER_LAST);
    end(&t);
}
END_TEST

/* What moves elements: shapes, and where they come from. */
START_TEST(moves_have_shapes)
{
    static const char text[] = "layers:\n"
                               "- {op: pad, pad: 1, bottom: 2, mode: reflect}\n"
                               "- {op: nearest, factor: 2, width: 12}\n"
                               "- {op: conv2d, out: 8}\n"
                               "- {name: turns, op: channel_shuffle, groups: 4}\n"
                               "- {op: pixel_shuffle}\n"
                               "- {op: pixel_unshuffle, block: 4}\n"
                               "- {op: slice, part: 3, parts: 4}\n"
                               "- {op: resample, height: 5, width: 3, cubic: true}\n"
                               "- {op: gap}\n"
                               "- {op: linear, out: 7}\n";
    static const dt_shape want[] = { { 4, { 1, 11, 10, 3 } }, { 4, { 1, 22, 12, 3 } },
                                     { 4, { 1, 22, 12, 8 } }, { 4, { 1, 22, 12, 8 } },
                                     { 4, { 1, 44, 24, 2 } }, { 4, { 1, 11, 6, 32 } },
                                     { 4, { 1, 11, 6, 8 } },  { 4, { 1, 5, 3, 8 } } };
    built t;
    dt_error err = { .text = "" };
    ck_assert_msg(build(text, &t, &err) == DT_OK, "%s", err.text);
    for (size_t i = 0; i < DT_ARRAY_LEN(want); i++)
        ck_assert(dt_shape_equal(&t.graph.value[t.graph.node[i].out[0]].shape, &want[i]));
    const dt_arrange_conf *c = t.graph.node[3].conf;
    ck_assert_int_eq(c->loop[3].step, 2); /* channels 0, 2, 4, 6, 1, ... */
    c = t.graph.node[6].conf;
    ck_assert_int_eq(c->first[3], 24);
    end(&t);
}
END_TEST

/* Sizes are those of torch.nn.MaxPool2d(kernel, stride, padding, ceil_mode=True). */
START_TEST(pooling_rounds_up)
{
    static const struct {
        const char *keys;
        int64_t rows;
    } cases[] = { { "kernel: 3, stride: 2", 3 },
                  { "kernel: 3, stride: 2, ceil: true", 4 },
                  { "kernel: 2, stride: 3, ceil: true", 3 },
                  { "kernel: 2, stride: 7, ceil: true", 2 },
                  { "kernel: 3, stride: 2, pad: 1, ceil: true", 5 },
                  { "kernel: 2, ceil: true", 4 },
                  { "kernel: 1, stride: 8, ceil: true", 1 } };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        char text[256];
        built t;
        dt_error err = { .text = "" };
        snprintf(text, sizeof text,
                 "layers:\n- {op: maxpool, %s}\n- {name: s, op: layer_scale}\n- {op: gap}\n"
                 "- {op: linear, out: 7}\n",
                 cases[i].keys);
        ck_assert_msg(build(text, &t, &err) == DT_OK, "%s", err.text);
        ck_assert_int_eq(t.graph.value[t.graph.node[0].out[0]].shape.dim[1], cases[i].rows);
        ck_assert(dt_shape_equal(&value_of(&t, "s.gamma")->shape, &DT_SHAPE(3)));
        end(&t);
    }
}
END_TEST

/* Each concat doubles the channels: numbers end before sizes overflow. */
START_TEST(values_have_an_end)
{
    char text[8192] = "layers:\n- {name: l0, op: relu}\n";
    built t;
    dt_error err = { .text = "" };
    for (int i = 1; i < 80; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "- {name: l%d, op: concat, from: [l%d, l%d]}\n",
                 i, i - 1, i - 1);
    }
    ck_assert_int_ne(build(text, &t, &err), DT_OK);
    ck_assert_msg(strstr(err.text, "more than 8589934592 numbers") != NULL, "%s", err.text);
    end(&t);
}
END_TEST

int main(int argc, char **argv)
{
    int status = test_start(argc, argv);
    if (status) return status;
    Suite *suite = suite_create("net_yaml");
    TCase *all = tcase_create("all");
    tcase_add_test(all, layers_have_names_shapes_starts_and_roles);
    tcase_add_test(all, outputs_have_names);
    tcase_add_test(all, moves_have_shapes);
    tcase_add_test(all, pooling_rounds_up);
    tcase_add_loop_test(all, what_is_wrong_is_named, 0, DT_ARRAY_LEN(refusals));
    tcase_add_test(all, values_have_an_end);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
