/* Base rate times gamma^(number of milestones that are not after the epoch, counted from 0). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "optim/schedule.h"

typedef struct {
    dt_schedule_common common;
    dt_opt_ints milestones;
    double gamma;
} conf;

static const dt_opt opts[] = {
    DT_OPT_INTS(conf, milestones, 1, 100000, "epochs at which the rate drops"),
    DT_OPT_FLOAT(conf, gamma, 0.1, 0, 1, "factor of each drop"),
    DT_SCHEDULE_OPTS(conf),
    DT_OPT_END,
};

static double lr(const void *options, const dt_progress *p)
{
    const conf *c = options;
    int64_t epoch = p->step / p->steps_per_epoch;
    int drops = 0;
    while (drops < c->milestones.count && c->milestones.value[drops] <= epoch)
        drops++;
    return dt_schedule_decay(p->base_lr, c->gamma, drops);
}

const dt_schedule dt_schedule_multistep = {
    .row = { "multistep", "drops by a factor at given epochs", opts, sizeof(conf) },
    .lr = lr,
};
