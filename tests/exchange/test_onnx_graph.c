/* ONNX files as graphs: names, roles, padding, axes, folded shapes; and what is refused, with which
 * words. That values are right, tests/e2e/onnx.py asks onnxruntime. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "autograd/op_conv2d.h"
#include "fakequant/choice.h"
#include "tests/exchange/onnx_make.h"

/* x -> conv 3x3 -> relu -> [pad, conv] + [1x1 conv] -> relu -> mean -> gemm. */
static unsigned char *residual(size_t *size)
{
    static const int64_t pads[] = { 0, 0, 0, 0, 0, 0, 1, 1 };
    const dt_onnx_attr one[] = { { .name = "pads", .count = 4, .ints = { 1, 1, 1, 1 } },
                                 { .name = NULL } };
    const dt_onnx_attr two[] = { { .name = "strides", .count = 2, .ints = { 2, 2 } },
                                 { .name = NULL } };
    const dt_onnx_attr trans[] = { { .name = "transB", .i = 1 }, { .name = NULL } };
    dt_onnx *m = make_open();
    make_reals(m, "stem.weight", DT_SHAPE(4, 3, 3, 3));
    make_reals(m, "stem.bias", DT_SHAPE(4));
    make_reals(m, "onnx::Conv_7", DT_SHAPE(5, 4, 3, 3));
    make_reals(m, "mid.weight", DT_SHAPE(5, 5, 1, 1));
    make_reals(m, "down.weight", DT_SHAPE(5, 4, 1, 1));
    make_reals(m, "fc.weight", DT_SHAPE(10, 5));
    make_reals(m, "fc.bias", DT_SHAPE(10));
    make_wholes(m, "pads", 8, pads);
    make_node(m, "Conv", "/stem/Conv", one, "x", "stem.weight", "stem.bias", NULL);
    make_node(m, "Relu", "/Relu", NULL, "/stem/Conv", NULL, NULL, NULL);
    make_node(m, "Pad", "/layer1/layer1.0/Pad", NULL, "/Relu", "pads", NULL, NULL);
    make_node(m, "Conv", "/layer1/layer1.0/conv1/Conv", two, "/layer1/layer1.0/Pad", "onnx::Conv_7",
              NULL, NULL);
    make_node(m, "Conv", "/mid/Conv", NULL, "/layer1/layer1.0/conv1/Conv", "mid.weight", NULL,
              NULL);
    make_node(m, "Conv", "/down/Conv", two, "/Relu", "down.weight", NULL, NULL);
    make_node(m, "Add", "/Add", NULL, "/mid/Conv", "/down/Conv", NULL, NULL);
    make_node(m, "Relu", "/Relu_1", NULL, "/Add", NULL, NULL, NULL);
    make_node(m, "GlobalAveragePool", "/pool", NULL, "/Relu_1", NULL, NULL, NULL);
    make_node(m, "Flatten", "/flat", NULL, "/pool", NULL, NULL, NULL);
    make_node(m, "Gemm", "y", trans, "/flat", "fc.weight", "fc.bias", NULL);
    return make_close(m, 10, size);
}

