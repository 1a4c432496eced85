/* C exports, compiled with all warnings and the sanitizer of undefined behaviour, test themselves:
 * the codes of every node are those of the reference executor. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/c99/c_write.h"
#include "tests/integer/models.h"
#include "tests/support/run.h"
#include "tests/support/tempdir.h"

static const dt_exporter *exporter(void)
{
    return dt_exporter_of(dt_table_find(&dt_exporters, "c"));
}

/* `conf`: 2 strings, as the row's options. */
static dt_status write_c(const testnet *t, const char *rounding, const char *prefix,
                         const char *path, dt_export_report *report, dt_error *err)
{
    const dt_exporter *e = exporter();
    void *conf = dt_get(NULL, e->row.conf_size, "test");
    dt_opt_defaults(e->row.opts, conf);
    const char *keys[] = { "rounding", "prefix" }, *values[] = { rounding, prefix };
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(dt_opt_set(dt_opt_find(e->row.opts, keys[i]), conf, values[i], NULL, NULL),
                         DT_OK);
    dt_status st = e->write(&t->src, conf, path, report, err);
    dt_put(NULL, conf);
    return st;
}

typedef struct build {
    tempdir dir; /* file: net.c */
    char header[96], main[96], program[96];
} build;

static void build_init(build *b, const char *text)
{
    tempdir_init(&b->dir, "net.c");
    snprintf(b->header, sizeof b->header, "%s/net.h", b->dir.folder);
    snprintf(b->main, sizeof b->main, "%s/main.c", b->dir.folder);
    snprintf(b->program, sizeof b->program, "%s/main", b->dir.folder);
    FILE *f = fopen(b->main, "w");
    fputs(text, f);
    fclose(f);
}

static void build_fini(const build *b)
{
    remove(b->header);
    remove(b->main);
    remove(b->program);
    tempdir_fini(&b->dir);
}

/* Compiles main.c (which includes net.c) and runs it; its exit status. */
static int run_program(const build *b)
{
    char command[640];
    snprintf(command, sizeof command,
             "cc -std=c99 -Wall -Wextra -Wpedantic -Werror -O1 -fsanitize=undefined "
             "-fno-sanitize-recover=all -o %s %s && %s",
             b->program, b->main, b->program);
    fflush(stdout);
    int status = system(command);
    return status == -1 ? -1 : status / 256;
}

#define SELF_TEST                                                                                  \
    "#define NET_SELF_TEST\n#include \"net.c\"\n#include <stdio.h>\n"                              \
    "int main(void)\n{\n    int wrong = (int)net_self_test();\n"                                   \
    "    if (wrong) printf(\"node %d differs\\n\", wrong - 1);\n    return wrong != 0;\n}\n"

static void expect_same(const testnet *t, const char *rounding)
{
    build b;
    dt_error err = { .text = "" };
    build_init(&b, SELF_TEST);
    ck_assert_msg(write_c(t, rounding, "net", b.dir.file, NULL, &err) == DT_OK, "%s", err.text);
    ck_assert_msg(run_program(&b) == 0, "rounding %s", rounding);
    build_fini(&b);
}

START_TEST(all_roundings_compute_the_model)
{
    testnet t;
    testnet_init_model(&t, RECIPE_SMALL RECIPE_BITS("3"), &odd_model);
    for (const dt_contract *c = dt_contracts; c->name; c++)
        expect_same(&t, c->name);
    testnet_fini(&t);
}
END_TEST

