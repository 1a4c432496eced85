/* SPDX-License-Identifier: Apache-2.0 */
#include "data/loader.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/run.h"

enum { TRAIN = 103, TEST = 37, H = 5, W = 4, SIZE = 3 * H * W };

/* A dataset in the test: pixel bytes and label tell the sample; one sample can be made to fail. */
typedef struct fake {
    atomic_int bad; /* training sample that cannot be read; -1: none */
} fake;

static fake the_fake = { -1 };

static dt_status fake_open(const dt_data_params *p, void **out_self, dt_data_info *out_info,
                           dt_error *err)
{
    (void)p, (void)err;
    *out_self = &the_fake;
    *out_info = (dt_data_info){ .classes = 256, .H = H, .W = W, .count = { TRAIN, TEST } };
    return DT_OK;
}

static dt_status fake_read(const void *self, dt_split split, int64_t index, dt_sample *out,
                           dt_error *err)
{
    const fake *f = self;
    if (split == DT_SPLIT_TRAIN && index == f->bad)
        return dt_fail(err, DT_ERR_IO, NULL, "sample %d is bad", (int)index);
    DT_TRY(dt_picture_shape(&out->picture, H, W, err));
    for (int i = 0; i < SIZE; i++)
        out->picture.rgb.data[i] = (uint8_t)(index + i + 100 * split);
    out->label = (int)index;
    return DT_OK;
}

static void fake_close(void *self)
{
    (void)self;
}

static const dt_dataset fake_row = {
    .row = { "fake", "", NULL, 0 }, .open = fake_open, .read = fake_read, .close = fake_close
};

static dt_data *open_fake(void)
{
    dt_data *data = NULL;
    ck_assert_int_eq(dt_data_open(&fake_row, &(dt_data_params){ 0 }, &data, NULL), DT_OK);
    return data;
}

static dt_loader *open_loader(dt_loader_params p)
{
    dt_loader *l = NULL;
    p.normalize = &dt_normalizes[2];
    ck_assert_int_eq(dt_loader_open(&p, &l, NULL), DT_OK);
    return l;
}

static dt_batch next(dt_loader *l)
{
    dt_batch b;
    ck_assert_int_eq(dt_loader_next(l, &b, NULL), DT_OK);
    return b;
}

START_TEST(train_visits_whole_batches_of_a_shuffled_epoch)
{
    dt_data *data = open_fake();
    dt_loader *l = open_loader((dt_loader_params){ .data = data, .batch = 20, .seed = 4 });
    ck_assert_int_eq(dt_loader_batches(l), 5); /* 3 of 103 samples are dropped */
    int first_of_epoch[3];
    for (int e = 0; e < 3; e++) {
        uint8_t seen[TRAIN] = { 0 };
        for (int i = 0; i < 5; i++) {
            dt_batch b = next(l);
            ck_assert(b.epoch == e && b.index == i && b.valid == 20);
            if (i == 0) first_of_epoch[e] = b.labels[0];
            for (int k = 0; k < 20; k++) {
                ck_assert_int_eq(seen[b.labels[k]]++, 0);
                for (int j = 0; j < SIZE; j++)
                    ck_assert_float_eq(b.x[k * SIZE + j], (float)(b.labels[k] + j) / 255.0f);
            }
        }
    }
    ck_assert(first_of_epoch[0] != first_of_epoch[1] || first_of_epoch[1] != first_of_epoch[2]);
    dt_loader_close(l);
    dt_data_close(data);
}
END_TEST

START_TEST(test_split_is_in_order_and_padded)
{
    dt_data *data = open_fake();
    dt_loader *l =
        open_loader((dt_loader_params){ .data = data, .split = DT_SPLIT_TEST, .batch = 16 });
    ck_assert_int_eq(dt_loader_batches(l), 3);
    ck_assert_int_eq(dt_loader_samples(l), TEST);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < 3; i++) {
            dt_batch b = next(l);
            ck_assert_int_eq(b.valid, i == 2 ? 5 : 16);
            for (int k = 0; k < 16; k++) {
                bool real_sample = k < b.valid;
                ck_assert_int_eq(b.labels[k], real_sample ? 16 * i + k : 0);
                for (int j = 0; j < SIZE; j++)
                    ck_assert_float_eq(b.x[k * SIZE + j],
                                       real_sample ? (float)(16 * i + k + j + 100) / 255.0f : 0);
            }
        }
    dt_loader_close(l);
    dt_data_close(data);
}
END_TEST

