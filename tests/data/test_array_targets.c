/* Several answers of a sample: records of them, and what is wrong with their files. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/array_targets.h"

#include <string.h>

#include "tests/data/npy_make.h"
#include "tests/support/run.h"
#include "tests/support/tempdir.h"

enum { SAMPLES = 3 };

static void path_of(const tempdir *dir, const char *name, char path[160])
{
    snprintf(path, 160, "%s/%s", dir->folder, name);
}

static void write_file(const tempdir *dir, const char *name, const char *type, const char *shape,
                       const void *elements, size_t size)
{
    unsigned char bytes[512];
    char header[128], path[160];
    snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': %s}", type,
             shape);
    path_of(dir, name, path);
    size_t n = npy_make(bytes, 1, header, elements, size);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static const int64_t labels[SAMPLES] = { 2, 0, 6 };
static const float numbers[SAMPLES * 2] = { 0.5F, -1, 2, 3, 4, 5 };
static const unsigned char flags[SAMPLES * 2] = { 0, 1, 1, 0, 1, 1 };

static void write_files(tempdir *dir)
{
    tempdir_init(dir, "unused");
    write_file(dir, "label.npy", "<i8", "(3,)", labels, sizeof labels);
    write_file(dir, "level.npy", "<f4", "(3, 2)", numbers, sizeof numbers);
    write_file(dir, "flag.npy", "|u1", "(3, 2)", flags, sizeof flags);
    write_file(dir, "two.npy", "<f4", "(2, 3)", numbers, sizeof numbers);
    write_file(dir, "three.npy", "|u1", "(3, 1)", flags, 3);
}

static void remove_files(const tempdir *dir)
{
    static const char *const all[] = { "label.npy", "level.npy", "flag.npy", "two.npy", "three.npy" };
    for (size_t i = 0; i < DT_ARRAY_LEN(all); i++) {
        char path[160];
        path_of(dir, all[i], path);
        remove(path);
    }
    tempdir_fini(dir);
}

static const dt_data_target wanted[] = {
    { .name = "level", .kind = DT_ANSWER_NUMBERS },
    { .name = "kind", .kind = DT_ANSWER_LABEL },
    { .name = "loud", .kind = DT_ANSWER_FLAGS },
};

static dt_opt_words words_of(const char *const *word, int count)
{
    dt_opt_words w = { .count = count };
    for (int i = 0; i < count; i++)
        snprintf(w.value[i], sizeof w.value[i], "%s", word[i]);
    return w;
}

static dt_status read_targets(const tempdir *dir, const char *const *word, int count,
                              const char *only, int wants, dt_data_info *info, float **out,
                              int64_t *out_words, dt_error *err)
{
    const dt_opt_words words = words_of(word, count);
    const dt_target_files files = { .words = &words,
                                    .only = only,
                                    .key = "data.targets",
                                    .samples = SAMPLES,
                                    .inputs = "x.npy" };
    const dt_data_params p = { .root = dir->folder, .want = wanted, .wants = wants };
    return dt_array_targets(&files, &p, info, out, out_words, err);
}

/* In the order in which they are wanted, whatever that of the words; labels as integers. */
START_TEST(records_are_in_the_order_that_is_wanted)
{
    static const char *const words[] = { "kind=label.npy", "other=two.npy", "loud=flag.npy",
                                         "level=level.npy" };
    tempdir dir;
    dt_data_info info = { .count = { 0 } };
    dt_error err = { .status = DT_OK };
    float *record;
    int64_t each;
    write_files(&dir);
    ck_assert_msg(read_targets(&dir, words, 4, "", 3, &info, &record, &each, &err) == DT_OK, "%s",
                  err.text);
    ck_assert_int_eq(each, 2 + 1 + 2);
    ck_assert_int_eq(info.targets, 3);
    ck_assert(info.target[0].numbers == 2 && info.target[1].numbers == 1);
    ck_assert_int_eq(info.target[1].classes, 7);
    ck_assert_str_eq(info.target[2].name, "loud");
    for (int i = 0; i < SAMPLES; i++) {
        int32_t label;
        memcpy(&label, record + i * each + 2, sizeof label);
        ck_assert_int_eq(label, labels[i]);
        for (int k = 0; k < 2; k++) {
            ck_assert(record[i * each + k] == numbers[2 * i + k]);
            ck_assert(record[i * each + 3 + k] == (float)flags[2 * i + k]);
        }
    }
    dt_put(NULL, record);
    remove_files(&dir);
}
END_TEST

