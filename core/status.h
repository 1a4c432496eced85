/* Status codes and error texts. A code is for the caller's code, the text is for people: one line
 * that names place, key or layer, value, rule and the nearest valid choice. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CORE_STATUS_H
#define DT_CORE_STATUS_H

#include "core/compiler.h"

typedef enum dt_status {
    DT_OK = 0,
    DT_ERR_ARG,         /* caller broke a documented precondition */
    DT_ERR_SHAPE,       /* shapes do not fit together */
    DT_ERR_RANGE,       /* a value is outside its range */
    DT_ERR_NOT_FOUND,   /* a name, key or file does not exist */
    DT_ERR_FORMAT,      /* a file is not what it claims to be */
    DT_ERR_IO,          /* the operating system refused */
    DT_ERR_NOMEM,       /* an allocation failed */
    DT_ERR_NUMERIC,     /* nan or inf where a number must be */
    DT_ERR_UNSUPPORTED, /* valid, but this build or target cannot do it */
} dt_status;

/* Storage is the caller's; every `dt_error *` argument may be NULL. */
typedef struct dt_error {
    dt_status status;
    char text[512];
} dt_error;

/* Place of a user error; of long names the text has begin and end. `file` and `key` may be NULL,
 * `line` 0. Printed as "file:line: key: ". */
typedef struct dt_where {
    const char *file;
    int line;
    const char *key;
} dt_where;

/* Fills `err` with the place (NULL: none) and the formatted text; returns `status`. A text that is
 * already there is overwritten, so call it once, at the lowest level that knows the reason. */
dt_status dt_fail(dt_error *err, dt_status status, const dt_where *where, const char *fmt, ...)
    DT_PRINTF(4, 5);

/* Short name of a status, for logs and tests. Static storage. */
const char *dt_status_name(dt_status status);

#define DT_TRY(expr)                                                                               \
    do {                                                                                           \
        dt_status dt_try_status_ = (expr);                                                         \
        if (dt_try_status_ != DT_OK) return dt_try_status_;                                        \
    } while (0)

#endif
