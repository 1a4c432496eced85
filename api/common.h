/* What the files of the library share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DETENT_API_COMMON_H
#define DETENT_API_COMMON_H

#include <jansson.h>

#include "api/api.h"
#include "train/detent.h"

enum { API_BATCH = 16 /* of a forward pass */ };

/* The answer of a function of api.h. */
int api_told(dt_status st, const dt_error *err, char error[DETENT_ERROR]);

/* Where events go, and the answer that ends the work. */
typedef struct api_listener {
    detent_event *event;
    void *arg;
    atomic_int stop;
} api_listener;

void api_send(api_listener *l, json_t *o); /* `o` is given back; NULL: no memory, nothing is sent */
void api_on_message(void *arg, const char *text); /* of an api_listener */

/* A recipe from its file, from a checkpoint, or from its text, which begins with '{' and whose
 * relative paths start at the working directory. */
dt_status api_recipe(const char *path, const detent_words *overrides, dt_recipe **out,
                     dt_error *err) DT_MUST_CHECK;
/* With its dataset if `data`; goes back with dt_session_close and dt_recipe_free. */
dt_status api_session(const char *path, const detent_words *overrides, int threads, bool data,
                      dt_recipe **recipe, dt_session *s, dt_error *err) DT_MUST_CHECK;

#endif
