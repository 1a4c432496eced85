/* Status codes and error texts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void append(dt_error *err, const char *fmt, ...) DT_PRINTF(2, 3);

static void append(dt_error *err, const char *fmt, ...)
{
    size_t used = strlen(err->text);
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->text + used, sizeof err->text - used, fmt, args);
    va_end(args);
}

/* A message is one line whatever a file name or a foreign string held. */
static void keep_one_line(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = '?';
}

dt_status dt_fail(dt_error *err, dt_status status, const dt_where *where, const char *fmt, ...)
{
    if (!err) return status;
    err->status = status;
    err->text[0] = '\0';
    if (where) {
        if (where->file && where->line > 0)
            append(err, "%s:%d: ", where->file, where->line);
        else if (where->file)
            append(err, "%s: ", where->file);
        if (where->key) append(err, "%s: ", where->key);
    }
    size_t used = strlen(err->text);
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->text + used, sizeof err->text - used, fmt, args);
    va_end(args);
    keep_one_line(err->text);
    return status;
}

const char *dt_status_name(dt_status status)
{
    static const char *const names[] = { "ok",         "bad argument", "bad shape", "out of range",
                                         "absent",     "bad format",   "i/o",       "out of memory",
                                         "not finite", "unsupported" };
    size_t i = (size_t)status;
    return i < DT_ARRAY_LEN(names) ? names[i] : "unknown";
}
