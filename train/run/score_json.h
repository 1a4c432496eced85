/* Scores as JSON, by the keys of metrics.jsonl. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_RUN_SCORE_JSON_H
#define DT_TRAIN_RUN_SCORE_JSON_H

#include "tasks/task.h"

struct json_t; /* of jansson.h, which who uses these includes */

/* A number; null where it is not finite, for which JSON has no word. */
struct json_t *dt_json_number(double x);
/* Adds "<split>_loss" and "<split>_<metric>" of every metric to an object. */
void dt_score_json(struct json_t *o, const char *split, const dt_goal *g, const dt_score *s);

#endif
