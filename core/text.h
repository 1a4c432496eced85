/* A text that is written piece by piece and grows. The first failure (memory) sticks, so that
 * callers read as a list of lines and ask once, at the end. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CORE_TEXT_H
#define DT_CORE_TEXT_H

#include <stdarg.h>

#include "core/alloc.h"

typedef struct dt_text { /* { .alloc = a } is an empty one */
    const dt_alloc *alloc;
    char *bytes; /* ends with NUL; NULL while empty */
    size_t size, capacity;
    bool failed;
} dt_text;

void dt_text_say(dt_text *t, const char *fmt, ...) DT_PRINTF(2, 3);
void dt_text_sayv(dt_text *t, const char *fmt, va_list args) DT_PRINTF(2, 0);
void dt_text_fini(dt_text *t);

#endif
