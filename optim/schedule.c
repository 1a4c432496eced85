/* Table of schedules, and what is common to them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "optim/schedule.h"

#define DT_SCHEDULE(name) extern const dt_schedule dt_schedule_##name;
#include "optim/schedules.def"
#undef DT_SCHEDULE

#define DT_SCHEDULE(name) &dt_schedule_##name.row,
static const dt_row *const rows[] = {
#include "optim/schedules.def"
    NULL,
};
#undef DT_SCHEDULE

const dt_table dt_schedules = { "schedule", rows };

static double warmup_factor(const dt_schedule_common *c, const dt_progress *p)
{
    double steps = c->warmup * (double)p->steps_per_epoch;
    double t = (double)p->step;
    if (t >= steps) return 1;
    return c->warmup_from + (1 - c->warmup_from) * (t / steps);
}

double dt_schedule_lr(const dt_schedule *s, const void *conf, double base_lr, int64_t step,
                      int64_t steps_per_epoch, int64_t total_steps)
{
    dt_progress p = { .base_lr = base_lr,
                      .step = step < 0 ? 0 : step,
                      .steps_per_epoch = steps_per_epoch < 1 ? 1 : steps_per_epoch,
                      .total_steps = total_steps < 1 ? 1 : total_steps };
    if (p.step > p.total_steps) p.step = p.total_steps;
    return s->lr(conf, &p) * warmup_factor(conf, &p);
}

double dt_schedule_decay(double base, double gamma, int64_t n)
{
    for (; n > 0 && base > 0; n--)
        base *= gamma;
    return base;
}