START_TEST(a_residual_net_has_names_roles_and_streams)
{
    made t;
    size_t size;
    dt_error err = { .text = "" };
    unsigned char *bytes = residual(&size);
    ck_assert_msg(made_open(&t, bytes, size, &err) == DT_OK, "%s", err.text);
    ck_assert_int_eq(dt_onnx_net_classes(t.net), 10);
    ck_assert_int_eq(made_node(&t, "stem")->role, DT_LAYER_FIRST);
    ck_assert_int_eq(made_node(&t, "layer1.0.conv1")->role, DT_LAYER_BODY);
    ck_assert_int_eq(made_node(&t, "mid")->role, DT_LAYER_BODY);
    ck_assert_int_eq(made_node(&t, "down")->role, DT_LAYER_SHORTCUT);
    ck_assert_int_eq(made_node(&t, "fc")->role, DT_LAYER_LAST);
    ck_assert_ptr_null(made_node(&t, "Relu")->stream); /* no sum reads it */
    ck_assert_int_eq(made_node(&t, "stem")->in_count, 3);
    ck_assert_str_eq(t.graph.value[made_node(&t, "stem")->in[2]].name, "stem.bias");
    dt_shape s = t.graph.value[made_node(&t, "layer1.0.conv1")->out[0]].shape;
    ck_assert(dt_shape_equal(&s, &DT_SHAPE(1, 4, 4, 5)));
    const dt_conv2d_conf *c = made_node(&t, "layer1.0.conv1")->conf;
    ck_assert_int_eq(c->pad_h, 0);
    ck_assert_int_eq(c->more_h, 1);
    ck_assert_int_eq(c->more_w, 1);
    ck_assert(dt_shape_equal(&t.graph.value[t.y].shape, &DT_SHAPE(1, 10)));
    /* [O,I,KH,KW] there, [O,KH,KW,I] here. */
    const float *w = dt_onnx_net_values(t.net, "stem.weight");
    ck_assert_float_eq_tol(w[1], 0.10f, 1e-6); /* o 0, kh 0, kw 0, i 1 */
    ck_assert_ptr_null(dt_onnx_net_values(t.net, "mid.bias"));
    made_close(&t);
    dt_put(NULL, bytes);
}
END_TEST

/* What both exporters write for x.view(x.size(0), -1), and shared weights under another transB. */
START_TEST(shapes_are_folded_and_weights_shared)
{
    static const int64_t zero[] = { 0 }, rest[] = { -1 };
    const dt_onnx_attr first[] = { { .name = "axis", .i = 0 }, { .name = NULL } };
    const dt_onnx_attr trans[] = { { .name = "transB", .i = 1 }, { .name = NULL } };
    dt_onnx *m = make_open();
    make_reals(m, "w", DT_SHAPE(3, 3));
    make_wholes(m, "zero", 1, zero);
    make_wholes(m, "rest", 1, rest);
    make_node(m, "GlobalAveragePool", "p", NULL, "x", NULL, NULL, NULL);
    make_node(m, "Shape", "s", NULL, "p", NULL, NULL, NULL);
    make_node(m, "Gather", "n", first, "s", "zero", NULL, NULL);
    make_node(m, "Concat", "shape", first, "n", "rest", NULL, NULL);
    make_node(m, "Reshape", "r", NULL, "p", "shape", NULL, NULL);
    make_node(m, "Gemm", "a", trans, "r", "w", NULL, NULL);
    make_node(m, "Gemm", "b", trans, "a", "w", NULL, NULL);
    make_node(m, "Identity", "c", NULL, "b", NULL, NULL, NULL);
    make_node(m, "MatMul", "y", NULL, "c", "w", NULL, NULL);
    size_t size;
    unsigned char *bytes = make_close(m, 3, &size);
    made t;
    dt_error err = { .text = "" };
    ck_assert_msg(made_open(&t, bytes, size, &err) == DT_OK, "%s", err.text);
    ck_assert_int_eq(t.graph.node_count, 4);
    ck_assert_int_eq(made_node(&t, "a")->in[1], made_node(&t, "b")->in[1]);
    ck_assert_float_eq_tol(dt_onnx_net_values(t.net, "y.weight")[1], 0.04f, 1e-6);
    made_close(&t);
    dt_put(NULL, bytes);
}
END_TEST

