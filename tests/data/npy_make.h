/* Files of numpy in memory. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_DATA_NPY_MAKE_H
#define DT_TESTS_DATA_NPY_MAKE_H

#include <string.h>

/* A file of version `version` with that header, and elements behind it. */
static inline size_t npy_make(unsigned char *to, int version, const char *header,
                              const void *elements, size_t size)
{
    size_t n = strlen(header), start = version == 1 ? 10 : 12;
    memcpy(to, "\x93NUMPY", 6);
    to[6] = (unsigned char)version;
    to[7] = 0;
    for (size_t i = 8; i < start; i++)
        to[i] = (unsigned char)(n >> 8 * (i - 8));
    memcpy(to + start, header, n);
    if (size) memcpy(to + start + n, elements, size);
    return start + n + size;
}

#endif
