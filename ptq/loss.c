/* The table of losses. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/recon.h"

#define DT_PTQ_LOSS(name) extern const dt_ptq_loss dt_ptq_loss_##name;
#include "ptq/losses.def"
#undef DT_PTQ_LOSS

static const dt_row *const rows[] = {
#define DT_PTQ_LOSS(name) &dt_ptq_loss_##name.row,
#include "ptq/losses.def"
#undef DT_PTQ_LOSS
    NULL,
};
const dt_table dt_ptq_losses = { "loss", rows };
