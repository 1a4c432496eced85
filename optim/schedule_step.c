/* Base rate times gamma^floor(epoch / step_size); the epoch counts from 0. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "optim/schedule.h"

typedef struct {
    dt_schedule_common common;
    int step_size;
    double gamma;
} conf;

static const dt_opt opts[] = {
    DT_OPT_INT(conf, step_size, 30, 1, 100000, "epochs between two drops"),
    DT_OPT_FLOAT(conf, gamma, 0.1, 0, 1, "factor of each drop"),
    DT_SCHEDULE_OPTS(conf),
    DT_OPT_END,
};

static double lr(const void *options, const dt_progress *p)
{
    const conf *c = options;
    return dt_schedule_decay(p->base_lr, c->gamma, p->step / p->steps_per_epoch / c->step_size);
}

const dt_schedule dt_schedule_step = {
    .row = { "step", "drops by a factor every so many epochs", opts, sizeof(conf) },
    .lr = lr,
};
