/* Names by pattern: `*` stands for any characters, dots too, `?` for one character. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CORE_GLOB_H
#define DT_CORE_GLOB_H

#include <stdbool.h>

/* Whether the whole of `name` matches; at most strlen(glob) * strlen(name) comparisons. */
bool dt_glob_match(const char *glob, const char *name);

#endif
