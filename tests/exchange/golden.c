/* Golden graphs: small nets around one operation, in every granularity and with awkward grids
 * (golden.h).
 *
 *   golden FOLDER */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/exchange/golden.h"

/* The operation: a conv of these numbers, or another where there is no kernel. */
typedef struct shape {
    const char *name;
    int channels, outputs, kernel, stride, pad, groups;
    bool norm, relu, bias;
} shape;
static const shape shapes[] = {
    { "conv", 7, 5, 3, 1, 1, 1, true, true },
    { "conv-signed", 6, 9, 3, 1, 1, 1, true, false },
    { "conv-plain", 8, 8, 3, 1, 0, 1, false, true }, /* no norm: weights keep their one scale */
    { "conv-stride2", 5, 7, 3, 2, 1, 1, true, true },
    { "conv-bias", 5, 6, 3, 1, 1, 1, true, true, true },
    { "conv-bias-plain", 6, 5, 3, 1, 1, 1, false, true, true },
    { "conv-1x1", 9, 11, 1, 1, 0, 1, true, true },
    { "conv-5x5", 3, 4, 5, 2, 2, 1, true, true },
    { "grouped", 6, 10, 3, 1, 1, 2, true, true },
    { "depthwise", 7, 7, 3, 1, 1, 7, true, true },
    { "depthwise-stride2", 6, 6, 3, 2, 1, 6, true, false },
    { "add", 7, 7, 0, 1, 0, 1, true, true },
    { "maxpool", 5, 5, 0, 2, 1, 1, true, true },
    { "shortcut", 4, 9, 0, 2, 0, 1, true, true },
};

static const format formats[] = {
    { "onnx", "fp32" },      { "qoperator", "fp32" },    { "qonnx", "unfused" },
    { "tflite", "xnnpack" }, { "tflite-ref", "double" }, { "tflite_int4", "double" },
};

static const shape *current; /* of the net that is built */

static int add_operation(dt_builder *b, const shape *s, int x)
{
    if (s->kernel) {
        x = (s->bias ? dt_layer_conv2d_bias : dt_layer_conv2d)(
            b, "op", DT_LAYER_BODY, x, s->outputs, s->kernel, s->stride, s->pad, s->groups);
        if (s->norm) x = dt_layer_batchnorm(b, "op_norm", x);
        return s->relu ? dt_layer_relu(b, "op_relu", x) : x;
    }
    if (strcmp(s->name, "maxpool") == 0)
        return dt_layer_maxpool(b, "op", dt_layer_stream(b, "stem", x), 3, s->stride, s->pad);
    x = dt_layer_stream(b, "stem", x);
    int skip = x;
    if (s->stride > 1) skip = dt_layer_pad_shortcut(b, "op_skip", x, s->outputs, s->stride);
    int y = dt_layer_conv2d(b, "branch", DT_LAYER_BODY, x, s->outputs, 3, s->stride, 1, 1);
    return dt_layer_residual(b, "op", dt_layer_batchnorm(b, "branch_norm", y), skip);
}

static int build(dt_builder *b, const void *conf, int classes, int x)
{
    (void)conf;
    x = dt_layer_conv2d(b, "first", DT_LAYER_FIRST, x, current->channels, 3, 1, 1, 1);
    x = dt_layer_relu(b, "first_relu", dt_layer_batchnorm(b, "first_norm", x));
    x = add_operation(b, current, x);
    x = dt_layer_gap(b, "pool", x);
    return dt_layer_linear(b, "fc", DT_LAYER_LAST, x, classes);
}
static const dt_model model_row = { .row = { "golden", "for tests", NULL, 0 }, .build = build };

static void write_case(const char *folder, const shape *s, bool each, int bits, state how)
{
    char recipe[1024], name[128];
    testnet t;
    current = s;
    make_recipe(recipe, sizeof recipe, each, bits, how);
    snprintf(name, sizeof name, "%s-%s-w%d-%s", s->name, each ? "channel" : "tensor", bits,
             state_name[how]);
    testnet_init_model(&t, recipe, &model_row);
    make_positive(&t);
    apply(&t, how);
    for (size_t i = 0; i < DT_ARRAY_LEN(formats); i++)
        write_format(&t, &formats[i], folder, name);
    testnet_fini(&t);
}

static const char *target_folder;

START_TEST(golden)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(shapes); i++)
        for (int each = 0; each < 2; each++)
            for (int how = 0; how < STATES; how++)
                write_case(target_folder, &shapes[i], each, how % 2 ? 8 : 4, (state)how);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc != 2) return 1;
    target_folder = argv[1];
    Suite *suite = suite_create("golden");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 600);
    tcase_add_test(all, golden);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
