/* Text that only shows: names in foreign files may hold anything. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_PLAIN_H
#define DT_CLI_PLAIN_H

#include <stddef.h>

/* Bytes held of a character that is not whole yet; bytes that one byte is shown as. */
enum { CLI_PLAIN_HELD = 4, CLI_PLAIN_MOST = 6 };
enum { CLI_PLAIN_NAME = 512 }; /* room of a name */

/* A stream; { 0 } at its start. */
typedef struct cli_plain {
    unsigned char held[CLI_PLAIN_HELD];
    size_t count;
} cli_plain;

/* The next bytes of the stream, as they are shown: control characters but newline and tab, those
 * that turn the direction of text or end lines, and tags as \uXXXX (two for what has no 16 bits),
 * which JSON reads back; bytes that are no UTF-8 as \xNN. Returns how many bytes, at most
 * CLI_PLAIN_MOST * (size + CLI_PLAIN_HELD). */
size_t cli_plain_add(cli_plain *p, const char *text, size_t size, char *out);
/* What is held at the end, at most CLI_PLAIN_MOST * CLI_PLAIN_HELD bytes. */
size_t cli_plain_end(cli_plain *p, char *out);

/* A name within a line: newlines and tabs of it as \uXXXX too; what does not fit ends in dots.
 * Returns `out`. The rest is left to the stream. */
const char *cli_plain_name(const char *name, char out[CLI_PLAIN_NAME]);

#endif