START_TEST(nets_and_weights_of_all_kinds)
{
    static const struct {
        const char *recipe, *rounding;
    } nets[] = {
        { RECIPE_RESNET RECIPE_W4A4, "fp32" },
        { RECIPE_SMALL RECIPE_W8("yes"), "double" },
        { RECIPE_SMALL
          "quant: {weights: {method: apot, bits: 4}, activations: {method: lsq, bits: 3}, "
          "first: {weights: {method: maxabs, bits: 8}, activations: 8}, "
          "last: {weights: {method: maxabs, bits: 8}, activations: 8}}\n",
          "single" },
        { RECIPE_SMALL
          "quant: {weights: {method: dorefa, bits: 2}, activations: {method: lsq, bits: 2}, "
          "first: {weights: {method: maxabs, bits: 8}, activations: 8}, "
          "last: {weights: {method: maxabs, bits: 8}, activations: 8}}\n",
          "fp32" },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(nets); i++) {
        testnet t;
        testnet_init(&t, nets[i].recipe);
        expect_same(&t, nets[i].rounding);
        testnet_fini(&t);
    }
}
END_TEST

/* A norm folded in training has its sign in the codes, the lowest of which has no negative. */
START_TEST(the_lowest_code_of_a_folded_norm_is_kept)
{
    testnet t;
    testnet_init(&t, RECIPE_SMALL
                 "quant: {fold_norm: true, weights: {method: lsq, bits: 8, narrow: no}, "
                 "activations: {method: lsq, bits: 8}}\n");
    const dt_node *bn = testnet_node(&t, "batchnorm", "bn2");
    const dt_node *site = testnet_node(&t, "fakequant", "conv2.weight_quant");
    int64_t K = dt_shape_count(&t.net.graph.value[site->in[0]].shape) / 8;
    t.net.state.data[bn->in[DT_BN_GAMMA]][5] = -1;
    t.net.state.data[dt_query_latent(&t.net.graph, site->in[0])][5 * K + 1] = 1e6; /* code -128 */
    dt_int_model *m = int_model(&t, "fp32");
    const dt_int_node *conv = &m->node[int_node(m, "product", "conv2")];
    ck_assert_int_eq(conv->weight[5 * K + 1], -128);
    ck_assert(!conv->negated[5]);
    dt_int_model_free(m);
    expect_same(&t, "fp32");
    expect_same(&t, "double");
    testnet_fini(&t);
}
END_TEST

/* The self-test finds a changed weight: it can fail. */
START_TEST(the_self_test_can_fail)
{
    testnet t;
    build b;
    build_init(&b, "#define NET_SELF_TEST\n#include \"net.c\"\n"
                   "int main(void)\n{\n    *(uint8_t *)(uintptr_t)weights_1 ^= 16;\n"
                   "    return net_self_test() == 0;\n}\n");
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    ck_assert_int_eq(write_c(&t, "fp32", "net", b.dir.file, NULL, NULL), DT_OK);
    char command[256]; /* constants are in memory that cannot be written */
    snprintf(command, sizeof command, "sed -i 's/const uint8_t weights_1/uint8_t weights_1/' %s",
             b.dir.file);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(run_program(&b), 0);
    build_fini(&b);
    testnet_fini(&t);
}
END_TEST

static int64_t memory_of(const dt_export_report *r, const char *name)
{
    for (int i = 0; i < r->memory_count; i++)
        if (strcmp(r->memory[i].name, name) == 0) return r->memory[i].count;
    ck_abort_msg("no '%s'", name);
}

START_TEST(sizes_are_those_of_the_bits)
{
    testnet t;
    dt_export_report r = { .bytes = 0 };
    int64_t bytes = 0, channels = 0;
    testnet_init(&t, RECIPE_RESNET RECIPE_W4A4);
    dt_int_model *m = int_model(&t, "fp32");
    for (int i = 0; i < m->node_count; i++) {
        const dt_conv_shape *s = &m->node[i].shape;
        if (!int_is(&m->node[i], "product")) continue;
        bytes += (s->O * s->KH * s->KW * s->C * m->node[i].bits + 7) / 8;
        channels += s->O;
    }
    ck_assert_int_eq(write_c(&t, "fp32", "net", NULL, &r, NULL), DT_OK);
    ck_assert_int_eq(memory_of(&r, "weights"), bytes);
    ck_assert_int_eq(memory_of(&r, "biases"), 4 * channels);
    ck_assert_int_eq(memory_of(&r, "multipliers"), 5 * channels);
    /* Three values of the first stage, and the weights of one output. */
    ck_assert_int_eq(memory_of(&r, "arena (RAM)"), 3 * 12 * 12 * 16 + 9 * 16);
    dt_int_model_free(m);
    testnet_fini(&t);
}
END_TEST