/* One node between the picture and a mean; the words of the refusal. */
static const struct {
    const char *op, *in[3];
    const dt_onnx_attr attr[3];
    const char *words, *at; /* at: the node that says it, NULL: this one */
} refusals[] = {
    { "Erf", { "x" }, { { .name = NULL } }, "Erf: there is no form for this operator" },
    { "com.microsoft:Gelu", { "x" }, { { .name = NULL } }, "of the domain com.microsoft" },
    { "Conv", { "x", "real" }, { { .name = NULL } }, "its weight has no 4 dimensions" },
    { "Conv", { "x", "x" }, { { .name = NULL } }, "is computed; it is read where it is constant" },
    { "Conv", { "x", "w", "real" }, { { .name = NULL } }, "its bias has not 3 elements" },
    { "Conv", { "x", "w" }, { { .name = "group", .i = 0 } }, "its groups are not read" },
    { "Conv",
      { "x", "w" },
      { { .name = "pads", .count = 2, .ints = { 1, 1 } } },
      "'pads' has 2 numbers; 4 are read" },
    { "Conv",
      { "x", "w" },
      { { .name = "strides", .count = 2, .ints = { 0, 1 } } },
      "'strides' has 0" },
    { "Conv", { "nothing", "w" }, { { .name = NULL } }, "'nothing' is made by no node before it" },
    { "Clip", { "x", "real", "real" }, { { .name = NULL } }, "limits 1..1" },
    { "Add", { "x", "p" }, { { .name = NULL } }, "made by no node before it" },
    { "Transpose",
      { "x" },
      { { .name = "perm", .count = 4, .ints = { 1, 0, 2, 3 } } },
      "N alone",
      "p" },
    { "Transpose",
      { "x" },
      { { .name = "perm", .count = 4, .ints = { 0, 2, 2, 3 } } },
      "'perm' has an axis twice" },
    { "Reshape",
      { "x", "wholes" },
      { { .name = NULL } },
      "the first dimension of its input is",
      "p" },
    { "Reshape", { "x", "five" }, { { .name = NULL } }, "does not hold 192 elements" },
    { "Slice", { "x", "wholes", "wholes" }, { { .name = NULL } }, "at least one is read" },
    { "Split", { "x", "wholes" }, { { .name = NULL } }, "2 sizes for 1 outputs" },
    { "Split", { "x", "five" }, { { .name = "axis", .i = 1 } }, "has 5 of 3 elements" },
    { "GroupNormalization",
      { "x", "row", "row" },
      { { .name = "num_groups", .i = 2 } },
      "3 channels are not 2 groups" },
    { "GroupNormalization", { "x", "row", "row" }, { { .name = NULL } }, "are not -1 groups" },
    { "InstanceNormalization",
      { "x", "row", "real" },
      { { .name = NULL } },
      "input 2 has 1 elements" },
    { "LayerNormalization",
      { "x", "row" },
      { { .name = "axis", .i = 1 } },
      "it is over 3 dimensions" },
    { "LayerNormalization", { "x", "row" }, { { .name = NULL } }, "input 1 has not 8 elements" },
    { "Gather", { "x", "five" }, { { .name = NULL } }, "index 5 is outside of 1" },
    { "Gather", { "x", "wholes" }, { { .name = "axis", .i = 2 } }, "index 64 is outside of 8" },
    { "Reshape", { "x", "real" }, { { .name = NULL } }, "whole ones are wanted" },
    { "Pad", { "x", "wholes" }, { { .name = NULL } }, "'pads' is no list of two numbers" },
    { "Pad", { "x" }, { { .name = "mode", .text = "mirror" } }, "mode 'mirror' is not read" },
    { "MaxPool",
      { "x" },
      { { .name = "kernel_shape", .count = 2, .ints = { 2, 3 } },
        { .name = "dilations", .count = 2, .ints = { 2, 1 } } },
      "dilations of 2 and 1 are not read" },
    { "MaxPool",
      { "x" },
      { { .name = "kernel_shape", .count = 2, .ints = { 2, 3 } },
        { .name = "pads", .count = 4, .ints = { 2, 0, 0, 0 } } },
      "it pads 2 and 0, no less than its window of 2" },
    { "MaxPool",
      { "x" },
      { { .name = "kernel_shape", .count = 3, .ints = { 2, 2, 2 } } },
      "'kernel_shape' has 3 numbers" },
    { "AveragePool",
      { "x" },
      { { .name = "kernel_shape", .count = 2, .ints = { 2, 60000 } } },
      "its window of 2x60000 is larger than its input" },
    { "AveragePool",
      { "x" },
      { { .name = "kernel_shape", .count = 2, .ints = { 2, 2 } },
        { .name = "strides", .count = 2, .ints = { 0, 1 } } },
      "'strides' has 0" },
    { "AveragePool",
      { "lowest" },
      { { .name = "kernel_shape", .count = 2, .ints = { 3, 3 } } },
      "padded with -inf" },
    { "Conv", { "lowest", "w" }, { { .name = NULL } }, "padded with -inf" },
    { "Relu", { "lowest" }, { { .name = NULL } }, "which only poolings take in" },
    { "Resize", { "x", "", "row" }, { { .name = NULL } }, "no factor and no size for each" },
    { "Resize",
      { "x", "", "sides" },
      { { .name = "mode", .text = "linear" }, { .name = "antialias", .i = 1 } },
      "antialias and exclude_outside are not read" },
    { "Resize",
      { "x", "", "sides" },
      { { .name = "coordinate_transformation_mode", .text = "tf_crop_and_resize" } },
      "coordinates 'tf_crop_and_resize' are not read" },
    { "DepthToSpace", { "x" }, { { .name = "blocksize", .i = 2 } }, "3 channels are no blocks" },
    { "SpaceToDepth", { "x" }, { { .name = "blocksize", .i = 3 } }, "8x8 pixels are no blocks" },
    { "Expand", { "x", "wholes" }, { { .name = NULL } }, "does not fit 8 elements of dimension 2" },
    { "ReduceMax",
      { "x" },
      { { .name = "axes", .count = 1, .ints = { 0 } } },
      "it is over the batch" },
    { "PRelu", { "x", "w" }, { { .name = NULL } }, "neither one nor one for each channel" },
    { "PRelu", { "x", "x" }, { { .name = NULL } }, "it is read where it is constant" },
    { "ReduceMean",
      { "x" },
      { { .name = "axes", .count = 1, .ints = { 0 } } },
      "it is over the batch" },
    { "Gemm", { "x", "w" }, { { .name = NULL } }, "no weight of 2 dimensions" },
    { "Cast", { "" }, { { .name = "to", .i = 7 } }, "input 0 is left out" },
    { "Div", { "real", "" }, { { .name = NULL } }, "input 1 is left out" },
    { "BatchNormalization", { "x", "real", "real" }, { { .name = NULL } }, "3 inputs; 5 to 5" },
};

