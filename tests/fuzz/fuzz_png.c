/* PNG from memory, as the dataset of folders decodes it: the first two bytes are the size that the
 * picture must have. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "data/picture.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size < 2) return 0;
    int64_t H = data[0] + 1, W = data[1] + 1;
    size_t bytes = (size_t)(3 * H * W);
    uint8_t *picture = malloc(bytes + 1); /* H x W decides how much may be written */
    if (!picture) return 0;
    picture[bytes] = 0xA5;
    dt_error err = { 0 };
    dt_status st = dt_picture_parse(data + 2, size - 2, "fuzz", H, W, picture, &err);
    if (picture[bytes] != 0xA5 || (st != DT_OK && !*err.text)) abort();
    free(picture);
    return 0;
}
