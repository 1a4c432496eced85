/* UTF-8, a character at a time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/plain.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/compiler.h"

/* First and last of what is not shown as it is. */
static const uint32_t hidden[][2] = {
    { 0x00, 0x08 },     { 0x0b, 0x1f },     { 0x7f, 0x9f },
    { 0x61c, 0x61c },   { 0x200e, 0x200f }, { 0x2028, 0x202e },
    { 0x2066, 0x2069 }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f },
};

static bool is_hidden(uint32_t c)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(hidden); i++)
        if (c >= hidden[i][0] && c <= hidden[i][1]) return true;
    return false;
}

/* Bytes of the character that a byte begins; 0: it begins none. */
static size_t length_of(unsigned char first)
{
    return first < 0x80                    ? 1
           : first >= 0xc2 && first < 0xe0 ? 2
           : (first & 0xf0) == 0xe0        ? 3
           : first >= 0xf0 && first < 0xf5 ? 4
                                           : 0;
}

/* Whether `n` bytes may begin a character: no longer form than needed, no surrogate, and nothing
 * above U+10FFFF, which the second byte tells. */
static bool may_begin(const unsigned char *s, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return false;
    if (n < 2) return true;
    return !((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
             (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f));
}

static uint32_t decode(const unsigned char *s, size_t n)
{
    uint32_t c = n == 1 ? s[0] : s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (s[i] & 0x3f);
    return c;
}

/* `out` has room for CLI_PLAIN_MOST bytes for each of the n. */
static size_t show(const unsigned char *s, size_t n, char *out)
{
    char text[2 * CLI_PLAIN_MOST + 1];
    uint32_t c = decode(s, n);
    if (!is_hidden(c)) {
        memcpy(out, s, n);
        return n;
    }
    uint32_t above = c - 0x10000; /* two halves of 10 bits, as JSON has it */
    if (c > 0xffff)
        snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xd800 | (above >> 10 & 0x3ff),
                 0xdc00 | (above & 0x3ff));
    else
        snprintf(text, sizeof text, "\\u%04x", c & 0xffff);
    memcpy(out, text, strlen(text));
    return strlen(text);
}

static size_t show_byte(unsigned char byte, char *out)
{
    char text[8];
    snprintf(text, sizeof text, "\\x%02x", byte);
    memcpy(out, text, 4);
    return 4;
}

/* Shows the first held byte as one that belongs to no character. */
static size_t drop_byte(cli_plain *p, char *out)
{
    size_t n = show_byte(p->held[0], out);
    memmove(p->held, p->held + 1, --p->count);
    return n;
}

/* Shows what is held as far as it is whole or wrong. */
static size_t settle(cli_plain *p, char *out)
{
    size_t n = 0;
    while (p->count) {
        size_t want = length_of(p->held[0]);
        if (!want || !may_begin(p->held, p->count < want ? p->count : want)) {
            n += drop_byte(p, out + n);
            continue;
        }
        if (p->count < want) break;
        n += show(p->held, want, out + n);
        p->count -= want;
        memmove(p->held, p->held + want, p->count);
    }
    return n;
}

size_t cli_plain_add(cli_plain *p, const char *text, size_t size, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        p->held[p->count++] = (unsigned char)text[i];
        n += settle(p, out + n);
    }
    return n;
}

size_t cli_plain_end(cli_plain *p, char *out)
{
    size_t n = 0;
    while (p->count)
        n += drop_byte(p, out + n);
    return n;
}

const char *cli_plain_name(const char *name, char out[CLI_PLAIN_NAME])
{
    size_t n = 0;
    for (; *name && n + CLI_PLAIN_MOST < CLI_PLAIN_NAME - 4; name++) {
        if (*name == '\n' || *name == '\t')
            n += (size_t)snprintf(out + n, CLI_PLAIN_NAME - n, "\\u%04x", (unsigned)*name);
        else
            out[n++] = *name;
    }
    snprintf(out + n, CLI_PLAIN_NAME - n, "%s", *name ? "..." : "");
    return out;
}
