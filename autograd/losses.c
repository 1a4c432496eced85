/* The table of losses: those rows of ops.def that are one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/loss.h"

#define DT_LOSS(name) extern const dt_loss dt_loss_##name;
#include "autograd/ops.def"

static const dt_row *const rows[] = {
#define DT_LOSS(name) &dt_loss_##name.row,
#include "autograd/ops.def"
    NULL,
};

const dt_table dt_losses = { "loss", rows };
