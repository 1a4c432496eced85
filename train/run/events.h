/* A run's log for TensorBoard: events.out.tfevents.detent in the run folder. A file is records of
 * u64 length, its checksum, the bytes of one Event (event.proto) and their checksum; checksums are
 * CRC-32C, masked. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_RUN_EVENTS_H
#define DT_TRAIN_RUN_EVENTS_H

#include <stdio.h>

#include "core/dir.h"

#define DT_EVENTS_FILE "events.out.tfevents.detent"

enum { DT_EVENT_SCALARS = 16, DT_EVENT_TAG = 192 };

typedef struct dt_event_scalar {
    char tag[DT_EVENT_TAG]; /* "train/loss" */
    double value;
} dt_event_scalar;

typedef struct dt_events {
    FILE *file;
} dt_events;

/* Opens the file in a folder. Events beyond `step`, and what is behind a damaged record, are
 * removed first; with `goes_on` those of `step` too, but for the step's own (the tag `alone`). */
dt_status dt_events_open(dt_events *e, const dt_dir *in, int64_t step, bool goes_on,
                         const char *alone, dt_error *err) DT_MUST_CHECK;
/* One event; `count` up to DT_EVENT_SCALARS. Takes no memory. */
dt_status dt_events_add(dt_events *e, int64_t step, const dt_event_scalar *scalars, int count,
                        dt_error *err) DT_MUST_CHECK;
void dt_events_close(dt_events *e);

/* Masked CRC-32C of some bytes. */
uint32_t dt_events_sum(const void *bytes, size_t size);

#endif
