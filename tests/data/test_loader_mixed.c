/* Loaders over pictures of different sizes, some of which cannot be read, and over mixed ones. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/loader.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/run.h"

enum { TRAIN = 60, TEST = 25, SIDE = 16, SIZE = 3 * SIDE * SIDE, CLASSES = 5 };

/* Pictures of 8..107 pixels a side; every seventh is broken when `broken` is set. */
static bool broken;

static dt_status odd_open(const dt_data_params *p, void **out_self, dt_data_info *out_info,
                          dt_error *err)
{
    static int self;
    (void)p, (void)err;
    *out_self = &self;
    *out_info = (dt_data_info){ .classes = CLASSES, .coded = true, .count = { TRAIN, TEST } };
    return DT_OK;
}

static dt_status odd_read(const void *self, dt_split split, int64_t index, dt_sample *out,
                          dt_error *err)
{
    (void)self;
    if (broken && index % 7 == 3)
        return dt_fail(err, DT_ERR_FORMAT, NULL, "picture %d.%d is broken", split, (int)index);
    int64_t h = 8 + index * 37 % 100, w = 8 + index * 53 % 100;
    DT_TRY(dt_picture_shape(&out->picture, h, w, err));
    for (int64_t i = 0; i < 3 * h * w; i++)
        out->picture.rgb.data[i] = (uint8_t)(i * 31 / w + index);
    out->label = (int)(index % CLASSES);
    return DT_OK;
}

static void odd_close(void *self)
{
    (void)self;
}

static const dt_dataset odd_row = {
    .row = { "odd", "", NULL, 0 }, .open = odd_open, .read = odd_read, .close = odd_close
};

static const struct {
    int size, filter;
    double min_area, max_area, min_ratio, max_ratio;
} crop = { SIDE, 0, 0.2, 1, 0.75, 1.33 };
static const struct {
    double p;
} flip = { 0.5 };
static const struct {
    double alpha, p;
} mixup = { 0.8, 0.5 }, cutmix = { 1, 0.5 };
static const struct {
    int size;
} middle = { SIDE };

static dt_transform_step step(const char *name, const void *conf)
{
    return (dt_transform_step){ (const dt_transform *)dt_table_find(&dt_transforms, name), conf };
}

static dt_data *open_odd(void)
{
    dt_data *data = NULL;
    ck_assert_int_eq(dt_data_open(&odd_row, &(dt_data_params){ 0 }, &data, NULL), DT_OK);
    return data;
}

typedef struct recording {
    float x[6][12 * SIZE], targets[6][12 * CLASSES];
    int32_t labels[6][12];
    int64_t skipped;
} recording;

static void record(const dt_data *data, int threads, bool skip, recording *r)
{
    const dt_transform_step steps[] = { step("random_resized_crop", &crop), step("hflip", &flip),
                                        step("mixup", &mixup), step("cutmix", &cutmix) };
    const dt_loader_params p = { .data = data,
                                 .batch = 12,
                                 .seed = 5,
                                 .steps = steps,
                                 .step_count = 4,
                                 .skip_broken = skip,
                                 .threads = threads };
    dt_loader *l;
    dt_batch b;
    ck_assert_int_eq(dt_loader_open(&p, &l, NULL), DT_OK);
    ck_assert(dt_loader_extent(l).H == SIDE && dt_loader_extent(l).W == SIDE);
    memset(r, 0, sizeof *r);
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(dt_loader_next(l, &b, NULL), DT_OK);
        ck_assert_int_eq(b.valid, 12);
        memcpy(r->x[i], b.x, sizeof r->x[i]);
        memcpy(r->labels[i], b.labels, sizeof r->labels[i]);
        memcpy(r->targets[i], b.targets, sizeof r->targets[i]);
    }
    r->skipped = dt_loader_skipped(l, NULL);
    dt_loader_close(l);
}

START_TEST(batches_do_not_depend_on_threads)
{
    static recording a, b;
    dt_data *data = open_odd();
    for (int with = 0; with < 2; with++) {
        broken = with;
        record(data, 1, with, &a);
        record(data, 4, with, &b);
        ck_assert_mem_eq(&a, &b, sizeof a);
        ck_assert_int_eq(a.skipped > 0, with);
    }
    broken = false;
    dt_data_close(data);
}
END_TEST

START_TEST(targets_are_those_of_both_pictures)
{
    static recording r;
    int soft = 0;
    dt_data *data = open_odd();
    record(data, 2, false, &r);
    for (int b = 0; b < 6; b++)
        for (int i = 0; i < 12; i++) {
            const float *t = r.targets[b] + i * CLASSES;
            int own = r.labels[b][i], other = r.labels[b][11 - i];
            double sum = 0, rest = 0;
            for (int k = 0; k < CLASSES; k++) {
                sum += (double)t[k];
                if (k != own && k != other) rest += (double)t[k];
            }
            ck_assert(fabs(sum - 1) < 1e-6 && rest == 0);
            soft += t[own] < 1;
        }
    ck_assert_int_gt(soft, 20);
    dt_data_close(data);
}
END_TEST

