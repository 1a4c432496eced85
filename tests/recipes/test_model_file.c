/* Models that are read from a file: which key names them, and what the file tells. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/recipes/fake_tables.h"
#include "tests/support/run.h"

/* A file's quantizers are the recipe's, unless it says something of its own. */
START_TEST(a_file_brings_its_quantizers)
{
#define QDQ "model: {onnx: a-qdq.onnx}\ndata: {name: cifar10, normalize: cifar}\n"
    dt_recipe *r, *again;
    dt_error err = { .text = "" };
    ck_assert_msg(fake_read(QDQ, NULL, &r, &err) == DT_OK, "%s", err.text);
    ck_assert(r->quant.enabled);
    ck_assert_int_eq(r->quant.placement, DT_PLACEMENT_FILE);
    ck_assert_ptr_null(strstr(r->text, "activations"));
    ck_assert_msg(fake_read(r->text, NULL, &again, &err) == DT_OK, "%s", err.text);
    ck_assert_str_eq(r->text, again->text);
    dt_recipe_free(again);
    dt_recipe_free(r);
    ck_assert_int_eq(fake_read(QDQ "quant: none\n", NULL, &r, &err), DT_OK);
    ck_assert(!r->quant.enabled);
    dt_recipe_free(r);
    ck_assert_int_eq(fake_read(QDQ "quant: {}\n", NULL, &r, &err), DT_OK);
    ck_assert_int_eq(r->quant.placement, DT_PLACEMENT_DEPLOY);
    dt_recipe_free(r);
    ck_assert_int_eq(fake_read(QDQ "quant: {placement: file, weights: none}\n", NULL, &r, &err),
                     DT_ERR_ARG);
    ck_assert_str_eq(err.text, "/r/x.yaml:3: quant.weights: is the file's with quant.placement: "
                               "file; quant.placement=deploy places quantizers anew");
}
END_TEST

/* A key that is a row's name names it; what its file tells is part of the recipe. */
START_TEST(a_file_names_its_model)
{
    static const char text[] =
        "model: {onnx: nets/a.onnx}\ndata: {name: cifar10, normalize: cifar}\n";
    dt_recipe *r, *moved;
    dt_error err = { .text = "" };
    ck_assert_msg(fake_read(text, NULL, &r, &err) == DT_OK, "%s", err.text);
    const fake_file *f = r->model.choice.conf;
    ck_assert_str_eq(r->model.choice.row->name, "onnx");
    ck_assert_str_eq(f->onnx, "/r/nets/a.onnx");
    ck_assert_str_eq(f->sha256, "14 bytes of name");
    ck_assert_int_eq(r->model.classes, 7);
    /* The hash has what is in the file, not where it lies. */
    const char *const same[] = { "model.onnx=/r/nets/b.onnx", NULL };
    const char *const other[] = { "model.onnx=/r/other.onnx", NULL };
    ck_assert_int_eq(fake_read(text, same, &moved, &err), DT_OK);
    ck_assert_str_eq(r->hash, moved->hash);
    dt_recipe_free(moved);
    ck_assert_int_eq(fake_read(text, other, &moved, &err), DT_OK);
    ck_assert_str_ne(r->hash, moved->hash);
    dt_recipe_free(moved);
    dt_recipe_free(r);
    ck_assert_int_eq(
        fake_read("model: {onnx: none.onnx}\ndata: {name: cifar10, normalize: cifar}\n", NULL, &r,
                  &err),
        DT_ERR_NOT_FOUND);
    ck_assert_int_eq(fake_read("model: {onnx: a.onnx}\ndata: {name: cifar10}\n", NULL, &r, &err),
                     DT_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "x.yaml:1: model.onnx: does not tell what it expects"));
}
END_TEST

/* Classes that the recipe does not say are the folder's, else the file's. */
START_TEST(classes_are_those_of_the_data)
{
    static const struct {
        const char *model, *root;
        int classes;
    } cases[] = { { "onnx: a.onnx", "some", 5 },
                  { "onnx: a.onnx", "other", 7 },
                  { "onnx: a.onnx, classes: 3", "some", 3 },
                  { "name: resnet20", "some", 5 },
                  { "name: resnet20", "other", 10 } };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        char text[256];
        dt_recipe *r, *again;
        dt_error err = { .text = "" };
        snprintf(text, sizeof text,
                 "model: {%s}\ndata: {name: cifar10, normalize: cifar, root: %s}\n", cases[i].model,
                 cases[i].root);
        ck_assert_msg(fake_read(text, NULL, &r, &err) == DT_OK, "%s", err.text);
        ck_assert_int_eq(r->model.classes, cases[i].classes);
        const char *const moved[] = { "data.root=/elsewhere", NULL };
        ck_assert_int_eq(fake_read(r->text, moved, &again, &err), DT_OK);
        ck_assert_int_eq(again->model.classes, cases[i].classes);
        dt_recipe_free(again);
        dt_recipe_free(r);
    }
}
END_TEST

DT_TEST_MAIN("model_file", classes_are_those_of_the_data, a_file_names_its_model,
             a_file_brings_its_quantizers)
