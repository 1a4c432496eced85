/* Reading a table of times. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/sensitivity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 128, TIME_MISSING = -1 };

typedef struct entry {
    char layer[NAME];
    int bits, x_bits;
    double us;
} entry;

/* "conv1,4,8,12.5" up to the line's end. */
static bool read_entry(const char *line, size_t size, entry *out)
{
    const char *end = line + size, *comma = memchr(line, ',', size);
    char rest[96], *at;
    if (!comma || comma == line || (size_t)(comma - line) >= sizeof out->layer) return false;
    memcpy(out->layer, line, (size_t)(comma - line));
    out->layer[comma - line] = '\0';
    size_t left = (size_t)(end - comma - 1);
    if (left >= sizeof rest) return false;
    memcpy(rest, comma + 1, left);
    rest[left] = '\0';
    out->bits = (int)strtol(rest, &at, 10);
    if (at == rest || *at != ',') return false;
    char *second = at + 1;
    out->x_bits = (int)strtol(second, &at, 10);
    if (at == second || *at != ',') return false;
    char *third = at + 1;
    out->us = strtod(third, &at);
    while (*at == ' ' || *at == '\r')
        at++;
    return at != third && !*at;
}

static dt_status put(const entry *e, const dt_where *at, dt_ptq_mixed *m, dt_error *err)
{
    if (!(e->us >= 0 && e->us <= 1e9))
        return dt_fail(err, DT_ERR_FORMAT, at, "%g microseconds are not in 0..1e9", e->us);
    if (e->bits < 1 || e->bits > DT_PTQ_WIDTHS) return DT_OK;
    for (int i = 0; i < m->count; i++) {
        dt_ptq_mixed_layer *l = &m->layer[i];
        if (l->x_bits != e->x_bits || strcmp(l->name, e->layer) != 0) continue;
        if (l->time_ns[e->bits] != TIME_MISSING)
            return dt_fail(err, DT_ERR_FORMAT, at, "a second time for '%s' at %d and %d bits",
                           l->name, e->bits, e->x_bits);
        l->time_ns[e->bits] = (int64_t)(e->us * 1000 + 0.5);
    }
    return DT_OK;
}

static dt_status check_whole(const char *file, const dt_ptq_mixed *m, dt_error *err)
{
    for (int i = 0; i < m->count; i++)
        for (int k = 0; k < m->widths; k++) {
            const dt_ptq_mixed_layer *l = &m->layer[i];
            if (l->fixed || l->time_ns[m->width[k]] != TIME_MISSING) continue;
            return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .file = file },
                           "has no time of '%s' with weights of %d and inputs of %d bits", l->name,
                           m->width[k], l->x_bits);
        }
    return DT_OK;
}

dt_status dt_ptq_latency_parse(const char *file, const char *text, dt_ptq_mixed *m, dt_error *err)
{
    int number = 0;
    for (int i = 0; i < m->count; i++)
        for (int b = 0; b <= DT_PTQ_WIDTHS; b++)
            m->layer[i].time_ns[b] = TIME_MISSING;
    while (*text) {
        char key[32];
        entry e;
        size_t size = strcspn(text, "\n");
        bool ok = read_entry(text, size, &e);
        snprintf(key, sizeof key, "line %d", ++number);
        const dt_where at = { .file = file, .key = key };
        if (!ok && size > 0 && number > 1)
            return dt_fail(err, DT_ERR_FORMAT, &at,
                           "is not of the form layer,weight bits,input bits,microseconds");
        if (ok) DT_TRY(put(&e, &at, m, err));
        text += size + (text[size] == '\n');
    }
    return check_whole(file, m, err);
}
