/* Words and lists of a C export. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/c99/c_text.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

void dt_c_say(dt_c_text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    dt_text_sayv(t->out, fmt, args);
    va_end(args);
}

void dt_c_say_part(dt_c_text *t, const char *part)
{
    while (*part) {
        size_t n = strcspn(part, "@");
        dt_c_say(t, "%.*s", (int)n, part);
        part += n;
        if (!*part) break;
        bool numbers = strncmp(part, "@OUT@", 5) == 0;
        dt_c_say(t, "%s",
                 numbers                          ? dt_c_outputs(t)
                 : strncmp(part, "@NET@", 5) == 0 ? t->p->macro
                                                  : t->p->net);
        part += 5;
    }
    dt_c_say(t, "\n");
}

const char *dt_c_outputs(const dt_c_text *t)
{
    return t->m->outputs > 1 ? "OUTPUT_BYTES" : "CLASSES";
}

const char *dt_c_plain(const char *name, char out[96])
{
    size_t i = 0;
    for (; name[i] && i < 95; i++)
        out[i] = isalnum((unsigned char)name[i]) || strchr("._-", name[i]) ? name[i] : '_';
    out[i] = '\0';
    return out;
}

void dt_c_say_list(dt_c_text *t, int64_t n, int64_t (*at)(const void *data, int64_t i),
                   const void *data)
{
    int column = 0;
    for (int64_t i = 0; i < n; i++) {
        char item[32];
        int size = snprintf(item, sizeof item, "%lld,", (long long)at(data, i));
        if (column == 0 || column + 1 + size > 100) {
            dt_c_say(t, "\n    %s", item);
            column = 4 + size;
        } else {
            dt_c_say(t, " %s", item);
            column += 1 + size;
        }
    }
    dt_c_say(t, "\n};\n");
}

int64_t dt_c_at_u8(const void *data, int64_t i)
{
    return ((const uint8_t *)data)[i];
}
