/* SPDX-License-Identifier: Apache-2.0 */
#include "optim/schedule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/run.h"

typedef union {
    dt_schedule_common common;
    double room[64];
} storage;

/* Options as "key=value key=value"; a list is "[1,2]". */
static const dt_schedule *configure(const char *name, const char *options, storage *conf)
{
    const dt_row *row = dt_table_find(&dt_schedules, name);
    ck_assert_msg(row && row->conf_size <= sizeof *conf, "%s", name);
    memset(conf, 0, sizeof *conf);
    dt_opt_defaults(row->opts, conf);
    char text[128], *rest = text;
    snprintf(text, sizeof text, "%s", options);
    for (char *pair; (pair = strtok_r(rest, " ", &rest));) {
        char *value = strchr(pair, '=');
        *value++ = '\0';
        ck_assert_int_eq(dt_opt_set(dt_opt_find(row->opts, pair), conf, value, NULL, NULL), DT_OK);
    }
    return (const dt_schedule *)(const void *)row;
}

/* Rates of a run of 100 epochs of 10 steps with base rate 0.8. */
static double at(const char *name, const char *options, int64_t step)
{
    storage conf;
    const dt_schedule *s = configure(name, options, &conf);
    return dt_schedule_lr(s, &conf, 0.8, step, 10, 1000);
}

static void near(double got, double want)
{
    ck_assert_msg(fabs(got - want) <= 1e-14 * fabs(want), "%.17g, not %.17g", got, want);
}

START_TEST(rows)
{
    near(at("constant", "", 999), 0.8);
    near(at("step", "step_size=30 gamma=0.5", 299), 0.8);
    near(at("step", "step_size=30 gamma=0.5", 300), 0.4);
    near(at("step", "step_size=30 gamma=0.5", 999), 0.1);
    near(at("multistep", "milestones=[20,50] gamma=0.25", 199), 0.8);
    near(at("multistep", "milestones=[20,50] gamma=0.25", 200), 0.2);
    near(at("multistep", "milestones=[20,50] gamma=0.25", 500), 0.05);
    near(at("multistep", "", 999), 0.8);
    near(at("cosine", "", 0), 0.8);
    near(at("cosine", "", 250), 0.4 * (1 + sqrt(0.5)));
    near(at("cosine", "", 500), 0.4);
    near(at("cosine", "", 999), 0.4 * (1 + cos(acos(-1) * 0.999)) + 0.0);
    near(at("cosine", "min_lr=0.2", 500), 0.5);
    ck_assert(fabs(at("cosine", "min_lr=0.2", 1000) - 0.2) < 1e-15);
}
END_TEST

START_TEST(warmup_is_linear_per_step_on_every_row)
{
    for (const dt_row *const *r = dt_schedules.rows; *r; r++) {
        const char *name = (*r)->name, *warm = "warmup=2.5 warmup_from=0.2";
        ck_assert(at(name, "warmup=2", 0) == 0);
        near(at(name, warm, 0), 0.2 * at(name, "", 0));
        near(at(name, warm, 10), (0.2 + 0.8 * 10 / 25) * at(name, "", 10));
        near(at(name, warm, 24), (0.2 + 0.8 * 24 / 25) * at(name, "", 24));
        near(at(name, warm, 25), at(name, "", 25));
    }
}
END_TEST

START_TEST(odd_counts_are_harmless)
{
    storage conf;
    for (const dt_row *const *r = dt_schedules.rows; *r; r++) {
        const dt_schedule *s = configure((*r)->name, "warmup=1", &conf);
        ck_assert(isfinite(dt_schedule_lr(s, &conf, 0.1, 5, 0, 0)));
        ck_assert(dt_schedule_lr(s, &conf, 0.1, -1, 10, 100) == 0);
        double end = dt_schedule_lr(s, &conf, 0.1, INT64_MAX, 10, 100);
        ck_assert(end == dt_schedule_lr(s, &conf, 0.1, 100, 10, 100));
    }
    ck_assert(dt_schedule_decay(1, 0, INT64_MAX) == 0);
}
END_TEST

DT_TEST_MAIN("schedule", rows, warmup_is_linear_per_step_on_every_row, odd_counts_are_harmless)