/* Batches [from, from + 8) of a loader with both transforms into `out`. */
static void record(const dt_data *data, int threads, int64_t from, float *out)
{
    static const int pad = 2;
    static const double p = 0.5;
    const dt_transform_step steps[] = {
        { (const dt_transform *)dt_table_find(&dt_transforms, "pad_crop"), &pad },
        { (const dt_transform *)dt_table_find(&dt_transforms, "hflip"), &p },
    };
    dt_loader *l = open_loader((dt_loader_params){ .data = data,
                                                   .batch = 33,
                                                   .seed = 11,
                                                   .val = 3,
                                                   .steps = steps,
                                                   .step_count = 2,
                                                   .threads = threads });
    ck_assert_int_eq(dt_loader_batches(l), 3);
    ck_assert_int_eq(dt_loader_seek(l, from / 3, from % 3, NULL), DT_OK);
    for (int64_t i = from; i < from + 8; i++, out += 33 * SIZE) {
        dt_batch b = next(l);
        ck_assert(b.epoch == i / 3 && b.index == i % 3);
        memcpy(out, b.x, 33 * SIZE * sizeof *out);
    }
    dt_loader_close(l);
}

START_TEST(a_batch_is_a_function_of_seed_epoch_and_index)
{
    static float a[8 * 33 * SIZE], b[8 * 33 * SIZE];
    dt_data *data = open_fake();
    record(data, 1, 0, a);
    record(data, 4, 0, b);
    ck_assert_mem_eq(a, b, sizeof a);
    record(data, 1, 5, b);
    ck_assert_mem_eq(a + 5 * 33 * SIZE, b, 3 * 33 * SIZE * sizeof *a);
    ck_assert_mem_ne(a, b, 33 * SIZE * sizeof *a);
    dt_data_close(data);
}
END_TEST

START_TEST(validation_samples_are_kept_out_of_training)
{
    dt_data *data = open_fake();
    uint8_t seen[TRAIN] = { 0 };
    dt_loader_params p = { .data = data, .batch = 8, .seed = 2, .val = 23, .split = DT_SPLIT_VAL };
    dt_loader *l = open_loader(p);
    ck_assert_int_eq(dt_loader_samples(l), 23);
    for (int i = 0; i < 3; i++) {
        dt_batch b = next(l);
        for (int k = 0; k < b.valid; k++)
            seen[b.labels[k]] = 2;
    }
    dt_loader_close(l);
    p.split = DT_SPLIT_TRAIN;
    l = open_loader(p);
    ck_assert_int_eq(dt_loader_batches(l), 10);
    for (int i = 0; i < 10; i++) {
        dt_batch b = next(l);
        for (int k = 0; k < 8; k++)
            ck_assert_int_eq(seen[b.labels[k]]++, 0);
    }
    int count[3] = { 0 };
    for (int i = 0; i < TRAIN; i++)
        count[seen[i]]++;
    ck_assert(count[0] == 0 && count[1] == 80 && count[2] == 23);
    dt_loader_close(l);
    dt_data_close(data);
}
END_TEST

START_TEST(a_sample_that_fails_is_told_and_tried_again)
{
    dt_data *data = open_fake();
    dt_loader *l = open_loader((dt_loader_params){ .data = data, .batch = 100, .threads = 3 });
    dt_batch b = next(l);
    the_fake.bad = b.labels[40];
    ck_assert_int_eq(dt_loader_seek(l, 0, 0, NULL), DT_OK);
    dt_error err;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(dt_loader_next(l, &b, &err), DT_ERR_IO);
        char text[64];
        snprintf(text, sizeof text, "sample %d is bad", (int)the_fake.bad);
        ck_assert_str_eq(err.text, text);
    }
    the_fake.bad = -1;
    ck_assert_int_eq(dt_loader_seek(l, 0, 0, NULL), DT_OK);
    b = next(l);
    ck_assert(b.epoch == 0 && b.index == 0 && b.valid == 100);
    dt_loader_close(l);
    dt_data_close(data);
}
END_TEST

static void refused(dt_loader_params p, dt_status status, const char *text)
{
    dt_loader *l = NULL;
    dt_error err;
    ck_assert_int_eq(dt_loader_open(&p, &l, &err), status);
    ck_assert_ptr_null(l);
    ck_assert_str_eq(err.text, text);
}

