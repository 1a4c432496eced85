/* Half a cosine over the whole run of T steps: min + (base - min) (1 + cos(pi t / T)) / 2
 * (Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts). The last step, T - 1, is still
 * above `min_lr`. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mathx.h"
#include "optim/schedule.h"

typedef struct {
    dt_schedule_common common;
    double min_lr;
} conf;

static const dt_opt opts[] = {
    DT_OPT_FLOAT(conf, min_lr, 0, 0, 1000, "learning rate that the cosine ends at"),
    DT_SCHEDULE_OPTS(conf),
    DT_OPT_END,
};

static double lr(const void *options, const dt_progress *p)
{
    const conf *c = options;
    double wave = dt_cospi((double)p->step / (double)p->total_steps);
    return c->min_lr + (p->base_lr - c->min_lr) * 0.5 * (1 + wave);
}

const dt_schedule dt_schedule_cosine = {
    .row = { "cosine", "half a cosine over all steps", opts, sizeof(conf) },
    .lr = lr,
};
