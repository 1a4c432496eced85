/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/plain.h"

#include <string.h>

#include "core/compiler.h"
#include "tests/support/run.h"

static const struct {
    const char *text, *shown;
} cases[] = {
    { "plain\ttext\n", "plain\ttext\n" },
    { "\x1b[31m\r\x07\x7f", "\\u001b[31m\\u000d\\u0007\\u007f" },
    { "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
    { "\xc2\x9b"
      "31m",
      "\\u009b31m" },
    { "a\xe2\x80\xae"
      "b\xe2\x81\xa6"
      "c\xd8\x9c\xe2\x80\xa8",
      "a\\u202eb\\u2066c\\u061c\\u2028" },
    { "\xf3\xa0\x81\x81", "\\udb40\\udc41" },
    { "\x9b"
      "31m\xff\xfe",
      "\\x9b31m\\xff\\xfe" },
    { "\xc0\x9b \xe0\x80\x9b", "\\xc0\\x9b \\xe0\\x80\\x9b" }, /* longer than needed */
    { "\xed\xa0\x80 \xf4\x90\x80\x80", "\\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80" },
    { "\xe2\x82\x1b", "\\xe2\\x82\\u001b" }, /* cut by a control */
    { "\xe2\xc3\xa9", "\\xe2\xc3\xa9" },     /* by another character */
    { "end \xf0\x9f\x98", "end \\xf0\\x9f\\x98" },
};

START_TEST(only_what_shows_passes)
{
    for (size_t c = 0; c < DT_ARRAY_LEN(cases); c++) {
        size_t size = strlen(cases[c].text);
        for (size_t cut = 0; cut <= size; cut++) { /* a stream comes in any pieces */
            char out[256];
            cli_plain p = { .count = 0 };
            size_t n = cli_plain_add(&p, cases[c].text, cut, out);
            n += cli_plain_add(&p, cases[c].text + cut, size - cut, out + n);
            n += cli_plain_end(&p, out + n);
            out[n] = '\0';
            ck_assert_str_eq(out, cases[c].shown);
        }
    }
}
END_TEST

START_TEST(no_bytes_need_more_room)
{
    char out[CLI_PLAIN_MOST * (4 + CLI_PLAIN_HELD)];
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++) {
            const char text[4] = { (char)a, (char)b, (char)a, (char)(a ^ b) };
            cli_plain p = { .count = 0 };
            size_t n = cli_plain_add(&p, text, 4, out);
            n += cli_plain_end(&p, out + n);
            ck_assert_uint_le(n, sizeof out);
            for (size_t i = 0; i < n; i++)
                ck_assert(((unsigned char)out[i] >= 0x20 && out[i] != 0x7f) || out[i] == '\n' ||
                          out[i] == '\t');
        }
}
END_TEST

START_TEST(a_name_stays_in_its_line)
{
    char out[CLI_PLAIN_NAME], name[2 * CLI_PLAIN_NAME];
    ck_assert_str_eq(cli_plain_name("a\nb\tc", out), "a\\u000ab\\u0009c");
    ck_assert_str_eq(cli_plain_name("", out), "");
    memset(name, '\n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    size_t n = strlen(cli_plain_name(name, out));
    ck_assert(n < sizeof out && strcmp(out + n - 3, "...") == 0);
}
END_TEST

DT_TEST_MAIN("plain", only_what_shows_passes, no_bytes_need_more_room, a_name_stays_in_its_line)
