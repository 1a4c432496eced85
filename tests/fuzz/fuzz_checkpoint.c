/* Our own checkpoints. The block in front of the HDF5 file is made to fit what the fuzzer did
 * behind it, so that libhdf5 and the reader behind it are reached. An input whose block does not end
 * with 0, as it should, goes in as it is, for the checks of the block itself. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"
#include "tests/fuzz/fuzz_import.h"
#include "train/container.h"

enum { VERSION_AT = 8, LENGTH_AT = 16, HASH_AT = 24 };

static void fit_block(uint8_t *file, size_t size)
{
    char hex[DT_SHA256_HEX];
    dt_sha256 h;
    dt_sha256_init(&h);
    dt_sha256_add(&h, file + DT_CONTAINER_BLOCK, size - DT_CONTAINER_BLOCK);
    dt_sha256_end(&h, hex);
    memset(file, 0, DT_CONTAINER_BLOCK);
    memcpy(file, "DETENT\r\n", 8);
    file[VERSION_AT] = DT_CONTAINER_VERSION;
    for (int i = 0; i < 8; i++)
        file[LENGTH_AT + i] = (uint8_t)((uint64_t)size >> 8 * i);
    memcpy(file + HASH_AT, hex, DT_SHA256_HEX - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    if (!copy) return 0;
    if (size) memcpy(copy, data, size);
    bool fits = size > DT_CONTAINER_BLOCK && data[DT_CONTAINER_BLOCK - 1] == 0;
    if (fits) fit_block(copy, size);
    fuzz_import("detent", copy, size);
    free(copy);
    return 0;
}
