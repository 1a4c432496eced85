/* What files say of their own use: texts, and that they arrive in every format. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/usage.h"

#include "core/file.h"
#include "exchange/import.h"
#include "tests/exchange/net.h"
#include "tests/support/tempdir.h"

static const float mean[] = { .25f, .5f, .75f }, std[] = { .5f, 1, 2 };
/* A line's end, a byte that is no UTF-8, a trigraph, an umlaut. */
static const char names[] = "cat\nd\xffog\nfox?\?/\nM\xc3\xb6we\n4\n5\n6\n7\n8\n9";

static void expect(const dt_tensors *set, const char *prefix, const char *key, const char *want)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s", prefix, key);
    const char *got = dt_tensors_attr(set, name);
    ck_assert_msg(got && strcmp(got, want) == 0, "%s is '%s', not '%s'", name, got ? got : "none",
                  want);
}

static void write_as(const testnet *t, const char *format, const tempdir *d)
{
    dt_error err;
    const dt_row *row = dt_table_find(&dt_exporters, format);
    unsigned char conf[2048];
    ck_assert_ptr_nonnull(row);
    ck_assert_uint_le(row->conf_size, sizeof conf);
    dt_opt_defaults(row->opts, conf);
    ck_assert_msg(dt_exporter_of(row)->write(&t->src, conf, d->file, NULL, &err) == DT_OK, "%s",
                  err.text);
}

START_TEST(texts_arrive_in_every_format)
{
    static const struct {
        const char *format, *prefix, *layout;
    } to[] = { { "onnx", "detent.", "NCHW" },
               { "qoperator", "detent.", "NCHW" },
               { "safetensors", "", "NCHW" },
               { "safetensors_codes", "", "NCHW" },
               { "tflite", "detent.", "NHWC" } };
    testnet t;
    tempdir d;
    tempdir_init(&d, "net");
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    t.src.mean = mean;
    t.src.std = std;
    t.src.classes = names;
    for (size_t i = 0; i < DT_ARRAY_LEN(to); i++) {
        dt_error err;
        dt_tensors set;
        unsigned char *bytes;
        size_t size;
        write_as(&t, to[i].format, &d);
        ck_assert_int_eq(dt_file_read(NULL, d.file, 1 << 24, &bytes, &size, &err), DT_OK);
        ck_assert_msg(dt_import_bytes(d.file, bytes, size, NULL, &set, &err) == DT_OK, "%s",
                      err.text);
        dt_put(NULL, bytes);
        expect(&set, to[i].prefix, "class.names",
               "cat\nd?og\nfox?\?/\nM\xc3\xb6we\n4\n5\n6\n7\n8\n9");
        expect(&set, to[i].prefix, "input.layout", to[i].layout);
        expect(&set, to[i].prefix, "input.size", "12 12");
        expect(&set, to[i].prefix, "input.colour", "RGB");
        expect(&set, to[i].prefix, "input.range", "1");
        expect(&set, to[i].prefix, "input.mean", "0.25 0.5 0.75");
        expect(&set, to[i].prefix, "input.std", "0.5 1 2");
        dt_tensors_fini(&set);
    }
    tempdir_fini(&d);
    testnet_fini(&t);
}
END_TEST

START_TEST(grids_are_of_the_ends_and_in_the_files_codes)
{
    testnet t;
    dt_error err;
    dt_lowered *l;
    dt_usage u;
    char want[128];
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    ck_assert_int_eq(dt_lower_new(&t.low, &l, &err), DT_OK);
    dt_usage_ends ends = dt_usage_of_lowered(l, "NHWC");
    ck_assert_ptr_nonnull(ends.input);
    ck_assert_ptr_nonnull(ends.output[0]);
    ends.offset = -128;
    dt_arena *arena = dt_arena_new(NULL, "test");
    ck_assert_int_eq(dt_usage_make(&t.src, &ends, arena, &u, &err), DT_OK);
    snprintf(want, sizeof want, "{\"scale\":%.9g,\"zero_point\":0,\"low\":-128,\"high\":127}",
             (double)t.net.state.data[dt_graph_find(&t.net.graph, "conv1.input_quant.scale")][0]);
    ck_assert_str_eq(dt_usage_get(&u, "input.grid"), want);
    snprintf(want, sizeof want, "{\"scale\":%.9g,\"zero_point\":0,\"low\":-128,\"high\":127}",
             (double)t.net.state.data[dt_graph_find(&t.net.graph, "fc.output_quant.scale")][0]);
    ck_assert_str_eq(dt_usage_get(&u, "output.grid"), want);
    /* Of what is not known nothing is said. */
    ck_assert_ptr_null(dt_usage_get(&u, "class.names"));
    ck_assert_ptr_null(dt_usage_get(&u, "input.mean"));
    ck_assert_int_eq(u.count, 2);
    dt_arena_free(arena);
    dt_lower_free(l);
    testnet_fini(&t);
}
END_TEST

START_TEST(a_c_header_has_names_and_numbers)
{
    static const char *const parts[] = {
        "#define SMALL_CLASS_NAMES { \\\n    \"cat\", \\\n    \"d\\377og\", \\\n",
        "    \"fox\\077\\077/\", \\\n    \"M\\303\\266we\", \\\n",
        "    \"9\" }\n",
        "#define SMALL_INPUT_MEAN { 2.500000000e-01f, 5.000000000e-01f, 7.500000000e-01f }\n",
        "#define SMALL_INPUT_STD { 5.000000000e-01f, 1.000000000e+00f, 2.000000000e+00f }\n",
        "#define SMALL_INPUT_RANGE 255\n",
        "(level - MEAN) / STD"
    };
    testnet t;
    tempdir d;
    char text[8192], header[128];
    tempdir_init(&d, "net.c");
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    t.src.mean = mean;
    t.src.std = std;
    t.src.levels = true;
    t.src.classes = names;
    write_as(&t, "c", &d);
    snprintf(header, sizeof header, "%s/net.h", d.folder);
    FILE *f = fopen(header, "rb");
    ck_assert_ptr_nonnull(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    remove(header);
    tempdir_fini(&d);
    for (size_t i = 0; i < DT_ARRAY_LEN(parts); i++)
        ck_assert_msg(strstr(text, parts[i]) != NULL, "no '%s' in\n%s", parts[i], text);
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("usage", texts_arrive_in_every_format, grids_are_of_the_ends_and_in_the_files_codes,
             a_c_header_has_names_and_numbers)
