/* The model table. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/models.h"

#define DT_MODEL(name, file) extern const dt_model dt_model_##name;
#include "layers/models.def"
#undef DT_MODEL

static const dt_row *const rows[] = {
#define DT_MODEL(name, file) &dt_model_##name.row,
#include "layers/models.def"
#undef DT_MODEL
    NULL,
};

const dt_table dt_models = { "model", rows };
