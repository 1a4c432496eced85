/* A real training run with every allocation of the process counted: between the end of the first
 * step and the end of the last there is none, in no thread. */
/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* nftw */
#include <ftw.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/run.h"
#include "train/run/run.h"

/* glibc's allocator under other names; the definitions below stand before it. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t align, size_t size);

static atomic_long allocations;

void *malloc(size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t align, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    *out = __libc_memalign(align, size);
    return *out ? 0 : 12; /* ENOMEM */
}

typedef struct watch {
    long after_first;
    int steps, changed;
} watch;

static void on_progress(void *arg, const dt_run_progress *p)
{
    watch *w = arg;
    if (p->evaluating) return;
    long now = atomic_load(&allocations);
    if (w->steps++ == 0) w->after_first = now;
    w->changed += now != w->after_first;
}

#define RECIPE(placement) MORE(placement, "32", "")
/* `step`: more keys of the section train. */
#define MORE(placement, batch, step)                                                               \
    "model: {name: smallcnn, width: 4}\n"                                                          \
    "data: {name: builtin, train_pictures: 512, test_pictures: 64, batch: " batch                  \
    ", train: [pad_crop: 4, hflip]}\n"                                                             \
    "quant: {placement: " placement ", weights: {method: lsq, bits: 4},"                           \
    " activations: {method: lsq, bits: 4}}\n"                                                      \
    "train: {epochs: 1, max_steps: 12, optimizer: {name: sgd, lr: 0.01}" step "}\n"
static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

static void check_case(const char *recipe, bool plain)
{
    watch w = { 0 };
    dt_error err = { .status = DT_OK };
    dt_run_result result;
    char folder[] = "/tmp/detent-test-XXXXXX", run[64];
    const dt_recipe_params read = { .tables = &dt_tables, .path = "test.yaml", .text = recipe };
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(run, sizeof run, "%s/run", folder);
    dt_run_params p = { .folder = run, .threads = 2, .plain = plain };
    p.events = (dt_run_events){ .progress = on_progress, .arg = &w };
    ck_assert_msg(dt_recipe_read(&read, &p.recipe, &err) == DT_OK, "%s", err.text);
    ck_assert_msg(dt_run_train(&p, &result, &err) == DT_OK, "%s", err.text);
    ck_assert_int_eq(w.steps, 12);
    ck_assert_int_gt(w.after_first, 0);
    ck_assert_msg(w.changed == 0, "%d of 11 steps allocated", w.changed);
    dt_recipe_free(p.recipe);
    ck_assert_int_eq(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

START_TEST(no_step_allocates)
{
    check_case(RECIPE("deploy"), false);
    check_case(RECIPE("paper"), false);
    check_case(RECIPE("paper"), true);
    check_case(MORE("deploy", "16", ", accumulate: 2"), false);
    check_case(MORE("deploy", "16", ", accumulate: 2, sync_norm: true"), false);
}
END_TEST

DT_TEST_MAIN("allocations", no_step_allocates)
