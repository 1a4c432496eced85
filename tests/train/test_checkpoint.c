/* A run's state on disk and back; inspecting it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/checkpoint.h"

#include <string.h>

#include "core/rng.h"
#include "tests/support/nets.h"
#include "tests/support/tempdir.h"
#include "tests/support/testdata.h"
#include "train/inspect/inspect.h"
#include "train/store/container.h"

#define RECIPE(bits)                                                                               \
    "{model: {name: smallcnn, width: 4}, data: {name: builtin, batch: 8, train_pictures: 32, "     \
    "test_pictures: 8}, quant: {weights: {method: lsq, bits: " bits                                \
    "}, activations: {method: lsq, bits: 4}}}"

/* A session with an optimizer's buffers. */
typedef struct run {
    dt_recipe *recipe;
    dt_session s;
    dt_optim_state o;
    real **table;
} run;

static void open_run(run *r, const char *recipe)
{
    dt_error err = { .status = DT_OK };
    const dt_recipe_params p = { .tables = &dt_tables, .path = "test.yaml", .text = recipe };
    ck_assert_msg(dt_recipe_read(&p, &r->recipe, &err) == DT_OK, "%s", err.text);
    const dt_session_params sp = {
        .recipe = r->recipe, .threads = 1, .isa = "scalar", .training = true
    };
    ck_assert_msg(dt_session_open(&r->s, &sp, &err) == DT_OK, "%s", err.text);
    ck_assert_msg(dt_optim_state_init(&r->o, &r->recipe->train, &r->s.net.graph, NULL, &err) ==
                      DT_OK,
                  "%s", err.text);
}

static void close_run(run *r)
{
    dt_optim_state_fini(&r->o);
    dt_session_close(&r->s);
    dt_recipe_free(r->recipe);
}

static void scramble(run *r)
{
    dt_rng rng;
    dt_rng_open(&rng, 5, DT_RNG_TEST, 0, 0);
    for (int i = 0; i < r->s.net.graph.value_count; i++) {
        int64_t n = dt_shape_count(&r->s.net.graph.value[i].shape);
        for (int64_t k = 0; r->s.net.state.data[i] && k < n; k++)
            r->s.net.state.data[i][k] = (real)(dt_rng_uniform(&rng) + 0.1);
        for (int64_t k = 0; r->o.buffer[0][i] && k < n; k++)
            r->o.buffer[0][i][k] = (real)dt_rng_normal(&rng);
    }
}

static const dt_run_position somewhere = { .step = 7,
                                           .steps_per_epoch = 4,
                                           .total_steps = 120,
                                           .last_step = 120,
                                           .seen = { 24, 0.1, { { 5 } } },
                                           .best = 100. / 3 };

START_TEST(everything_comes_back)
{
    tempdir dir;
    run a, b;
    char note[DT_CHECKPOINT_NOTE];
    dt_error err = { .status = DT_OK };
    dt_run_position at = { .steps_per_epoch = 4, .total_steps = 120, .last_step = 120 };
    tempdir_init(&dir, "last.h5");
    open_run(&a, RECIPE("4"));
    open_run(&b, RECIPE("4"));
    scramble(&a);
    ck_assert_int_eq(dt_checkpoint_save(NULL, dir.file, &a.s, &a.o, &somewhere, NULL, NULL), DT_OK);
    ck_assert(!b.s.quantizers_ready);
    ck_assert_msg(dt_checkpoint_load(NULL, dir.file, &b.s, &b.o, &at, note, sizeof note, &err) ==
                      DT_OK,
                  "%s", err.text);
    ck_assert(b.s.quantizers_ready);
    ck_assert_str_eq(note, "");
    ck_assert_int_eq(at.step, 7);
    ck_assert_int_eq(at.seen.count, 24);
    ck_assert(at.seen.sum[0][0] == 5);
    ck_assert(at.seen.loss == somewhere.seen.loss && at.best == somewhere.best); /* every bit */
    for (int i = 0; i < a.s.net.graph.value_count; i++) {
        size_t n = (size_t)dt_shape_count(&a.s.net.graph.value[i].shape) * sizeof(real);
        if (a.s.net.state.data[i])
            ck_assert_mem_eq(a.s.net.state.data[i], b.s.net.state.data[i], n);
        if (a.o.buffer[0][i]) ck_assert_mem_eq(a.o.buffer[0][i], b.o.buffer[0][i], n);
    }
    close_run(&a);
    close_run(&b);
    tempdir_fini(&dir);
}
END_TEST

