/* Lines are broken at blanks, by bytes: what the program says of itself is ASCII. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/wrap.h"

#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LEAST = 36, INDENT = 4 /* room for text behind a head; where it begins otherwise */ };

size_t cli_columns(int fd)
{
    struct winsize size;
    bool known = isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0;
    return known ? size.ws_col : 0;
}

/* How many bytes of the text fit into a line: whole words, one at least. */
static size_t fitting(const char *text, size_t room)
{
    size_t fits = 0;
    for (size_t end = 0; text[end];) {
        end += strspn(text + end, " ");
        end += strcspn(text + end, " ");
        if (fits && end > room) break;
        fits = end;
    }
    return fits;
}

void cli_wrap(FILE *to, size_t width, const char *head, size_t column, const char *text)
{
    size_t at = strlen(head);
    bool runs_over = at > column || (at && at == column && head[at - 1] != ' ');
    if (!width) {
        fprintf(to, "%-*s%s%s\n", (int)column, head, runs_over ? " " : "", text);
        return;
    }
    if (width < column + LEAST && at + strlen(text) > width) {
        column = INDENT;
        runs_over = at > 0;
    }
    if (runs_over) {
        fprintf(to, "%s\n", head);
        head = "";
    }
    fprintf(to, "%-*s", (int)column, head);
    while (*text) {
        size_t n = fitting(text, width - column);
        fprintf(to, "%.*s\n", (int)n, text);
        text += n + strspn(text + n, " ");
        if (*text) fprintf(to, "%*s", (int)column, "");
    }
}