/* The shares of three processes make all batches of whole steps, each what it is without shares. */
START_TEST(shares_take_turns)
{
    enum { BATCH = 9, BATCHES = 11, STEP = 4 };
    dt_data *data = open_fake();
    static const int64_t first[3] = { 0, 1, 3 }, count[3] = { 1, 2, 1 };
    dt_loader *all = open_loader((dt_loader_params){ .data = data, .batch = BATCH, .seed = 4 });
    ck_assert_int_eq(dt_loader_batches(all), BATCHES);
    for (int s = 0; s < 3; s++) {
        dt_loader *l = open_loader((dt_loader_params){ .data = data,
                                                       .batch = BATCH,
                                                       .seed = 4,
                                                       .first = first[s],
                                                       .count = count[s],
                                                       .of = STEP });
        for (int64_t e = 0; e < 3; e++)
            for (int64_t step = 0; step < BATCHES / STEP; step++)
                for (int64_t i = 0; i < count[s]; i++) {
                    dt_batch got = next(l), want;
                    ck_assert_int_eq(got.epoch, e);
                    ck_assert_int_eq(got.index, step * STEP + first[s] + i);
                    ck_assert_int_eq(dt_loader_seek(all, e, got.index, NULL), DT_OK);
                    want = next(all);
                    ck_assert_mem_eq(got.x, want.x, BATCH * SIZE * sizeof *got.x);
                }
        dt_loader_close(l);
    }
    dt_loader_close(all);
    dt_loader *l;
    const dt_loader_params wrong = { .data = data, .batch = 9, .first = 3, .count = 2, .of = 4 };
    ck_assert_int_eq(dt_loader_open(&wrong, &l, NULL), DT_ERR_ARG);
    dt_data_close(data);
}
END_TEST

START_TEST(impossible_requests_are_refused)
{
    dt_data *data = open_fake();
    refused((dt_loader_params){ .data = data, .batch = 104 }, DT_ERR_RANGE,
            "data.batch: 104 is more than the 103 training samples");
    refused((dt_loader_params){ .data = data, .batch = 0 }, DT_ERR_RANGE,
            "data.batch: 0 is outside 1..8192");
    refused((dt_loader_params){ .data = data, .batch = 1, .val = 103 }, DT_ERR_RANGE,
            "data.val: 103 is outside 0..102 of the training samples");
    refused((dt_loader_params){ .data = data, .batch = 1, .split = DT_SPLIT_VAL }, DT_ERR_RANGE,
            "data.val: 0 leaves the validation split empty");
    refused((dt_loader_params){ .batch = 1 }, DT_ERR_ARG, "dt_loader_open: bad argument");
    dt_loader *l = open_loader((dt_loader_params){ .data = data, .batch = 103 });
    ck_assert_int_eq(dt_loader_seek(l, 0, 1, NULL), DT_ERR_RANGE);
    ck_assert_int_eq(dt_loader_seek(l, -1, 0, NULL), DT_ERR_RANGE);
    dt_loader_close(l);
    dt_loader_close(NULL);
    dt_data_close(data);
}
END_TEST

/* Allocator whose n-th request fails; counts what is out. */
typedef struct failing {
    int countdown, out;
} failing;

static void *failing_get(void *self, size_t size, const char *tag)
{
    failing *f = self;
    if (f->countdown-- == 0) return NULL;
    f->out++;
    const dt_alloc *a = dt_alloc_std();
    return a->get(a->self, size, tag);
}

static void failing_put(void *self, void *memory, size_t size)
{
    failing *f = self;
    f->out--;
    const dt_alloc *a = dt_alloc_std();
    a->put(a->self, memory, size);
}

START_TEST(every_failed_allocation_is_told_and_none_is_made_later)
{
    dt_data *data = open_fake();
    failing f;
    const dt_alloc a = { failing_get, failing_put, &f };
    dt_loader *l = NULL;
    dt_loader_params p = { .data = data, .batch = 10, .val = 3, .alloc = &a };
    int fails = 0;
    for (;; fails++) {
        f = (failing){ .countdown = fails };
        dt_status st = dt_loader_open(&p, &l, NULL);
        if (st == DT_OK) break;
        ck_assert_int_eq(st, DT_ERR_NOMEM);
        ck_assert_int_eq(f.out, 0);
    }
    ck_assert_int_ge(fails, 8);
    f.countdown = 0; /* the next request would fail */
    for (int i = 0; i < 25; i++)
        next(l);
    dt_loader_close(l);
    ck_assert_int_eq(f.out, 0);
    dt_data_close(data);
}
END_TEST

DT_TEST_MAIN("loader", shares_take_turns, train_visits_whole_batches_of_a_shuffled_epoch,
             test_split_is_in_order_and_padded, a_batch_is_a_function_of_seed_epoch_and_index,
             validation_samples_are_kept_out_of_training,
             a_sample_that_fails_is_told_and_tried_again, impossible_requests_are_refused,
             every_failed_allocation_is_told_and_none_is_made_later)
