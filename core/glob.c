/* Glob matcher. It needs only one place to go back to: when a later part fails, an earlier star
 * cannot help, because whatever it could swallow the last star can swallow too. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/glob.h"

#include <stddef.h>

bool dt_glob_match(const char *glob, const char *name)
{
    const char *star = NULL, *from = NULL;
    while (*name) {
        if (*glob == '*') {
            star = ++glob;
            from = name;
        } else if (*glob == '?' || *glob == *name) {
            glob++;
            name++;
        } else if (star) {
            glob = star;
            name = ++from;
        } else {
            return false;
        }
    }
    while (*glob == '*')
        glob++;
    return *glob == '\0';
}
