/* Detent's own checkpoints as a row of the importers. The one file here that looks up to train/:
 * the format is of the run, but whatever reads a checkpoint should not have to ask of which kind.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/import.h"
#include "train/store/container.h"

/* The state of a run. */
static const char *const beside[] = { "optimizer/*", "dynamics/*", "resume/*", NULL };

static dt_status read(dt_import_job *job, dt_tensors *out, dt_error *err)
{
    return dt_container_read_bytes(job->path, job->bytes, job->size, job->alloc, out, err);
}

const dt_importer dt_importer_detent = {
    .row = { .name = "detent", .help = "Detent checkpoint (.h5)" },
    .native = true,
    .beside = beside,
    .probe = dt_container_probe,
    .read = read,
};
