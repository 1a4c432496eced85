/* Learning-rate schedules: rows in schedules.def, one file schedule_<name>.c a row. The rate is set
 * before every step, and warm-up is common to all: the row's rate times a factor that rises
 * linearly from `warmup_from` to 1 over the first `warmup` epochs. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_OPTIM_SCHEDULE_H
#define DT_OPTIM_SCHEDULE_H

#include <stdint.h>

#include "core/opt.h"

/* Where a run is. The planned end does not move when a run is cut short. */
typedef struct dt_progress {
    double base_lr;
    int64_t step;            /* 0..total_steps-1; larger values read as total_steps */
    int64_t steps_per_epoch; /* > 0 */
    int64_t total_steps;     /* > 0 */
} dt_progress;

/* First member of every schedule's configuration. */
typedef struct dt_schedule_common {
    double warmup;      /* epochs, may be broken */
    double warmup_from; /* factor at step 0 */
} dt_schedule_common;

/* The options that belong to it; `conf` has it under the name `common`. */
#define DT_SCHEDULE_OPTS(conf)                                                                     \
    { "warmup",                                                                                    \
      DT_OPT_TYPE_FLOAT,                                                                           \
      offsetof(conf, common.warmup),                                                               \
      0,                                                                                           \
      0,                                                                                           \
      100000,                                                                                      \
      NULL,                                                                                        \
      "epochs over which the rate rises linearly" },                                               \
    {                                                                                              \
        "warmup_from", DT_OPT_TYPE_FLOAT, offsetof(conf, common.warmup_from), 0, 0, 1, NULL,       \
            "factor of the rate at the first step of the warm-up"                                  \
    }

typedef struct dt_schedule {
    dt_row row;
    double (*lr)(const void *conf, const dt_progress *p); /* without warm-up */
} dt_schedule;

/* Rows are dt_schedule. */
extern const dt_table dt_schedules;

/* Learning rate of `step` (from 0), warm-up included. Counts below 1 are read as 1. */
double dt_schedule_lr(const dt_schedule *s, const void *conf, double base_lr, int64_t step,
                      int64_t steps_per_epoch, int64_t total_steps);

/* base * gamma^n by multiplication, the same on every machine. */
double dt_schedule_decay(double base, double gamma, int64_t n);

#endif
