/* What standard error shows while work goes on, in the width of the terminal. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/wrap.h"

/* Cursor and colours are for terminals that know them. */
static bool is_terminal(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
}

static size_t terminal_width(void)
{
    size_t columns = cli_columns(STDERR_FILENO);
    return columns ? columns : CLI_PROGRESS_WIDTH;
}

/* The blanks before the last field but one; NULL when there are fewer than three fields. */
static char *last_but_one(char *line)
{
    char *last = NULL, *before = NULL;
    for (char *p = strstr(line, "  "); p; p = strstr(p + strspn(p, " "), "  ")) {
        before = last;
        last = p;
    }
    return before;
}

void cli_progress_fit(char *line, size_t width)
{
    size_t n = strlen(line);
    while (n > width) {
        char *from = last_but_one(line), *to;
        if (!from) break;
        to = strstr(from + strspn(from, " "), "  ");
        memmove(from, to, strlen(to) + 1);
        n = strlen(line);
    }
    if (n > width) line[width] = '\0';
}

void cli_progress(const char *text, double plain_seconds)
{
    static double last = -1e9;
    static bool open; /* a line is on the terminal */
    struct timespec t;
    char line[CLI_PROGRESS_MAX];
    clock_gettime(CLOCK_MONOTONIC, &t);
    double now = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    bool terminal = is_terminal();
    if (!text) {
        if (open) cli_control("\r\033[K");
        open = false;
        return;
    }
    if (now - last < (terminal ? 0.1 : plain_seconds)) return;
    last = now;
    snprintf(line, sizeof line, "%s", text);
    /* The last column stays free: terminals differ in where the cursor is behind it. */
    if (terminal) cli_progress_fit(line, terminal_width() - 1);
    if (terminal) cli_control("\r");
    fprintf(stderr, "%s%s", line, terminal ? "" : "\n");
    if (terminal) cli_control("\033[K");
    open = terminal;
}

void cli_say(const char *text, cli_tone tone)
{
    static const char *const start[] = { NULL, "\033[33m", "\033[31m" }; /* yellow, red */
    const char *none = getenv("NO_COLOR");
    bool coloured = start[tone] && is_terminal() && !(none && *none);
    cli_progress(NULL, 0);
    if (coloured) cli_control(start[tone]);
    fputs(text, stderr);
    if (coloured) cli_control("\033[0m");
    fputc('\n', stderr);
}

const char *cli_duration(double seconds, char *text, size_t size)
{
    long long s = (long long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(text, size, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, size, "%lld:%02lld", s / 60, s % 60);
    return text;
}