/* `data.y` where one answer is wanted. A second split has as many numbers, and may have more
 * classes. */
START_TEST(the_only_answer_needs_no_name)
{
    tempdir dir;
    dt_data_info info = { .count = { 0 } };
    dt_error err = { .status = DT_OK };
    float *record;
    int64_t each;
    write_files(&dir);
    for (int split = 0; split < 2; split++) {
        ck_assert_int_eq(read_targets(&dir, NULL, 0, "level.npy", 1, &info, &record, &each, NULL),
                         DT_OK);
        ck_assert(each == 2 && record[3] == 3);
        dt_put(NULL, record);
    }
    ck_assert_int_eq(read_targets(&dir, NULL, 0, "three.npy", 1, &info, &record, &each, &err),
                     DT_ERR_SHAPE);
    ck_assert_msg(strstr(err.text, "three.npy: has 1 numbers to a sample, target 'level' of "
                                   "training 2") != NULL,
                  "%s", err.text);
    remove_files(&dir);
}
END_TEST

START_TEST(what_is_wrong_is_named)
{
    static const struct {
        const char *words[3];
        dt_status status;
        const char *text;
    } cases[] = {
        { { "level=level.npy", "kid=label.npy", "loud=flag.npy" },
          DT_ERR_NOT_FOUND,
          "data.targets: has no target 'kind', did you mean 'kid'?" },
        { { "level=level.npy", "kind=label.npy", "kind=flag.npy" },
          DT_ERR_ARG,
          "data.targets: has 'kind' twice" },
        { { "level=level.npy", "kind", "loud=flag.npy" },
          DT_ERR_FORMAT,
          "data.targets: 'kind' is no NAME=FILE" },
        { { "le vel=level.npy", "kind=label.npy", "loud=flag.npy" },
          DT_ERR_FORMAT,
          "'le vel=level.npy' is no NAME=FILE" },
        { { "level=two.npy", "kind=label.npy", "loud=flag.npy" },
          DT_ERR_SHAPE,
          "two.npy: has 2 samples, x.npy has 3" },
        { { "level=level.npy", "kind=level.npy", "loud=flag.npy" },
          DT_ERR_SHAPE,
          "level.npy: has 2 numbers to a sample; target 'kind' is labels, one each" },
        { { "level=level.npy", "kind=label.npy", "loud=level.npy" },
          DT_ERR_RANGE,
          "level.npy: flag 0 of sample 0 is 0.5; flags are 0 or 1" },
        { { "level=level.npy", "kind=label.npy", "loud=none.npy" },
          DT_ERR_NOT_FOUND,
          "none.npy: cannot open" },
    };
    tempdir dir;
    write_files(&dir);
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        dt_data_info info = { .count = { 0 } };
        dt_error err = { .status = DT_OK };
        float *record = NULL;
        int64_t each;
        dt_status st = read_targets(&dir, cases[i].words, 3, "", 3, &info, &record, &each, &err);
        ck_assert_msg(st == cases[i].status && strstr(err.text, cases[i].text), "%zu: %d %s", i,
                      (int)st, err.text);
        ck_assert_ptr_null(record);
    }
    remove_files(&dir);
}
END_TEST

DT_TEST_MAIN("array_targets", records_are_in_the_order_that_is_wanted,
             the_only_answer_needs_no_name, what_is_wrong_is_named)
