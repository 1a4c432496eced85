/* Logs are cut back on resume, to the byte. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/atomic.h"
#include "tests/support/goal.h"
#include "tests/support/run.h"
#include "tests/support/tempdir.h"

static tempdir dir;
static dt_dir held;
static char csv[128];
static dt_goal goal;

static void begin(void)
{
    goal = goal_of("classify", 10);
    tempdir_init(&dir, "metrics.jsonl");
    snprintf(csv, sizeof csv, "%s/summary.csv", dir.folder);
    ck_assert_int_eq(dt_dir_hold(&held, dir.folder, NULL), DT_OK);
}

static void end(void)
{
    char events[160];
    snprintf(events, sizeof events, "%s/" DT_EVENTS_FILE, dir.folder);
    remove(events);
    remove(csv);
    dt_dir_release(&held);
    tempdir_fini(&dir);
}

static char *text_of(const char *path)
{
    unsigned char *bytes;
    size_t size;
    ck_assert_int_eq(dt_file_read(NULL, path, 1 << 20, &bytes, &size, NULL), DT_OK);
    char *text = calloc(size + 1, 1);
    ck_assert_ptr_nonnull(text);
    memcpy(text, bytes, size);
    dt_put(NULL, bytes);
    return text;
}

static void expect_text(const char *path, const char *want)
{
    char *text = text_of(path);
    ck_assert_str_eq(text, want);
    free(text);
}

/* Steps 10..30, an epoch of 20 steps in between. */
static void log_steps(dt_metrics *m, int64_t from, int64_t to)
{
    for (int64_t step = from; step <= to; step += 10) {
        const dt_run_position at = { .step = step };
        ck_assert_int_eq(dt_metrics_step(m, &at, &(dt_run_step){ 1.5, 0.1, 0 }, NULL), DT_OK);
        const dt_run_epoch e = { .epoch = step / 20,
                                 .step = step,
                                 .score = { .sum = { { 1 } }, .count = 4 } };
        if (step % 20 == 0) ck_assert_int_eq(dt_metrics_epoch(m, &e, NULL), DT_OK);
    }
}

START_TEST(a_resumed_log_is_an_undisturbed_one)
{
    dt_metrics m;
    begin();
    ck_assert_int_eq(dt_metrics_open(&m, &held, &goal, 0, false, NULL), DT_OK);
    log_steps(&m, 10, 60);
    dt_metrics_close(&m);
    char *want_json = text_of(dir.file), *want_csv = text_of(csv);
    ck_assert_ptr_nonnull(strstr(want_csv, "epoch,step,"));
    ck_assert_ptr_nonnull(strstr(want_json, "{\"kind\":\"step\",\"step\":10,\"loss\":1.5,"));
    /* Killed while writing, resumed at step 30. */
    FILE *f = fopen(dir.file, "ab");
    ck_assert_ptr_nonnull(f);
    fputs("{\"kind\":\"step\",\"st", f);
    fclose(f);
    f = fopen(csv, "ab");
    ck_assert_ptr_nonnull(f);
    fputs("4,8", f);
    fclose(f);
    ck_assert_int_eq(dt_metrics_open(&m, &held, &goal, 30, false, NULL), DT_OK);
    log_steps(&m, 40, 60);
    dt_metrics_close(&m);
    expect_text(dir.file, want_json);
    expect_text(csv, want_csv);
    free(want_json);
    free(want_csv);
    end();
}
END_TEST

START_TEST(what_is_no_number_is_null)
{
    dt_metrics m;
    const dt_run_position at = { .step = 10 };
    const dt_run_epoch e = { .epoch = 1,
                             .step = 20,
                             .train = { .loss = INFINITY },
                             .score = { .loss = NAN, .sum = { { 1 } }, .count = 4 } };
    begin();
    ck_assert_int_eq(dt_metrics_open(&m, &held, &goal, 0, false, NULL), DT_OK);
    ck_assert_int_eq(dt_metrics_step(&m, &at, &(dt_run_step){ NAN, 0.1, 0 }, NULL), DT_OK);
    ck_assert_int_eq(dt_metrics_epoch(&m, &e, NULL), DT_OK);
    dt_metrics_close(&m);
    char *text = text_of(dir.file);
    ck_assert_ptr_nonnull(strstr(text, "\"step\":10,\"loss\":null"));
    ck_assert_ptr_nonnull(strstr(text, "\"train_loss\":null"));
    ck_assert_ptr_nonnull(strstr(text, "\"test_loss\":null"));
    free(text);
    end();
}
END_TEST

