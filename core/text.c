/* A text that grows. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/text.h"

#include <stdio.h>

void dt_text_sayv(dt_text *t, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    void *bytes = t->bytes;
    if (n < 0 ||
        dt_grow(t->alloc, &bytes, &t->capacity, t->size + (size_t)n + 1, 1, "text", NULL) != DT_OK)
        t->failed = true;
    t->bytes = bytes;
    if (!t->failed) {
        vsnprintf(t->bytes + t->size, (size_t)n + 1, fmt, again);
        t->size += (size_t)n;
    }
    va_end(again);
}

void dt_text_say(dt_text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    dt_text_sayv(t, fmt, args);
    va_end(args);
}

void dt_text_fini(dt_text *t)
{
    dt_put(t->alloc, t->bytes);
    *t = (dt_text){ .alloc = t->alloc };
}
