/* safetensors files as a row of the importers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/foreign_names.h"
#include "exchange/safetensors/safetensors.h"

extern const dt_importer dt_importer_safetensors;

static dt_status read(dt_import_job *job, dt_tensors *out, dt_error *err)
{
    DT_TRY(dt_safetensors_read(job->path, job->bytes, job->size, job->alloc, out, err));
    return dt_import_names(job, &dt_importer_safetensors, "", out, err);
}

const dt_importer dt_importer_safetensors = {
    .row = { .name = "safetensors", .help = "safetensors file" },
    .keyed = true,
    .beside = dt_import_pytorch_beside,
    .probe = dt_safetensors_probe,
    .read = read,
};
