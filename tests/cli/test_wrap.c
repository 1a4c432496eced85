/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/wrap.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/run.h"

static const char *wrapped(size_t width, const char *head, size_t column, const char *text)
{
    static char kept[1024];
    char *bytes;
    size_t size;
    FILE *f = open_memstream(&bytes, &size);
    cli_wrap(f, width, head, column, text);
    fclose(f);
    snprintf(kept, sizeof kept, "%s", bytes);
    free(bytes);
    return kept;
}

#define TEXT "one two three four five six seven eight nine ten eleven twelve"

START_TEST(lines_are_broken_between_words)
{
    ck_assert_str_eq(wrapped(0, "name", 8, TEXT), "name    " TEXT "\n");
    ck_assert_str_eq(wrapped(80, "name", 8, TEXT), "name    " TEXT "\n");
    ck_assert_str_eq(wrapped(50, "name", 8, TEXT),
                     "name    one two three four five six seven eight\n"
                     "        nine ten eleven twelve\n");
    ck_assert_str_eq(
        wrapped(40, "name", 8, TEXT),
        "name\n    one two three four five six seven\n    eight nine ten eleven twelve\n");
    ck_assert_str_eq(wrapped(40, "name", 8, "short"), "name    short\n");
    ck_assert_str_eq(wrapped(60, "a long name", 8, "short"), "a long name\n        short\n");
    ck_assert_str_eq(wrapped(40, "", 6, "short"), "      short\n");
}
END_TEST

START_TEST(no_line_is_wider)
{
    for (size_t width = 10; width < 100; width++) {
        char lines[1024];
        snprintf(lines, sizeof lines, "%s", wrapped(width, "name", 8, TEXT));
        for (char *line = strtok(lines, "\n"); line; line = strtok(NULL, "\n"))
            ck_assert_uint_le(strlen(line), width);
    }
    ck_assert_str_eq(wrapped(8, "", 4, "a-word-that-is-wider than"),
                     "    a-word-that-is-wider\n    than\n");
}
END_TEST

DT_TEST_MAIN("wrap", lines_are_broken_between_words, no_line_is_wider)