START_TEST(what_is_not_read_is_named)
{
    static const int64_t wholes[] = { 3, 64 }, pads[] = { 0, 0, 1, 1, 0, 0, 1, 1 }, five[] = { 5 };
    dt_onnx *m = make_open();
    make_reals(m, "w", DT_SHAPE(3, 3, 1, 1));
    make_real(m, "real", 1);
    make_real(m, "least", -INFINITY);
    make_wholes(m, "wholes", 2, wholes);
    make_wholes(m, "pads", 8, pads);
    make_node(m, "Pad", "lowest", NULL, "x", "pads", "least", NULL);
    make_wholes(m, "five", 1, five);
    make_reals(m, "row", DT_SHAPE(3));
    dt_onnx_constant(m, "sides", DT_ONNX_FLOAT, &DT_SHAPE(4), (const float[]){ 1, 1, 2, 2 });
    dt_onnx_node(
        m, refusals[_i].op,
        (const char *[]){ refusals[_i].in[0], refusals[_i].in[1], refusals[_i].in[2], NULL },
        "node7", refusals[_i].attr);
    make_node(m, "GlobalAveragePool", "p", NULL, "node7", NULL, NULL, NULL);
    make_node(m, "Flatten", "y", NULL, "p", NULL, NULL, NULL);
    size_t size;
    unsigned char *bytes = make_close(m, 3, &size);
    made t;
    dt_error err = { .text = "" };
    ck_assert_int_eq(made_open(&t, bytes, size, &err), DT_ERR_UNSUPPORTED);
    char begins[64];
    snprintf(begins, sizeof begins, "net.onnx: %s: ", refusals[_i].at ? refusals[_i].at : "node7");
    ck_assert_msg(strncmp(err.text, begins, strlen(begins)) == 0, "%s", err.text);
    ck_assert_msg(strstr(err.text, refusals[_i].words) != NULL, "%s", err.text);
    made_close(&t);
    dt_put(NULL, bytes);
}
END_TEST