START_TEST(pixels_become_the_codes_of_the_loader)
{
    static const float mean[] = { 0.485f, 0.456f, 0.406f }, std[] = { 0.229f, 0.224f, 0.225f };
    testnet t;
    build b;
    build_init(&b, "#include \"net.c\"\n"
                   "int main(void)\n{\n"
                   "    static uint8_t x[NET_INPUT_BYTES];\n    int i;\n"
                   "    for (i = 0; i < NET_INPUT_BYTES; i++) x[i] = (uint8_t)(i / 3);\n"
                   "    net_encode(x, x);\n"
                   "    for (i = 0; i < 3 * 144; i++) {\n"
                   "        float mean[] = { 0.485f, 0.456f, 0.406f };\n"
                   "        float std[] = { 0.229f, 0.224f, 0.225f };\n"
                   "        float v = ((float)(i / 3) / 255.0f - mean[i % 3]) / std[i % 3];\n"
                   "        float d = NET_INPUT_SCALE * (float)(x[i] - NET_INPUT_ZERO) - v;\n"
                   "        if (d > 0.51f * NET_INPUT_SCALE && x[i] > 0) return 1;\n"
                   "        if (d < -0.51f * NET_INPUT_SCALE && x[i] < 255) return 1;\n"
                   "    }\n"
                   "    net_run(x, x);\n"
                   "    return net_class(x) >= NET_CLASSES;\n}\n");
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    t.src.mean = mean;
    t.src.std = std;
    ck_assert_int_eq(write_c(&t, "fp32", "net", b.dir.file, NULL, NULL), DT_OK);
    ck_assert_int_eq(run_program(&b), 0);
    build_fini(&b);
    testnet_fini(&t);
}
END_TEST

START_TEST(what_cannot_be_written_is_refused)
{
    static const struct {
        const char *rounding, *prefix, *path, *said;
    } cases[] = {
        { "fp23", "net", "x.c", "fp32" },
        { "fp32", "2net", "x.c", "2net" },
        { "fp32", "a-b", "x.c", "a-b" },
        { "fp32", "net", "x.onnx", "end it in .c" },
        { "fp32", "net", ".c", "end it in" },
        { "fp32", "net", "/nowhere/x.c", "/nowhere/x" },
        { "fp32", "net", "a\"b.c", "#include" },
        { "fp32", "net", "a\\b.c", "#include" },
        { "fp32", "net", "a\nb.c", "#include" },
        { "fp32", "net",
          "a?"
          "?=.c",
          "#include" },
    };
    testnet t;
    dt_error err;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        err.text[0] = '\0';
        ck_assert_int_ne(write_c(&t, cases[i].rounding, cases[i].prefix, cases[i].path, NULL, &err),
                         DT_OK);
        ck_assert_msg(strstr(err.text, cases[i].said), "%s", err.text);
    }
    testnet_fini(&t);
    testnet_init(&t, RECIPE_RESNET "quant: {placement: paper, weights: {method: lsq, bits: 4}, "
                                   "activations: {method: lsq, bits: 4}}\n");
    ck_assert_int_eq(write_c(&t, "fp32", "net", "x.c", NULL, &err), DT_ERR_UNSUPPORTED);
    ck_assert_msg(strstr(err.text, "layer1.0"), "%s", err.text);
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("export_c", all_roundings_compute_the_model, nets_and_weights_of_all_kinds,
             the_lowest_code_of_a_folded_norm_is_kept, the_self_test_can_fail,
             sizes_are_those_of_the_bits, pixels_become_the_codes_of_the_loader,
             what_cannot_be_written_is_refused)
