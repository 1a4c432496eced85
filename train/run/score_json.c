/* Scores as JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/score_json.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

json_t *dt_json_number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

void dt_score_json(json_t *o, const char *split, const dt_goal *g, const dt_score *s)
{
    char key[DT_GOAL_NAME + 32], name[DT_GOAL_NAME];
    snprintf(key, sizeof key, "%s_loss", split);
    json_object_set_new(o, key, dt_json_number(s->loss));
    for (int i = 0; dt_goal_metric(g, i, NULL); i++) {
        snprintf(key, sizeof key, "%s_%s", split, dt_goal_key(g, i, name));
        json_object_set_new(o, key, dt_json_number(dt_score_value(s, g, i)));
    }
}