/* What an evaluation changed is in the file under its name; a run goes on from before it. */
START_TEST(a_run_goes_on_from_before_an_evaluation)
{
    tempdir dir;
    run a, b;
    char note[256];
    dt_tensors before, set;
    dt_run_position at = { .steps_per_epoch = 4, .total_steps = 120, .last_step = 120 };
    tempdir_init(&dir, "last.h5");
    open_run(&a, RECIPE("4"));
    open_run(&b, RECIPE("4"));
    scramble(&a);
    int id = dt_graph_find(&a.s.net.graph, "bn1.running_var");
    real *var = a.s.net.state.data[id], was = var[0];
    ck_assert_int_eq(dt_checkpoint_keep(&a.s, &before, NULL), DT_OK);
    var[0] = 42;
    ck_assert_int_eq(dt_checkpoint_save(NULL, dir.file, &a.s, &a.o, &somewhere, &before, NULL),
                     DT_OK);
    dt_tensors_fini(&before);
    ck_assert_int_eq(dt_container_read(NULL, dir.file, NULL, &set, NULL), DT_OK);
    ck_assert(((const float *)dt_tensors_find(&set, "bn1.running_var")->data)[0] == 42);
    int extra = 0;
    for (size_t i = 0; i < set.count; i++)
        extra += strncmp(set.item[i].name, "resume/", 7) == 0;
    ck_assert_int_eq(extra, 1);
    dt_tensors_fini(&set);
    ck_assert_int_eq(dt_checkpoint_load(NULL, dir.file, &b.s, &b.o, &at, note, sizeof note, NULL),
                     DT_OK);
    ck_assert(b.s.net.state.data[id][0] == was);
    close_run(&a);
    close_run(&b);
    tempdir_fini(&dir);
}
END_TEST

START_TEST(another_recipe_is_refused_by_its_keys)
{
    tempdir dir;
    run a, b;
    char note[DT_CHECKPOINT_NOTE];
    dt_error err;
    dt_run_position at = { .steps_per_epoch = 4 };
    tempdir_init(&dir, "last.h5");
    open_run(&a, RECIPE("4"));
    open_run(&b, RECIPE("3"));
    ck_assert_int_eq(dt_checkpoint_save(NULL, dir.file, &a.s, &a.o, &somewhere, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_checkpoint_load(NULL, dir.file, &b.s, &b.o, &at, note, sizeof note, &err),
                     DT_ERR_ARG);
    ck_assert_msg(strstr(err.text, "quant.weights.bits (4 there, 3 here)") != NULL, "%s", err.text);
    ck_assert_int_eq(at.step, 0);
    close_run(&a);
    close_run(&b);
    tempdir_fini(&dir);
}
END_TEST

/* Saves, changes the set on disk by `change`, and loads. */
static dt_status load_changed(void (*change)(dt_tensors *set), char *note, dt_error *err)
{
    tempdir dir;
    run r;
    dt_tensors set;
    dt_run_position at = { .steps_per_epoch = 4 };
    tempdir_init(&dir, "last.h5");
    open_run(&r, RECIPE("4"));
    ck_assert_int_eq(dt_checkpoint_save(NULL, dir.file, &r.s, &r.o, &somewhere, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_container_read(NULL, dir.file, NULL, &set, NULL), DT_OK);
    change(&set);
    ck_assert_int_eq(dt_container_write(NULL, dir.file, &set, NULL), DT_OK);
    dt_tensors_fini(&set);
    dt_status st =
        dt_checkpoint_load(NULL, dir.file, &r.s, &r.o, &at, note, DT_CHECKPOINT_NOTE, err);
    close_run(&r);
    tempdir_fini(&dir);
    return st;
}

static void set_attr(dt_tensors *set, const char *key, const char *value)
{
    ck_assert_int_eq(dt_tensors_set_attr(set, key, value, NULL), DT_OK);
}

static void other_step(dt_tensors *set)
{
    set_attr(set, "run.step", "-3");
}

static void other_real(dt_tensors *set)
{
    set_attr(set, "run.best_top1", "much");
}

static void other_epoch(dt_tensors *set)
{
    set_attr(set, "run.steps_per_epoch", "5");
}

static void other_isa(dt_tensors *set)
{
    set_attr(set, "isa", "avx512");
}

static void other_blas(dt_tensors *set)
{
    set_attr(set, "blas", "OpenBLAS 0.3.21 Zen9");
}

static void other_both(dt_tensors *set)
{
    other_isa(set);
    other_blas(set);
}

static void nothing(dt_tensors *set)
{
    (void)set;
}

START_TEST(odd_texts_are_refused_or_told)
{
    char note[DT_CHECKPOINT_NOTE];
    dt_error err;
    ck_assert_int_eq(load_changed(nothing, note, &err), DT_OK);
    ck_assert_str_eq(note, "");
    ck_assert_int_eq(load_changed(other_step, note, &err), DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "last.h5: run.step: is missing or damaged"));
    ck_assert_int_eq(load_changed(other_real, note, &err), DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "run.best_top1: is missing or damaged"));
    ck_assert_int_eq(load_changed(other_epoch, note, &err), DT_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(err.text, "had 5 steps an epoch, the dataset gives 4 now"));
    ck_assert_int_eq(load_changed(other_isa, note, &err), DT_OK);
    ck_assert_ptr_nonnull(strstr(note, "made with avx512 kernels, this run uses scalar:"));
    ck_assert_int_eq(load_changed(other_blas, note, &err), DT_OK);
    ck_assert_ptr_nonnull(strstr(note, "made with OpenBLAS 0.3.21 Zen9, this run uses OpenBLAS "));
    ck_assert_int_eq(load_changed(other_both, note, &err), DT_OK);
    ck_assert_ptr_nonnull(strstr(note,
                                 "avx512 kernels and OpenBLAS 0.3.21 Zen9, this run uses scalar "
                                 "and OpenBLAS "));
}
END_TEST