/* The pixels of a mixed batch are what the plain batch and the target's share give. */
START_TEST(pictures_are_mixed_by_the_share_of_their_targets)
{
    static float plain[12 * SIZE];
    const struct {
        double alpha, p;
    } always = { 0.8, 1 };
    const dt_transform_step steps[] = { step("random_resized_crop", &crop),
                                        step("mixup", &always) };
    dt_data *data = open_odd();
    dt_loader_params p = { .data = data, .batch = 12, .seed = 5, .steps = steps, .step_count = 1 };
    dt_loader *l;
    dt_batch b;
    ck_assert_int_eq(dt_loader_open(&p, &l, NULL), DT_OK);
    ck_assert_int_eq(dt_loader_next(l, &b, NULL), DT_OK);
    ck_assert_ptr_null(b.targets);
    memcpy(plain, b.x, sizeof plain);
    dt_loader_close(l);
    p.step_count = 2;
    ck_assert_int_eq(dt_loader_open(&p, &l, NULL), DT_OK);
    ck_assert_int_eq(dt_loader_next(l, &b, NULL), DT_OK);
    for (int i = 0; i < 12; i++) {
        if (b.labels[i] == b.labels[11 - i]) continue;
        float own = b.targets[i * CLASSES + b.labels[i]];
        for (int k = 0; k < SIZE; k++) {
            float want = own * plain[i * SIZE + k] + (1 - own) * plain[(11 - i) * SIZE + k];
            ck_assert(fabsf(want - b.x[i * SIZE + k]) < 1e-5f);
        }
    }
    dt_loader_close(l);
    dt_data_close(data);
}
END_TEST

START_TEST(broken_pictures_end_the_run_or_are_counted)
{
    const dt_transform_step steps[] = { step("center_crop", &middle) };
    dt_data *data = open_odd();
    dt_loader_params p = { .data = data,
                           .split = DT_SPLIT_TEST,
                           .batch = 10,
                           .steps = steps,
                           .step_count = 1,
                           .threads = 3 };
    dt_loader *l;
    dt_batch b;
    dt_error err;
    const char *first;
    broken = true;
    ck_assert_int_eq(dt_loader_open(&p, &l, NULL), DT_OK);
    ck_assert_int_eq(dt_loader_next(l, &b, &err), DT_ERR_FORMAT);
    ck_assert_str_eq(err.text, "picture 1.3 is broken");
    dt_loader_close(l);
    p.skip_broken = true;
    ck_assert_int_eq(dt_loader_open(&p, &l, NULL), DT_OK);
    static const int64_t valid[] = { 9, 8, 4 }; /* without 3; 10, 17; 24 */
    int next = 0;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(dt_loader_next(l, &b, NULL), DT_OK);
        ck_assert(b.valid == valid[i]);
        for (int k = 0; k < 10; k++) {
            if (next % 7 == 3) next++;
            ck_assert_int_eq(b.labels[k], k < b.valid ? next++ % CLASSES : 0);
            if (k >= b.valid) ck_assert_float_eq(b.x[k * SIZE + 77], 0);
        }
    }
    ck_assert_int_eq(dt_loader_skipped(l, &first), 4);
    ck_assert_str_eq(first, "picture 1.3 is broken");
    dt_loader_close(l);
    broken = false;
    dt_data_close(data);
}
END_TEST

/* Counts bytes that are out, and the most there were. */
typedef struct counting {
    atomic_llong now, most;
} counting;

static void *counting_get(void *self, size_t size, const char *tag)
{
    counting *c = self;
    long long now = atomic_fetch_add(&c->now, (long long)size) + (long long)size;
    if (now > atomic_load(&c->most)) atomic_store(&c->most, now);
    return dt_alloc_std()->get(dt_alloc_std()->self, size, tag);
}

static void counting_put(void *self, void *memory, size_t size)
{
    counting *c = self;
    atomic_fetch_sub(&c->now, (long long)size);
    dt_alloc_std()->put(dt_alloc_std()->self, memory, size);
}

START_TEST(memory_is_two_batches_and_a_picture_a_thread)
{
    const dt_transform_step steps[] = { step("random_resized_crop", &crop) };
    dt_data *data = open_odd();
    for (int threads = 1; threads <= 4; threads += 3) {
        counting c = { 0 };
        const dt_alloc a = { counting_get, counting_put, &c };
        const dt_loader_params p = { .data = data,
                                     .batch = 30,
                                     .steps = steps,
                                     .step_count = 1,
                                     .threads = threads,
                                     .alloc = &a };
        dt_loader *l;
        dt_batch b;
        ck_assert_int_eq(dt_loader_open(&p, &l, NULL), DT_OK);
        for (int i = 0; i < 20; i++)
            ck_assert_int_eq(dt_loader_next(l, &b, NULL), DT_OK);
        dt_loader_close(l);
        ck_assert_int_eq(atomic_load(&c.now), 0);
        /* Picture and result (a buffer is either, so both may have the largest), tables. */
        long long window =
            2LL * 30 * (SIZE * 4 + 4) + threads * (2 * 3 * 107 * 107 + 30000) + 40000;
        ck_assert_msg(atomic_load(&c.most) < window, "%lld of %lld", atomic_load(&c.most), window);
    }
    dt_data_close(data);
}
END_TEST

DT_TEST_MAIN("loader_mixed", batches_do_not_depend_on_threads, targets_are_those_of_both_pictures,
             pictures_are_mixed_by_the_share_of_their_targets,
             broken_pictures_end_the_run_or_are_counted,
             memory_is_two_batches_and_a_picture_a_thread)
