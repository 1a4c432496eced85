/* Shapes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shape.h"

#include <stdio.h>

int64_t dt_shape_count(const dt_shape *s)
{
    int64_t count = 1;
    for (int i = 0; i < s->rank; i++) {
        if (s->dim[i] <= 0 || count > INT64_MAX / s->dim[i]) return 0;
        count *= s->dim[i];
    }
    return count;
}

bool dt_shape_equal(const dt_shape *a, const dt_shape *b)
{
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

const char *dt_shape_print(const dt_shape *s, char *text)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < s->rank && used < DT_SHAPE_TEXT; i++)
        used += (size_t)snprintf(text + used, DT_SHAPE_TEXT - used, "%c%lld", i ? ',' : '[',
                                 (long long)s->dim[i]);
    snprintf(text + (used < DT_SHAPE_TEXT ? used : DT_SHAPE_TEXT - 2),
             used < DT_SHAPE_TEXT ? DT_SHAPE_TEXT - used : 2, s->rank ? "]" : "[]");
    return text;
}