static void count_site(void *arg, const dt_inspect_site *s)
{
    int *n = arg;
    ck_assert_str_eq(s->method, "lsq");
    ck_assert(s->has_grid && s->scale_low > 0 && s->scale_low <= s->scale_high);
    if (strcmp(s->name, "conv2.weight_quant") == 0) {
        ck_assert(s->weight && s->bits == 4 && s->qmin == -8 && s->qmax == 7 && s->groups == 1);
        ++*n;
    }
    ++*n;
}

START_TEST(inspection)
{
    tempdir dir;
    run r;
    dt_inspection before, after;
    dt_run_position later = somewhere;
    dt_error err = { .status = DT_OK };
    size_t params = 0;
    int sites = 0;
    tempdir_init(&dir, "last.h5");
    open_run(&r, RECIPE("4"));
    scramble(&r);
    ck_assert_int_eq(dt_checkpoint_save(NULL, dir.file, &r.s, &r.o, &somewhere, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_inspect_open(dir.file, NULL, NULL, &before, NULL), DT_OK);
    ck_assert(before.native);
    ck_assert_str_eq(before.format, "detent");
    ck_assert_msg(dt_inspect_sites(&before, dir.file,
                                   &(dt_inspect_events){ .site = count_site, .arg = &sites },
                                   &params, &err) == DT_OK,
                  "%s", err.text);
    ck_assert_int_eq(sites, 14 + 1);
    ck_assert_uint_eq(params, r.s.net.state.param_count);
    /* The hash is of the net: position and optimizer do not count, a weight does. */
    later.step++;
    for (int i = 0; i < r.s.net.graph.value_count; i++)
        if (r.o.buffer[0][i]) r.o.buffer[0][i][0] += 1;
    ck_assert_int_eq(dt_checkpoint_save(NULL, dir.file, &r.s, &r.o, &later, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_inspect_open(dir.file, NULL, NULL, &after, NULL), DT_OK);
    ck_assert_str_eq(before.sha256, after.sha256);
    dt_inspect_close(&after);
    r.s.net.state.data[dt_graph_find(&r.s.net.graph, "fc.bias")][3] += 1;
    ck_assert_int_eq(dt_checkpoint_save(NULL, dir.file, &r.s, &r.o, &later, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_inspect_open(dir.file, NULL, NULL, &after, NULL), DT_OK);
    ck_assert_str_ne(before.sha256, after.sha256);
    dt_inspect_close(&after);
    dt_inspect_close(&before);
    close_run(&r);
    tempdir_fini(&dir);
}
END_TEST

START_TEST(foreign_files_are_inspected_without_sites)
{
    char path[TESTDATA_PATH];
    dt_inspection in;
    size_t params;
    dt_error err;
    ck_assert_int_eq(dt_inspect_open(golden_path("torch/zip.pth", path), NULL, NULL, &in, NULL),
                     DT_OK);
    ck_assert(!in.native && in.set.count > 0);
    ck_assert_str_eq(in.format, "torch");
    ck_assert_int_eq(dt_inspect_sites(&in, path,
                                      &(dt_inspect_events){ .site = count_site, .arg = NULL },
                                      &params, &err),
                     DT_ERR_ARG);
    dt_inspect_close(&in);
    ck_assert_int_eq(dt_inspect_open("/nonexistent.h5", NULL, NULL, &in, &err), DT_ERR_NOT_FOUND);
}
END_TEST

DT_TEST_MAIN("checkpoint", everything_comes_back, a_run_goes_on_from_before_an_evaluation,
             another_recipe_is_refused_by_its_keys, odd_texts_are_refused_or_told, inspection,
             foreign_files_are_inspected_without_sites)
