/* CIFAR files from memory. The first byte selects the layout; whatever passes the check must be
 * readable record by record with labels inside their classes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "data/cifar_file.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const dt_cifar_layout layouts[] = { { 1, { 10 } }, { 2, { 20, 100 } } };
    if (size == 0) return 0;
    const dt_cifar_layout *layout = &layouts[data[0] & 1];
    int64_t records;
    dt_error err;
    if (dt_cifar_check(layout, data + 1, size - 1, "fuzz", &records, &err) != DT_OK) return 0;
    if ((size_t)records * (3072 + (size_t)layout->labels) != size - 1) abort();
    for (int64_t i = 0; i < records; i++) {
        uint8_t picture[DT_CIFAR_BYTES];
        int labels[DT_CIFAR_MAX_LABELS];
        dt_cifar_record(layout, data + 1, i, picture, labels);
        for (int k = 0; k < layout->labels; k++)
            if (labels[k] < 0 || labels[k] >= layout->classes[k]) abort();
    }
    return 0;
}
