/* Recipes, sessions and events of the library. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/common.h"

#include <stdio.h>

int detent_api_version(void)
{
    return DETENT_API;
}

const char *detent_version(void)
{
    return DT_VERSION;
}

int api_told(dt_status st, const dt_error *err, char error[DETENT_ERROR])
{
    if (st != DT_OK) snprintf(error, DETENT_ERROR, "%s", err->text);
    return (int)st;
}

void api_send(api_listener *l, json_t *o)
{
    char *text = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(o);
    if (!text) return;
    if (l->event(l->arg, text) != 0) atomic_store(&l->stop, 1);
    free(text);
}

void api_on_message(void *arg, const char *text)
{
    api_send(arg, json_pack("{s:s,s:s}", "kind", "message", "text", text));
}

dt_status api_recipe(const char *path, const detent_words *overrides, dt_recipe **out,
                     dt_error *err)
{
    if (path[0] != '{') return dt_recipe_open(path, overrides->at, overrides->count, out, err);
    const dt_recipe_params p = { .tables = &dt_tables,
                                 .path = "recipe",
                                 .text = path,
                                 .overrides = overrides->at,
                                 .override_count = overrides->count };
    return dt_recipe_read(&p, out, err);
}

dt_status api_session(const char *path, const detent_words *overrides, int threads, bool data,
                      dt_recipe **recipe, dt_session *s, dt_error *err)
{
    DT_TRY(api_recipe(path, overrides, recipe, err));
    const dt_session_params p = { .recipe = *recipe,
                                  .threads = threads,
                                  .need = DT_NEED_TEST,
                                  .no_data = !data,
                                  .scores = data,
                                  .memory = dt_memory_limit_default(),
                                  .eval_batch = data ? (*recipe)->eval.batch : API_BATCH };
    dt_status st = dt_session_open(s, &p, err);
    if (st == DT_OK && !s->quantizers_ready) {
        st = dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = path[0] == '{' ? "recipe" : path },
                     "has quantizers without state; give a trained checkpoint");
        dt_session_close(s);
    }
    if (st != DT_OK) dt_recipe_free(*recipe);
    return st;
}
