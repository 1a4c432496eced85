/* A PNG or JPEG file from memory, as the datasets of folders decode it, turned
 * upright. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "data/picture.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    dt_sample s;
    dt_error err = { 0 };
    dt_sample_init(&s, NULL);
    s.orient = DT_ORIENT_APPLY;
    dt_status st = dt_sample_decode(data, size, "fuzz", &s, &err);
    if (st == DT_OK) {
        unsigned sum = 0; /* every pixel was written */
        for (int64_t i = 0; i < 3 * s.picture.H * s.picture.W; i++)
            sum += s.picture.rgb.data[i];
        if (sum > 255u * 3 * DT_PICTURE_MAX_PIXELS) abort();
    } else if (!*err.text) {
        abort();
    }
    dt_sample_fini(&s);
    return 0;
}
