/* SPDX-License-Identifier: Apache-2.0 */
#include "data/list_hash.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/run.h"

enum { SIDE = 4, MOST = 600 };

/* A set of the test's own: names or none, and one thing that can be changed. */
static struct {
    int count, label_at, byte_at;
    const char *file, *class_name;
} set;
static const char *class_names[2];

static dt_status open_set(const dt_data_params *p, void **out_self, dt_data_info *out_info,
                          dt_error *err)
{
    (void)p, (void)err;
    class_names[0] = "a";
    class_names[1] = set.class_name;
    *out_self = &set;
    *out_info = (dt_data_info){
        .classes = 2, .H = SIDE, .W = SIDE, .count = { set.count, 3 }, .class_names = class_names
    };
    return DT_OK;
}

static dt_status read_one(const void *self, dt_split split, int64_t index, dt_sample *out,
                          dt_error *err)
{
    (void)self, (void)split;
    DT_TRY(dt_picture_shape(&out->picture, SIDE, SIDE, err));
    memset(out->picture.rgb.data, (int)(index & 127), SIDE * SIDE * 3);
    if (index == set.byte_at) out->picture.rgb.data[SIDE * SIDE * 3 - 1] ^= 1;
    out->label = index == set.label_at;
    return DT_OK;
}

static dt_status name_one(const void *self, dt_split split, int64_t index, dt_sample_name *out,
                          dt_error *err)
{
    (void)self, (void)split, (void)err;
    snprintf(out->name, sizeof out->name, "%s%d", index == 5 ? set.file : "f", (int)index);
    out->label = index == set.label_at;
    return DT_OK;
}

/* Arrays: samples of three numbers, each with two numbers as its answer. */
static dt_status open_arrays(const dt_data_params *p, void **out_self, dt_data_info *out_info,
                             dt_error *err)
{
    (void)p, (void)err;
    *out_self = &set;
    *out_info = (dt_data_info){ .input = DT_SHAPE(3),
                                .answer = DT_ANSWER_RECORD,
                                .answers = 2,
                                .targets = 1,
                                .count = { set.count, 3 } };
    snprintf(out_info->target[0].name, sizeof out_info->target[0].name, "%s", set.file);
    return DT_OK;
}

static dt_status take_one(const void *self, dt_split split, int64_t index, dt_bytes *room, float *x,
                          void *answer, dt_error *err)
{
    const float y[2] = { 1, index == set.label_at };
    (void)self, (void)split;
    DT_TRY(dt_bytes_want(room, 1, err));
    for (int i = 0; i < 3; i++)
        x[i] = (float)index + (index == set.byte_at && i == 2);
    memcpy(answer, y, sizeof y);
    return DT_OK;
}

static void close_set(void *self)
{
    (void)self;
}

static const dt_dataset named = { .row = { "named", "", NULL, 0 },
                                  .open = open_set,
                                  .read = read_one,
                                  .name = name_one,
                                  .close = close_set };
static const dt_dataset nameless = {
    .row = { "nameless", "", NULL, 0 }, .open = open_set, .read = read_one, .close = close_set
};

static const dt_dataset rows = {
    .row = { "rows", "", NULL, 0 }, .open = open_arrays, .take = take_one, .close = close_set
};

static void hash(const dt_dataset *row, char out[DT_SHA256_HEX])
{
    dt_data *data;
    ck_assert_int_eq(dt_data_open(row, &(dt_data_params){ 0 }, &data, NULL), DT_OK);
    ck_assert_int_eq(dt_data_list_hash(data, NULL, out, NULL), DT_OK);
    dt_data_close(data);
}

static void begin(int count)
{
    set.count = count;
    set.label_at = set.byte_at = -1;
    set.file = "f";
    set.class_name = "b";
}

/* Each change but the last is seen. */
START_TEST(the_hash_tells_sets_apart)
{
    static const struct {
        const dt_dataset *row;
        int change;
        bool differs;
    } cases[] = {
        { &named, 0, false },    { &named, 1, true },    { &named, 2, true },
        { &named, 3, true },     { &named, 4, true },    { &named, 5, false },
        { &nameless, 0, false }, { &nameless, 1, true }, { &nameless, 2, true },
        { &nameless, 4, true },  { &nameless, 5, true }, { &rows, 0, false },
        { &rows, 1, true },      { &rows, 2, true },     { &rows, 3, true },
        { &rows, 5, true },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        char before[DT_SHA256_HEX], after[DT_SHA256_HEX];
        begin(40);
        hash(cases[i].row, before);
        ck_assert_int_eq((int)strlen(before), 64);
        if (cases[i].change == 1) set.count = 41;
        if (cases[i].change == 2) set.label_at = 7;
        if (cases[i].change == 3) set.file = "g";
        if (cases[i].change == 4) set.class_name = "c";
        if (cases[i].change == 5) set.byte_at = 9; /* of named files the contents are not read */
        hash(cases[i].row, after);
        ck_assert_msg((strcmp(before, after) != 0) == cases[i].differs, "case %d", (int)i);
    }
}
END_TEST

/* Of more pictures than are looked at, the first of every stretch. */
START_TEST(large_sets_are_sampled)
{
    char before[DT_SHA256_HEX], after[DT_SHA256_HEX];
    begin(MOST);
    hash(&nameless, before);
    set.byte_at = 2 * MOST / DT_LIST_HASH_PICTURES; /* sample 2 of the list */
    hash(&nameless, after);
    ck_assert_str_ne(before, after);
    set.byte_at = 3; /* between two, and in no other split */
    hash(&nameless, after);
    ck_assert_str_eq(before, after);
}
END_TEST

DT_TEST_MAIN("list_hash", the_hash_tells_sets_apart, large_sets_are_sampled)
