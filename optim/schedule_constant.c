/* The base rate throughout. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "optim/schedule.h"

typedef struct {
    dt_schedule_common common;
} conf;

static const dt_opt opts[] = { DT_SCHEDULE_OPTS(conf), DT_OPT_END };

static double lr(const void *options, const dt_progress *p)
{
    (void)options;
    return p->base_lr;
}

const dt_schedule dt_schedule_constant = {
    .row = { "constant", "the same learning rate throughout", opts, sizeof(conf) },
    .lr = lr,
};
