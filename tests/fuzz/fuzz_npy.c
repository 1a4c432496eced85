/* Headers of numpy's files from memory: whatever is taken must fill the file with its elements. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "data/npy.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    dt_array_head h;
    dt_error err;
    if (dt_npy_parse(data, size, size, "fuzz", &h, &err) != DT_OK) return 0;
    int64_t count = dt_shape_count(&h.shape);
    if (h.type >= DT_ARRAY_TYPES || h.shape.rank < 1 || count < 1 ||
        h.offset + (size_t)count * dt_array_types[h.type].size != size)
        abort();
    return 0;
}
