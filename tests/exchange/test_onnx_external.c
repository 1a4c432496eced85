/* Constants of every kind of element, and external data: below the model's folder only, within its
 * file, part of the hash. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "exchange/onnx/reader/onnx_ir.h"
#include "onnx.pb-c.h"
#include "tests/support/run.h"
#include "tests/support/tempdir.h"

static char *text(const char *t)
{
    return (char *)(uintptr_t)t;
}

/* Writes a model whose only part is the constant. */
static void write_model(const char *path, Onnx__TensorProto *t)
{
    Onnx__GraphProto graph = ONNX__GRAPH_PROTO__INIT;
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    graph.initializer = &t;
    graph.n_initializer = 1;
    model.graph = &graph;
    unsigned char *bytes = dt_get(NULL, onnx__model_proto__get_packed_size(&model), "test");
    size_t size = onnx__model_proto__pack(&model, bytes);
    FILE *f = fopen(path, "wb");
    ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
    fclose(f);
    dt_put(NULL, bytes);
}

static Onnx__TensorProto tensor(int type, int64_t *dim)
{
    Onnx__TensorProto t = ONNX__TENSOR_PROTO__INIT;
    t.name = text("w");
    t.has_data_type = true;
    t.data_type = type;
    t.dims = dim;
    t.n_dims = 1;
    return t;
}

static dt_status read_back(const char *path, dt_ox_file **f, dt_error *err)
{
    *err = (dt_error){ .text = "" };
    *f = NULL;
    return dt_ox_read(path, NULL, f, err);
}

START_TEST(elements_of_every_kind)
{
    /* 1.5 and -2 as float16, bfloat16, float64, and whole ones of several sizes. */
    static const unsigned char half[] = { 0, 0x3e, 0, 0xc0 }, brain[] = { 0xc0, 0x3f, 0, 0xc0 };
    static const double wide[] = { 1.5, -2 };
    static const unsigned char s8[] = { 7, 0xfe }, u8[] = { 7, 0xfe }, s16[] = { 7, 0, 0xfe, 0xff };
    static const unsigned char s4[] = { 0xe7 };
    static const struct {
        int type;
        const void *bytes;
        size_t size;
        bool whole;
        double want[2];
    } cases[] = {
        { 10, half, 4, false, { 1.5, -2 } },  { 16, brain, 4, false, { 1.5, -2 } },
        { 11, wide, 16, false, { 1.5, -2 } }, { 3, s8, 2, true, { 7, -2 } },
        { 2, u8, 2, true, { 7, 254 } },       { 5, s16, 4, true, { 7, -2 } },
        { 22, s4, 1, true, { 7, -2 } },
    };
    tempdir dir;
    tempdir_init(&dir, "m.onnx");
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        int64_t dim = 2;
        dt_ox_file *f;
        dt_error err;
        Onnx__TensorProto t = tensor(cases[i].type, &dim);
        t.has_raw_data = true;
        t.raw_data.data = (uint8_t *)(uintptr_t)cases[i].bytes;
        t.raw_data.len = cases[i].size;
        write_model(dir.file, &t);
        ck_assert_msg(read_back(dir.file, &f, &err) == DT_OK, "%s", err.text);
        const dt_ox_tensor *w = dt_ox_map_find(&f->constants, "w");
        ck_assert_int_eq(w->whole, cases[i].whole);
        for (int k = 0; k < 2; k++)
            ck_assert_double_eq(w->whole ? (double)w->n[k] : (double)w->x[k], cases[i].want[k]);
        dt_ox_free(f);
        t.raw_data.len--;
        write_model(dir.file, &t);
        ck_assert_int_ne(read_back(dir.file, &f, &err), DT_OK);
    }
    tempdir_fini(&dir);
}
END_TEST

START_TEST(elements_of_typed_fields)
{
    int64_t dim = 2, longs[] = { 5, -6 };
    float reals[] = { 0.5f, -3 };
    int32_t halves[] = { 0x3e00, 0xc000 };
    tempdir dir;
    dt_ox_file *f;
    dt_error err;
    tempdir_init(&dir, "m.onnx");
    for (int i = 0; i < 3; i++) {
        static const int types[] = { 7, 1, 10 };
        static const double want[] = { -6, -3, -2 };
        Onnx__TensorProto t = tensor(types[i], &dim);
        if (i == 0) t.int64_data = longs, t.n_int64_data = 2;
        if (i == 1) t.float_data = reals, t.n_float_data = 2;
        if (i == 2) t.int32_data = halves, t.n_int32_data = 2;
        write_model(dir.file, &t);
        ck_assert_msg(read_back(dir.file, &f, &err) == DT_OK, "%s", err.text);
        const dt_ox_tensor *w = dt_ox_map_find(&f->constants, "w");
        ck_assert_double_eq(w->whole ? (double)w->n[1] : (double)w->x[1], want[i]);
        dt_ox_free(f);
    }
    dim = 1 << 30; /* a shape may not take what is not there */
    Onnx__TensorProto t = tensor(1, &dim);
    t.float_data = reals;
    t.n_float_data = 2;
    write_model(dir.file, &t);
    ck_assert_int_eq(read_back(dir.file, &f, &err), DT_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, "fewer elements than its shape") != NULL, "%s", err.text);
    tempdir_fini(&dir);
}
END_TEST

