/* A teacher's outputs are those of its net, and only float nets teach. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/net/teacher.h"

#include <string.h>

#include "core/rng.h"
#include "tests/support/nets.h"
#include "tests/support/tempdir.h"
#include "train/store/container.h"

enum { BATCH = 3, PICTURE = 32 * 32 * 3, CLASSES = 10 };

static const dt_net_input input = { .H = 32, .W = 32, .low = -2.5, .high = 2.5 };

/* Writes the parameters of `recipe`'s net, at random, as a checkpoint. */
static void write_net(const char *recipe, const char *path)
{
    test_net t;
    dt_tensors set;
    test_net_open(&t, recipe, false);
    ck_assert_int_eq(dt_tensors_init(&set, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_net_export(&t.net, true, &set, NULL), DT_OK);
    ck_assert_int_eq(dt_container_write(NULL, path, &set, NULL), DT_OK);
    dt_tensors_fini(&set);
    test_net_close(&t);
}

static dt_recipe *read_recipe(const char *text)
{
    dt_recipe *r = NULL;
    dt_error err = { .status = DT_OK };
    const dt_recipe_params p = { .tables = &dt_tables, .path = "test.yaml", .text = text };
    ck_assert_msg(dt_recipe_read(&p, &r, &err) == DT_OK, "%s", err.text);
    return r;
}

/* A quantized smallcnn that `path` teaches. */
static dt_recipe *student(const char *path)
{
    char text[500];
    snprintf(text, sizeof text,
             "{model: {name: smallcnn, width: 4}, data: {name: builtin}, quant: {weights: {method: "
             "lsq, bits: 4}, activations: {method: lsq, bits: 4}}, distill: {teacher: %s, model: "
             "smallcnn, width: 6}}",
             path);
    return read_recipe(text);
}

/* Logits of the net itself. */
static void logits_of(dt_net *net, const dt_kernels *k, const float *x, real *out)
{
    dt_plan plan;
    dt_exec exec;
    const int outputs[] = { net->logits };
    ck_assert_int_eq(dt_plan_init(&plan,
                                  &(dt_plan_request){ .graph = &net->graph,
                                                      .kernels = k,
                                                      .mode = DT_MODE_EVAL,
                                                      .batch = BATCH,
                                                      .threads = 1,
                                                      .outputs = outputs,
                                                      .output_count = 1 },
                                  NULL, NULL),
                     DT_OK);
    ck_assert_int_eq(dt_exec_init(&exec, &plan, &net->state, k, NULL, NULL, NULL), DT_OK);
    dt_exec_set_input(&exec, net->input, x);
    ck_assert_int_eq(dt_exec_forward(&exec, NULL), DT_OK);
    memcpy(out, dt_exec_value(&exec, net->logits), sizeof(real) * BATCH * CLASSES);
    dt_exec_fini(&exec);
    dt_plan_fini(&plan);
}

START_TEST(outputs_are_those_of_its_net)
{
    static float x[BATCH * PICTURE];
    real want[BATCH * CLASSES];
    tempdir dir;
    dt_kernels k;
    dt_teacher t;
    dt_rng rng;
    dt_error err = { .status = DT_OK };
    tempdir_init(&dir, "teacher.h5");
    dt_rng_open(&rng, 1, DT_RNG_TEST, 0, 0);
    for (int i = 0; i < BATCH * PICTURE; i++)
        x[i] = (float)dt_rng_normal(&rng);
    write_net("{model: {name: smallcnn, width: 6}, data: {name: builtin}, train: {seed: 5}}",
              dir.file);
    dt_recipe *r = student(dir.file);
    ck_assert_int_eq(dt_kernels_init(&k, "scalar", NULL), DT_OK);
    ck_assert_msg(dt_teacher_open(&t, r, &input, NULL, &err) == DT_OK, "%s", err.text);
    ck_assert_uint_eq(strlen(t.sha256), 64);
    ck_assert_int_eq(dt_teacher_make_plan(&t, &k, BATCH, 1, true, NULL), DT_OK);
    ck_assert_int_eq(dt_teacher_start(&t, &k, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_teacher_run(&t, x, NULL), DT_OK);
    logits_of(&t.net, &k, x, want);
    ck_assert_mem_eq(t.logits, want, sizeof want);
    ck_assert(want[0] != want[1]);
    dt_teacher_close(&t);
    dt_recipe_free(r);
    tempdir_fini(&dir);
}
END_TEST

START_TEST(other_files_are_refused)
{
    static const struct {
        const char *recipe, *part;
    } cases[] = {
        { "{model: {name: smallcnn, width: 8}, data: {name: builtin}}", "has the shape" },
        { "{model: {name: resnet20}, data: {name: builtin}}", "has" },
        { "{model: {name: smallcnn, width: 6}, data: {name: builtin}, quant: {weights: {method: "
          "lsq, bits: 4}, activations: {method: lsq, bits: 4}}}",
          "distill.teacher: " },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        tempdir dir;
        dt_teacher t;
        dt_error err = { .status = DT_OK };
        tempdir_init(&dir, "teacher.h5");
        write_net(cases[i].recipe, dir.file);
        dt_recipe *r = student(dir.file);
        ck_assert_int_ne(dt_teacher_open(&t, r, &input, NULL, &err), DT_OK);
        ck_assert_msg(strstr(err.text, cases[i].part) != NULL, "%s", err.text);
        ck_assert(!strchr(err.text, '\n'));
        dt_recipe_free(r);
        tempdir_fini(&dir);
    }
}
END_TEST

/* resnet32 has every tensor of resnet20, of the same shapes. */
START_TEST(a_deeper_net_is_refused)
{
    tempdir dir;
    dt_teacher t;
    dt_error err = { .status = DT_OK };
    tempdir_init(&dir, "teacher.h5");
    write_net("{model: {name: resnet32}, data: {name: builtin}}", dir.file);
    char text[700];
    snprintf(text, sizeof text,
             "{model: {name: resnet20}, data: {name: builtin}, distill: {teacher: '%s'}}",
             dir.file);
    dt_recipe *r = read_recipe(text);
    ck_assert_int_eq(dt_teacher_open(&t, r, &input, NULL, &err), DT_ERR_NOT_FOUND);
    ck_assert_msg(strstr(err.text, "distill.teacher: ") && strstr(err.text, "distill.model"), "%s",
                  err.text);
    dt_recipe_free(r);
    tempdir_fini(&dir);
}
END_TEST

DT_TEST_MAIN("teacher", a_deeper_net_is_refused, other_files_are_refused,
             outputs_are_those_of_its_net)
