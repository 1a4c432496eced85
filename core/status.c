/* Status codes and error texts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PLACE_MOST = 200 }; /* bytes of a file or key that leave room for the reason */

static void append(dt_error *err, const char *fmt, ...) DT_PRINTF(2, 3);

/* A text that does not fit ends in dots. */
static void add(dt_error *err, const char *fmt, va_list args)
{
    size_t used = strlen(err->text), room = sizeof err->text - used;
    int n = vsnprintf(err->text + used, room, fmt, args);
    if (n >= 0 && (size_t)n >= room && room > 4) memcpy(err->text + sizeof err->text - 4, "...", 4);
}

static void append(dt_error *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add(err, fmt, args);
    va_end(args);
}

/* Begin and end of a long one: the reason behind it must be read too. */
static void append_place(dt_error *err, const char *place)
{
    size_t n = strlen(place);
    if (n <= PLACE_MOST)
        append(err, "%s", place);
    else
        append(err, "%.*s...%s", PLACE_MOST / 2, place, place + n - PLACE_MOST / 2);
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
        if (where->file) {
            append_place(err, where->file);
            if (where->line > 0) append(err, ":%d", where->line);
            append(err, ": ");
        }
        if (where->key) {
            append_place(err, where->key);
            append(err, ": ");
        }
    }
    va_list args;
    va_start(args, fmt);
    add(err, fmt, args);
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
