/* Text in the width of a terminal. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_WRAP_H
#define DT_CLI_WRAP_H

#include <stddef.h>
#include <stdio.h>

/* Columns of the terminal that a descriptor is; 0: it is none, or does not tell. */
size_t cli_columns(int fd);

/* Prints `head`, padded to `column`, and `text` behind it, broken between words so that no line has
 * more than `width` bytes and continued at `column`. Where little room is left behind a head the
 * text begins on a line of its own. A width of 0 breaks nothing: what another program reads stays a
 * line each. */
void cli_wrap(FILE *to, size_t width, const char *head, size_t column, const char *text);

#endif
