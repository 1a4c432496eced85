/* safetensors files as a row of the importers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "export/import.h"
#include "export/safetensors.h"

const dt_importer dt_importer_safetensors = {
    .row = { .name = "safetensors", .help = "safetensors file" },
    .beside = dt_import_pytorch_beside,
    .probe = dt_safetensors_probe,
    .read = dt_safetensors_read,
};
