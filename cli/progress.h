/* Lines on standard error: progress that is drawn over, and messages. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_PROGRESS_H
#define DT_CLI_PROGRESS_H

#include <stddef.h>

enum {
    CLI_PROGRESS_MAX = 256,
    CLI_PROGRESS_WIDTH = 80, /* of a terminal that does not tell its own */
};

/* Transient progress on one line: redrawn on a terminal (at most 10 times a second) and no wider
 * than it, a plain line every `plain_seconds` elsewhere. Fields are parted by two blanks; the first
 * is the most important one, then the last, then the others in their order. NULL ends the line. */
void cli_progress(const char *text, double plain_seconds);
/* Leaves fields out, from the last but one towards the front, until the line has `width` bytes;
 * cuts it where that does not suffice. */
void cli_progress_fit(char *line, size_t width);

typedef enum cli_tone { CLI_PLAIN, CLI_WARNING, CLI_ERROR } cli_tone;
/* A line of its own; in colour on a terminal, unless NO_COLOR is set and not empty. */
void cli_say(const char *text, cli_tone tone);

/* "1:02:03" */
const char *cli_duration(double seconds, char *text, size_t size);

#endif