typedef struct entry {
    const char *location, *offset, *length, *words; /* words NULL: it is read */
} entry;

static void write_external(const char *path, const entry *e, int64_t count)
{
    Onnx__StringStringEntryProto list[3], *at[3];
    const char *const key[] = { "location", "offset", "length" };
    const char *const value[] = { e->location, e->offset, e->length };
    int64_t dim = count;
    Onnx__TensorProto t = tensor(1, &dim);
    for (int i = 0; i < 3; i++) {
        if (!value[i]) continue;
        onnx__string_string_entry_proto__init(&list[i]);
        list[i].key = text(key[i]);
        list[i].value = text(value[i]);
        at[t.n_external_data++] = &list[i];
    }
    t.external_data = at;
    t.has_data_location = true;
    t.data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    write_model(path, &t);
}

START_TEST(external_data_lies_below_the_folder)
{
    static const entry cases[] = {
        { "w.data", "4", "8", NULL },
        { "./w.data", NULL, NULL, NULL },
        { "w.data", "5", "8", NULL },
        { "w.data", "8", NULL, "ends before it" },
        { "w.data", "99", NULL, "ends before it" },
        { "w.data", "18446744073709551615", NULL, "has no place" },
        { "w.data", "-4", NULL, "has no place" },
        { "w.data", "4", "4", "has another size" },
        { "/etc/hostname", NULL, NULL, "only files below the model's own folder" },
        { "../w.data", NULL, NULL, "only files below the model's own folder" },
        { "a/../../w.data", NULL, NULL, "only files below the model's own folder" },
        { "a\\w.data", NULL, NULL, "only files below the model's own folder" },
        { "link", NULL, NULL, "a link leads out of the model's folder" },
        { "none", NULL, NULL, "is not there" },
        { NULL, "4", NULL, "has no place" },
    };
    static const unsigned char bytes[13] = { 9, 9, 9, 9, 0, 0, 128, 63, 0, 0, 0, 192, 0 };
    tempdir dir;
    char data[128], link[128], first[DT_SHA256_HEX] = "";
    tempdir_init(&dir, "m.onnx");
    snprintf(data, sizeof data, "%s/w.data", dir.folder);
    snprintf(link, sizeof link, "%s/link", dir.folder);
    FILE *f = fopen(data, "wb");
    ck_assert_uint_eq(fwrite(bytes, 1, sizeof bytes, f), sizeof bytes);
    fclose(f);
    ck_assert_int_eq(symlink("/etc/passwd", link), 0);
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        dt_ox_file *file;
        dt_error err;
        write_external(dir.file, &cases[i], 2);
        dt_status st = read_back(dir.file, &file, &err);
        if (cases[i].words) {
            ck_assert_msg(st != DT_OK, "case %zu is read", i);
            ck_assert_msg(strstr(err.text, cases[i].words) != NULL, "case %zu: %s", i, err.text);
            continue;
        }
        ck_assert_msg(st == DT_OK, "%s", err.text);
        const dt_ox_tensor *w = dt_ox_map_find(&file->constants, "w");
        if (i == 0) ck_assert(w->x[0] == 1 && w->x[1] == -2);
        if (i == 0) memcpy(first, file->sha256, sizeof first);
        dt_ox_free(file);
    }
    /* Another number there is another model. */
    f = fopen(data, "r+b");
    ck_assert_int_eq(fseek(f, 4, SEEK_SET), 0);
    ck_assert_int_eq(fputc(1, f), 1);
    fclose(f);
    dt_ox_file *file;
    dt_error err;
    write_external(dir.file, &cases[0], 2);
    ck_assert_int_eq(read_back(dir.file, &file, &err), DT_OK);
    ck_assert_str_ne(first, file->sha256);
    dt_ox_free(file);
    remove(data);
    remove(link);
    tempdir_fini(&dir);
}
END_TEST

DT_TEST_MAIN("onnx_external", elements_of_every_kind, elements_of_typed_fields,
             external_data_lies_below_the_folder)
