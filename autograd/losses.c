/* The table of losses: those rows of ops.def that are one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/loss.h"

#define DT_OP(name)
#define DT_LOSS(name) extern const dt_loss dt_loss_##name;
#include "autograd/ops.def"
#undef DT_LOSS

static const dt_row *const rows[] = {
#define DT_LOSS(name) &dt_loss_##name.row,
#include "autograd/ops.def"
#undef DT_LOSS
#undef DT_OP
    NULL,
};

const dt_table dt_losses = { "loss", rows };
