/* Table of optimizers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "optim/optimizer.h"

#define DT_OPTIMIZER(name) extern const dt_optimizer dt_optimizer_##name;
#include "optim/optimizers.def"
#undef DT_OPTIMIZER

#define DT_OPTIMIZER(name) &dt_optimizer_##name.row,
static const dt_row *const rows[] = {
#include "optim/optimizers.def"
    NULL,
};
#undef DT_OPTIMIZER

const dt_table dt_optimizers = { "optimizer", rows };

static double field(const void *conf, size_t offset)
{
    return *(const double *)(const void *)((const unsigned char *)conf + offset);
}

double dt_optimizer_lr(const dt_optimizer *o, const void *conf)
{
    return field(conf, o->lr_offset);
}

double dt_optimizer_weight_decay(const dt_optimizer *o, const void *conf)
{
    return field(conf, o->weight_decay_offset);
}