/* Whatever a file says, reading it ends with a word. */
START_TEST(damaged_files_are_refused)
{
    size_t size;
    unsigned char *bytes = residual(&size);
    for (size_t n = 0; n < size; n++) {
        made t;
        dt_error err = { .text = "" };
        if (made_open(&t, bytes, n, &err) != DT_OK)
            ck_assert_msg(strncmp(err.text, "net.onnx: ", 10) == 0, "%zu: %s", n, err.text);
        made_close(&t);
    }
    for (size_t n = 0; n < size; n += 3) {
        made t;
        dt_error err = { .text = "" };
        bytes[n] ^= 0x15;
        if (made_open(&t, bytes, size, &err) != DT_OK) ck_assert_ptr_null(strchr(err.text, '\n'));
        bytes[n] ^= 0x15;
        made_close(&t);
    }
    dt_put(NULL, bytes);
}
END_TEST

/* A chain of thousands of nodes is read in a moment: names are found by hash. */
START_TEST(five_thousand_nodes_are_read)
{
    enum { NODES = 5000 };
    char from[32] = "x", to[32];
    dt_onnx *m = make_open();
    for (int i = 0; i < NODES; i++) {
        snprintf(to, sizeof to, "node%d", i);
        make_node(m, "Relu", to, NULL, from, NULL, NULL, NULL);
        memcpy(from, to, sizeof from);
    }
    make_node(m, "GlobalAveragePool", "p", NULL, from, NULL, NULL, NULL);
    make_node(m, "Flatten", "y", NULL, "p", NULL, NULL, NULL);
    size_t size;
    unsigned char *bytes = make_close(m, 3, &size);
    made t;
    dt_error err = { .text = "" };
    ck_assert_msg(made_open(&t, bytes, size, &err) == DT_OK, "%s", err.text);
    ck_assert_int_eq(t.graph.node_count, NODES + 1);
    made_close(&t);
    dt_put(NULL, bytes);
}
END_TEST

/* A few bytes a node, and 16 MiB of numbers. */
START_TEST(constants_that_fill_memory_are_refused)
{
    enum { NODES = 200 };
    static const int64_t many[] = { 1 << 22 };
    char name[32];
    dt_onnx *m = make_open();
    make_wholes(m, "many", 1, many);
    for (int i = 0; i < NODES; i++) {
        snprintf(name, sizeof name, "zeros%d", i);
        make_node(m, "ConstantOfShape", name, NULL, "many", NULL, NULL, NULL);
    }
    make_node(m, "GlobalAveragePool", "p", NULL, "x", NULL, NULL, NULL);
    make_node(m, "Flatten", "y", NULL, "p", NULL, NULL, NULL);
    size_t size;
    unsigned char *bytes = make_close(m, 3, &size);
    made t;
    dt_error err = { .text = "" };
    ck_assert_int_eq(made_open(&t, bytes, size, &err), DT_ERR_UNSUPPORTED);
    ck_assert_msg(strstr(err.text, "with those before it of more than 67108864"), "%s", err.text);
    made_close(&t);
    dt_put(NULL, bytes);
}
END_TEST

int main(int argc, char **argv)
{
    int status = test_start(argc, argv);
    if (status) return status;
    Suite *suite = suite_create("onnx_graph");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_test(all, a_residual_net_has_names_roles_and_streams);
    tcase_add_test(all, shapes_are_folded_and_weights_shared);
    tcase_add_loop_test(all, what_is_not_read_is_named, 0, DT_ARRAY_LEN(refusals));
    tcase_add_test(all, damaged_files_are_refused);
    tcase_add_test(all, five_thousand_nodes_are_read);
    tcase_add_test(all, constants_that_fill_memory_are_refused);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
