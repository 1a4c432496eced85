/* Names as other programs write them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/foreign_names.h"

#include <stdio.h>
#include <string.h>

#include "core/tensorfile.h"
#include "tests/support/run.h"

extern const dt_importer dt_importer_safetensors;

/* Names in, names out, each a text of words. */
static dt_status read(const char *in, const char *key, char *out, dt_import_job *job, dt_error *err)
{
    dt_tensors set;
    char text[400];
    *job = (dt_import_job){ .path = "f", .key = key };
    ck_assert_int_eq(dt_tensors_init(&set, NULL, NULL), DT_OK);
    strcpy(text, in);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        ck_assert_int_eq(dt_tensors_add(&set, word, DT_F32, &DT_SHAPE(1), NULL, NULL), DT_OK);
    dt_status st = dt_import_names(job, &dt_importer_safetensors, "", &set, err);
    *out = '\0';
    for (size_t i = 0; i < set.count; i++) {
        if (i) strcat(out, " ");
        strcat(out, set.item[i].name);
        ck_assert_ptr_eq(dt_tensors_find(&set, set.item[i].name), &set.item[i]);
    }
    dt_tensors_fini(&set);
    return st;
}

static void expect(const char *in, const char *key, const char *want, const char *note)
{
    char out[400];
    dt_import_job job;
    dt_error err = { .text = "" };
    ck_assert_msg(read(in, key, out, &job, &err) == DT_OK, "%s: %s", in, err.text);
    ck_assert_str_eq(out, want);
    ck_assert_msg(note ? strstr(job.note, note) != NULL : !*job.note, "%s: %s", in, job.note);
}

START_TEST(prefixes_go)
{
    static const char *const front[] = {
        "",
        "module.",
        "module.module.",
        "_orig_mod.",
        "_orig_mod._orig_mod.",
        "module._orig_mod.",
        "_orig_mod.module.module.",
        "model.",
        "model.model.",
        "net.",
        "model._orig_mod.",
        "_orig_mod.model.module.",
        "module.model._orig_mod.net.module.",
        "_fsdp_wrapped_module._checkpoint_wrapped_module.",
        "state_dict.",
        "model_state_dict.module.",
        "ema.module.",
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(front); i++) {
        char in[200];
        snprintf(in, sizeof in, "%sa.weight %sb.0.bias %sn", front[i], front[i], front[i]);
        expect(in, NULL, "a.weight b.0.bias n", NULL);
    }
    expect("layer1._orig_mod.a layer1.0._checkpoint_wrapped_module.b", NULL, "layer1.a layer1.0.b",
           NULL);
    expect("model.a model.b num_batches_tracked n_averaged", NULL,
           "a b num_batches_tracked n_averaged", NULL);
}
END_TEST

/* What only some tensors have in front may be of the net. */
START_TEST(own_words_stay)
{
    expect("model.a head.b", NULL, "model.a head.b", NULL);
    expect("model.a model.net.b", NULL, "a net.b", NULL);
    expect("models.a models.b", NULL, "models.a models.b", NULL);
    expect("my_orig_mod.a x.module", NULL, "my_orig_mod.a x.module", NULL);
    expect("model.", NULL, "model.", NULL);
    expect("conv.a conv.b", NULL, "conv.a conv.b", NULL);
}
END_TEST

START_TEST(averages_beside_weights)
{
    expect("model.a model.b ema.a", NULL, "a b", "averages of them, 'ema'; model.init_key names");
    expect("a b model_ema.module.a model_ema.module.b", NULL, "a b", "'model_ema'");
    expect("module.a module.b state_dict_ema.a ema.b", NULL, "a b", "'state_dict_ema', 'ema'");
    expect("model.a ema.c", NULL, "model.a ema.c", NULL); /* of another net, or of this */
    expect("model.a model.b ema.module.a", "ema", "a", "took the 1 tensors of 'ema', left out 2");
    expect("model.a model.b ema.module.a", "ema.", "a", "took the 1");
    expect("module.student.a module.teacher.a", "teacher", "a", "left out 1");
    expect("x.a x.b", "x", "a b", NULL);
}
END_TEST

START_TEST(errors)
{
    char out[400];
    dt_import_job job;
    dt_error err = { .text = "" };
    ck_assert_int_eq(read("a module.a", NULL, out, &job, &err), DT_ERR_FORMAT);
    ck_assert_str_eq(err.text, "f: a: two tensors have this name");
    ck_assert_str_eq(out, "a module.a"); /* as it was */
    ck_assert_int_eq(read("_orig_mod.a a", NULL, out, &job, &err), DT_ERR_FORMAT);
    ck_assert_int_eq(read("model.a model.b head.c", "emma", out, &job, &err), DT_ERR_NOT_FOUND);
    ck_assert_str_eq(
        err.text, "f: model.init_key: 'emma' is neither a dictionary of the file nor in front of "
                  "names; there is no dictionary, and names begin with 'model', 'head'");
    ck_assert_int_eq(read("model.a", "mod", out, &job, &err), DT_ERR_NOT_FOUND);
    ck_assert_int_eq(read("model.a", ".", out, &job, &err), DT_ERR_NOT_FOUND);
    ck_assert_int_eq(read("model.a", "model.a", out, &job, &err), DT_ERR_NOT_FOUND);
}
END_TEST

START_TEST(lists_have_room_and_no_control_characters)
{
    char text[16] = "";
    dt_import_list(text, sizeof text, "a\033b", "");
    dt_import_list(text, sizeof text, "a long name", "");
    dt_import_list(text, sizeof text, "c", "!");
    ck_assert_str_eq(text, "'a?b', 'c'!");
}
END_TEST

/* Weights come before averages, and no name is there twice. */
START_TEST(the_table_is_in_order)
{
    bool averages = false;
    for (const dt_import_container *c = dt_import_containers; c->name; c++) {
        ck_assert_ptr_eq(dt_import_container_of(c->name, strlen(c->name)), c);
        ck_assert(!averages || c->average);
        averages = c->average;
    }
}
END_TEST

DT_TEST_MAIN("foreign_names", prefixes_go, own_words_stay, averages_beside_weights, errors,
             lists_have_room_and_no_control_characters, the_table_is_in_order)
