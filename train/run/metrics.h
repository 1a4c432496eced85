/* The logs of a run: metrics.jsonl (one JSON object a line, steps and epochs), summary.csv (one
 * row an epoch) and events for TensorBoard. On resume they are cut back to the checkpoint's step.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_RUN_METRICS_H
#define DT_TRAIN_RUN_METRICS_H

#include <stdio.h>

#include "core/dir.h"
#include "core/text.h"
#include "train/run/events.h"
#include "train/run/hold.h"
#include "train/run/run.h"

typedef struct dt_metrics {
    FILE *jsonl, *csv;
    dt_events events;
    const dt_goal *goal; /* borrowed */
    char line[1024]; /* of jsonl, so that a step that writes allocates nothing; it does not move */
} dt_metrics;

/* What a step tells. */
typedef struct dt_run_step {
    double loss, lr, images_per_s;
} dt_run_step;

/* Opens them in a folder that is held; entries beyond `step` are removed first. `goes_on`: so are
 * those of an epoch that a stop cut short at `step`, for it goes on now. */
dt_status dt_metrics_open(dt_metrics *m, const dt_dir *in, const dt_goal *goal, int64_t step,
                          bool goes_on, dt_error *err) DT_MUST_CHECK;
dt_status dt_metrics_step(dt_metrics *m, const dt_run_position *at, const dt_run_step *step,
                          dt_error *err) DT_MUST_CHECK;
dt_status dt_metrics_epoch(dt_metrics *m, const dt_run_epoch *e, dt_error *err) DT_MUST_CHECK;
/* An update that was held, by the step that it ended. */
dt_status dt_metrics_held(dt_metrics *m, const dt_hold_event *e, int64_t step,
                          dt_error *err) DT_MUST_CHECK;
/* Of every quantization site of a graph: events of its scale (the middle of
 * those of its groups) and, of weights, how they meet
 * their grid (events_sites.c). `a` is for one layer at a time. */
dt_status dt_metrics_sites(dt_metrics *m, const dt_graph *g, const dt_state *state, int64_t step,
                           const dt_alloc *a, dt_error *err) DT_MUST_CHECK;
/* A line for each layer and row that has statistics. */
dt_status dt_metrics_dynamics(dt_metrics *m, dt_dynamics *d, int64_t step,
                              dt_error *err) DT_MUST_CHECK;
/* Brings what was logged to the disk; a checkpoint that counts on it comes after. */
dt_status dt_metrics_sync(const dt_metrics *m, dt_error *err) DT_MUST_CHECK;
/* Appends to `note` which of the whole epochs up to at->step the logs tell nothing of
 * (metrics_check.c). */
dt_status dt_metrics_missing(const dt_dir *in, const dt_run_position *at, dt_text *note,
                             dt_error *err) DT_MUST_CHECK;
void dt_metrics_close(dt_metrics *m);

#endif