/* The lines of an epoch that a stop cut short give way to the whole epoch's. */
START_TEST(an_epoch_that_goes_on_is_logged_once)
{
    for (int goes_on = 0; goes_on < 2; goes_on++) {
        dt_metrics m;
        begin();
        ck_assert_int_eq(dt_metrics_open(&m, &held, &goal, 0, false, NULL), DT_OK);
        log_steps(&m, 10, 30);
        const dt_run_epoch cut = { .epoch = 2,
                                   .step = 30,
                                   .score = { .sum = { { 1 } }, .count = 4 } };
        ck_assert_int_eq(dt_metrics_epoch(&m, &cut, NULL), DT_OK);
        dt_metrics_close(&m);
        ck_assert_int_eq(dt_metrics_open(&m, &held, &goal, 30, goes_on, NULL), DT_OK);
        dt_metrics_close(&m);
        char *json = text_of(dir.file), *rows = text_of(csv);
        ck_assert_int_eq(strstr(rows, "\n2,30,") != NULL, !goes_on);
        ck_assert_int_eq(strstr(json, "\"epoch\":2") != NULL, !goes_on);
        ck_assert_ptr_nonnull(strstr(json, "{\"kind\":\"step\",\"step\":30,"));
        ck_assert_ptr_nonnull(strstr(rows, "\n1,20,"));
        free(json);
        free(rows);
        end();
    }
}
END_TEST

START_TEST(foreign_lines_are_dropped)
{
    dt_metrics m;
    begin();
    static const char lines[] = "{\"kind\":\"step\",\"step\":5}\nnonsense\n{\"step\":\"x\"}\n";
    ck_assert_int_eq(dt_file_write(dir.file, lines, sizeof lines - 1, NULL), DT_OK);
    ck_assert_int_eq(dt_metrics_open(&m, &held, &goal, 7, false, NULL), DT_OK);
    dt_metrics_close(&m);
    expect_text(dir.file, "{\"kind\":\"step\",\"step\":5}\n");
    end();
}
END_TEST

static void expect_missing(int64_t step, const char *want)
{
    const dt_run_position at = { .step = step, .steps_per_epoch = 20 };
    dt_text note = { 0 };
    ck_assert_int_eq(dt_metrics_missing(&held, &at, &note, NULL), DT_OK);
    ck_assert_str_eq(note.size ? note.bytes : "", want);
    dt_text_fini(&note);
}

/* Lost with the power, or by an editor. */
START_TEST(epochs_that_logs_lack_are_told)
{
    dt_metrics m;
    begin();
    ck_assert_int_eq(dt_metrics_open(&m, &held, &goal, 0, false, NULL), DT_OK);
    expect_missing(0, "");
    log_steps(&m, 10, 60);
    ck_assert_int_eq(dt_metrics_sync(&m, NULL), DT_OK);
    expect_missing(70, "");
    expect_missing(40, "");
    log_steps(&m, 120, 130);
    dt_metrics_close(&m);
    expect_missing(130, "metrics.jsonl lacks 2 of the 6 epochs before this step, in 4..5; "
                        "summary.csv lacks 2 of the 6 epochs before this step, in 4..5");
    ck_assert_int_eq(dt_file_write(dir.file, "", 0, NULL), DT_OK);
    expect_missing(60, "metrics.jsonl lacks 3 of the 3 epochs before this step, in 1..3");
    end();
}
END_TEST

START_TEST(a_start_from_nothing_empties_old_logs)
{
    dt_metrics m;
    begin();
    ck_assert_int_eq(dt_metrics_open(&m, &held, &goal, 0, false, NULL), DT_OK);
    log_steps(&m, 10, 20);
    dt_metrics_close(&m);
    ck_assert_int_eq(dt_metrics_open(&m, &held, &goal, 0, false, NULL), DT_OK);
    dt_metrics_close(&m);
    expect_text(dir.file, "");
    char *text = text_of(csv);
    ck_assert_ptr_eq(strchr(text, '\n') + 1, text + strlen(text)); /* the head line */
    free(text);
    end();
}
END_TEST

START_TEST(a_folder_that_is_gone_is_an_error)
{
    dt_metrics m;
    dt_error err;
    begin();
    ck_assert_int_eq(rmdir(dir.folder), 0);
    ck_assert_int_eq(dt_metrics_open(&m, &held, &goal, 0, false, &err), DT_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, dir.file));
    ck_assert_ptr_nonnull(strstr(err.text, ": cannot write: "));
    dt_dir_release(&held);
}
END_TEST

/* Killed between making the file and its first line. */
START_TEST(an_empty_summary_gets_its_head)
{
    dt_metrics m;
    begin();
    ck_assert_int_eq(dt_file_write(csv, "", 0, NULL), DT_OK);
    ck_assert_int_eq(dt_metrics_open(&m, &held, &goal, 0, false, NULL), DT_OK);
    char *text = text_of(csv); /* at once: a kill later must find it */
    ck_assert_int_eq(strncmp(text, "epoch,step,", 11), 0);
    free(text);
    dt_metrics_close(&m);
    end();
}
END_TEST

DT_TEST_MAIN("metrics", a_resumed_log_is_an_undisturbed_one, what_is_no_number_is_null,
             an_epoch_that_goes_on_is_logged_once, foreign_lines_are_dropped,
             epochs_that_logs_lack_are_told, a_start_from_nothing_empties_old_logs,
             a_folder_that_is_gone_is_an_error, an_empty_summary_gets_its_head)
