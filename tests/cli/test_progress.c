/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/run.h"

/* The program's own writes past its filter (cli/streams.c). */
void cli_control(const char *sequence);
void cli_control(const char *sequence)
{
    fputs(sequence, stderr);
}

static const char *fit(const char *text, size_t width)
{
    static char line[CLI_PROGRESS_MAX];
    snprintf(line, sizeof line, "%s", text);
    cli_progress_fit(line, width);
    return line;
}

#define LINE "epoch 3 step 7/90  850 img/s  loss 1.25  top-1 9.1%  lr 0.01  ETA 1:02"

START_TEST(fields_are_left_out)
{
    ck_assert_str_eq(fit(LINE, 200), LINE);
    ck_assert_str_eq(fit(LINE, sizeof LINE - 1), LINE);
    ck_assert_str_eq(fit(LINE, sizeof LINE - 2),
                     "epoch 3 step 7/90  850 img/s  loss 1.25  top-1 9.1%  ETA 1:02");
    ck_assert_str_eq(fit(LINE, 50), "epoch 3 step 7/90  850 img/s  loss 1.25  ETA 1:02");
    ck_assert_str_eq(fit(LINE, 28), "epoch 3 step 7/90  ETA 1:02");
    ck_assert_str_eq(fit(LINE, 20), "epoch 3 step 7/90  E");
    ck_assert_str_eq(fit("evaluating 5/10", 8), "evaluati");
    ck_assert_str_eq(fit("", 0), "");
    for (size_t w = 0; w < sizeof LINE; w++)
        ck_assert_uint_le(strlen(fit(LINE, w)), w);
}
END_TEST

START_TEST(durations)
{
    char text[32];
    ck_assert_str_eq(cli_duration(59.6, text, sizeof text), "1:00");
    ck_assert_str_eq(cli_duration(3723, text, sizeof text), "1:02:03");
}
END_TEST

DT_TEST_MAIN("progress", fields_are_left_out, durations)
