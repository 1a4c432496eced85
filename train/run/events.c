/* Records by hand, messages by protobuf-c. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/events.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "core/atomic.h"
#include "core/file.h"
#include "event.pb-c.h"

enum {
    LOG_MAX = 1 << 28,
    HEAD = 12, /* of a record: length, checksum */
    TAIL = 4,
    RECORD_MAX = 1 << 20, /* ours are below 4 KB */
    MESSAGE_MAX = DT_EVENT_SCALARS * (DT_EVENT_TAG + 16) + 64,
};

uint32_t dt_events_sum(const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    uint32_t c = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++)
            c = c >> 1 ^ (c & 1 ? 0x82f63b78 : 0);
    }
    c = ~c;
    return (c >> 15 | c << 17) + 0xa282ead8;
}

static void put(unsigned char *to, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t get(const unsigned char *from, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)from[i] << 8 * i;
    return value;
}

static dt_status write_event(dt_events *e, Dt__Event *event, dt_error *err)
{
    unsigned char record[HEAD + MESSAGE_MAX + TAIL];
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    event->wall_time = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    size_t size = dt__event__get_packed_size(event);
    if (size > MESSAGE_MAX)
        return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .file = DT_EVENTS_FILE },
                       "an event of %zu bytes; at most %d are written", size, MESSAGE_MAX);
    put(record, size, 8);
    put(record + 8, dt_events_sum(record, 8), 4);
    dt__event__pack(event, record + HEAD);
    put(record + HEAD + size, dt_events_sum(record + HEAD, size), TAIL);
    errno = 0;
    size_t all = HEAD + size + TAIL;
    if (fwrite(record, 1, all, e->file) == all && fflush(e->file) == 0) return DT_OK;
    return dt_fail(err, DT_ERR_IO, &(dt_where){ .file = DT_EVENTS_FILE }, "cannot write: %s",
                   strerror(errno ? errno : EIO));
}

dt_status dt_events_add(dt_events *e, int64_t step, const dt_event_scalar *scalars, int count,
                        dt_error *err)
{
    Dt__Summary__Value value[DT_EVENT_SCALARS], *list[DT_EVENT_SCALARS];
    Dt__Summary summary = DT__SUMMARY__INIT;
    Dt__Event event = DT__EVENT__INIT;
    if (count > DT_EVENT_SCALARS)
        return dt_fail(err, DT_ERR_ARG, NULL, "%d scalars; at most %d", count, DT_EVENT_SCALARS);
    for (int i = 0; i < count; i++) {
        dt__summary__value__init(&value[i]);
        value[i].tag = (char *)(uintptr_t)scalars[i].tag;
        value[i].value_case = DT__SUMMARY__VALUE__VALUE_SIMPLE_VALUE;
        value[i].simple_value = (float)scalars[i].value;
        list[i] = &value[i];
    }
    summary.n_value = (size_t)count;
    summary.value = list;
    event.step = step;
    event.what_case = DT__EVENT__WHAT_SUMMARY;
    event.summary = &summary;
    return write_event(e, &event, err);
}

/* The bytes of the record at the start of `p`; 0: none that is whole. */
static size_t record_size(const unsigned char *p, size_t left)
{
    if (left < HEAD + TAIL || get(p + 8, 4) != dt_events_sum(p, 8)) return 0;
    uint64_t size = get(p, 8);
    if (size > RECORD_MAX || size > left - HEAD - TAIL) return 0;
    if (get(p + HEAD + size, TAIL) != dt_events_sum(p + HEAD, (size_t)size)) return 0;
    return HEAD + (size_t)size + TAIL;
}

/* What a record is about. */
typedef struct about {
    int64_t step;
    bool alone; /* of the step, not of an epoch */
} about;

static bool look(const unsigned char *message, size_t size, const char *alone, about *out)
{
    Dt__Event *event = dt__event__unpack(NULL, size, message);
    if (!event) return false;
    bool summary = event->what_case == DT__EVENT__WHAT_SUMMARY && event->summary->n_value > 0;
    *out = (about){ .step = event->step,
                    .alone = summary && strcmp(event->summary->value[0]->tag, alone) == 0 };
    dt__event__free_unpacked(event, NULL);
    return true;
}

static dt_status cut_back(const dt_dir *in, int64_t step, bool goes_on, const char *alone,
                          dt_error *err)
{
    unsigned char *data;
    size_t size, kept = 0;
    if (!dt_dir_has(in, DT_EVENTS_FILE)) return DT_OK;
    DT_TRY(dt_dir_read(in, DT_EVENTS_FILE, NULL, LOG_MAX, &data, &size, err));
    for (size_t at = 0, n; at < size; at += n) {
        about a;
        n = record_size(data + at, size - at);
        if (n == 0 || !look(data + at + HEAD, n - HEAD - TAIL, alone, &a)) break;
        if (a.step > step || (a.step == step && goes_on && !a.alone)) continue;
        memmove(data + kept, data + at, n);
        kept += n;
    }
    dt_status st = DT_OK;
    if (kept < size) st = dt_file_write_checked(in, DT_EVENTS_FILE, data, kept, NULL, NULL, err);
    dt_put(NULL, data);
    return st;
}

static dt_status open_file(dt_events *e, const dt_dir *in, dt_error *err)
{
    char version[] = "brain.Event:2";
    Dt__Event event = DT__EVENT__INIT;
    DT_TRY(dt_dir_append(in, DT_EVENTS_FILE, &e->file, err));
    setvbuf(e->file, NULL, _IONBF, 0); /* a record is one write */
    if (fseek(e->file, 0, SEEK_END) != 0 || ftell(e->file) != 0) return DT_OK;
    event.what_case = DT__EVENT__WHAT_FILE_VERSION;
    event.file_version = version;
    return write_event(e, &event, err);
}

dt_status dt_events_open(dt_events *e, const dt_dir *in, int64_t step, bool goes_on,
                         const char *alone, dt_error *err)
{
    *e = (dt_events){ .file = NULL };
    dt_status st = cut_back(in, step, goes_on, alone, err);
    if (st == DT_OK) st = open_file(e, in, err);
    if (st != DT_OK) dt_events_close(e);
    return st;
}

void dt_events_close(dt_events *e)
{
    if (e->file) fclose(e->file);
    e->file = NULL;
}
