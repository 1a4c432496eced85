/* What a run's logs lack of the epochs before a checkpoint. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/text.h"
#include "train/run/metrics.h"

enum { LOG_MAX = 1 << 28 };

/* The epoch that a line tells of; 0: of none. */
static int64_t json_epoch(const char *line, size_t size)
{
    json_t *o = json_loadb(line, size, 0, NULL);
    const json_t *epoch = o ? json_object_get(o, "epoch") : NULL;
    int64_t n = json_is_integer(epoch) ? (int64_t)json_integer_value(epoch) : 0;
    if (o) json_decref(o);
    return n;
}

static int64_t csv_epoch(const char *line, size_t size)
{
    return size ? strtoll(line, NULL, 10) : 0;
}

/* Epochs first..last and how many of 1..want no line tells of; lines come in order. */
typedef struct gaps {
    int64_t next, first, last, count;
} gaps;

static void skip_to(gaps *g, int64_t epoch)
{
    if (epoch > g->next) {
        if (g->count == 0) g->first = g->next;
        g->last = epoch - 1;
        g->count += epoch - g->next;
    }
    if (epoch >= g->next) g->next = epoch + 1;
}

static void find_gaps(const char *text, size_t size, int64_t want,
                      int64_t (*epoch_of)(const char *, size_t), gaps *g)
{
    *g = (gaps){ .next = 1 };
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end ? (size_t)(end - text) - at : size - at;
        int64_t epoch = epoch_of(text + at, length);
        if (epoch <= want) skip_to(g, epoch);
        at += length + 1;
    }
    skip_to(g, want + 1);
}

static dt_status tell(const dt_dir *in, const char *name, int64_t want,
                      int64_t (*epoch_of)(const char *, size_t), dt_text *note, dt_error *err)
{
    unsigned char *text;
    size_t size;
    gaps g;
    DT_TRY(dt_dir_read(in, name, NULL, LOG_MAX, &text, &size, err));
    find_gaps((char *)text, size, want, epoch_of, &g);
    dt_put(NULL, text);
    if (g.count == 0) return DT_OK;
    dt_text_say(note, "%s%s lacks %lld of the %lld epochs before this step, in %lld..%lld",
                note->size ? "; " : "", name, (long long)g.count, (long long)want,
                (long long)g.first, (long long)g.last);
    return DT_OK;
}

dt_status dt_metrics_missing(const dt_dir *in, const dt_run_position *at, dt_text *note,
                             dt_error *err)
{
    int64_t epochs = at->steps_per_epoch ? at->step / at->steps_per_epoch : 0;
    DT_TRY(tell(in, "metrics.jsonl", epochs, json_epoch, note, err));
    return tell(in, "summary.csv", epochs, csv_epoch, note, err);
}
