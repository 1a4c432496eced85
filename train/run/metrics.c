/* Logs of a run; JSON by jansson. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/metrics.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/atomic.h"

enum { LOG_MAX = 1 << 28 };

static const char jsonl[] = "metrics.jsonl", csv[] = "summary.csv";
static const char step_tag[] = "train/loss"; /* of the events of steps, and of those alone */

/* The step that a line belongs to, and whether it tells of that step alone and not of an epoch. */
static int64_t json_step(const char *line, size_t size, bool *out_alone)
{
    json_t *o = json_loadb(line, size, 0, NULL);
    json_t *step = o ? json_object_get(o, "step") : NULL;
    int64_t n = json_is_integer(step) ? (int64_t)json_integer_value(step) : INT64_MAX;
    const char *kind = json_string_value(json_object_get(o, "kind"));
    *out_alone = kind && (strcmp(kind, "step") == 0 || strcmp(kind, "held") == 0);
    if (o) json_decref(o);
    return n;
}

/* The second column; the head line counts as step 0. */
static int64_t csv_step(const char *line, size_t size, bool *out_alone)
{
    *out_alone = false;
    const char *comma = memchr(line, ',', size);
    if (!comma) return INT64_MAX;
    return strncmp(line, "epoch", 5) == 0 ? 0 : strtoll(comma + 1, NULL, 10);
}

/* Rewrites a log without the lines beyond `step`, and without a last line that was cut short. */
static dt_status cut_back(const dt_dir *in, const char *name, int64_t step, bool goes_on,
                          int64_t (*step_of)(const char *, size_t, bool *), dt_error *err)
{
    unsigned char *data;
    size_t size, kept = 0;
    if (!dt_dir_has(in, name)) return DT_OK;
    DT_TRY(dt_dir_read(in, name, NULL, LOG_MAX, &data, &size, err));
    char *text = (char *)data;
    for (size_t at = 0; at < size;) {
        char *end = memchr(text + at, '\n', size - at);
        if (!end) break;
        size_t length = (size_t)(end - (text + at)) + 1;
        bool alone;
        int64_t of = step_of(text + at, length, &alone);
        if (of < step || (of == step && (alone || !goes_on))) {
            memmove(text + kept, text + at, length);
            kept += length;
        }
        at += length;
    }
    dt_status st = DT_OK;
    if (kept < size) st = dt_file_write_checked(in, name, data, kept, NULL, NULL, err);
    dt_put(NULL, data);
    return st;
}

static dt_status flush(FILE *f, const char *name, dt_error *err)
{
    errno = 0;
    if (fflush(f) == 0 && !ferror(f)) return DT_OK;
    return dt_fail(err, DT_ERR_IO, &(dt_where){ .file = name }, "cannot write: %s",
                   strerror(errno ? errno : EIO));
}

/* The first metric of every part, as a column of a split. */
static void put_firsts(const dt_metrics *m, const char *split)
{
    char key[DT_GOAL_NAME];
    for (int p = 0; p < m->goal->trained; p++)
        fprintf(m->csv, "%s_%s,", split, dt_goal_key(m->goal, dt_goal_first(m->goal, p), key));
}

static void put_head(const dt_metrics *m)
{
    char key[DT_GOAL_NAME];
    fprintf(m->csv, "epoch,step,lr,train_loss,");
    put_firsts(m, "train");
    fprintf(m->csv, "test_loss,");
    for (int i = 0; dt_goal_metric(m->goal, i, NULL); i++)
        fprintf(m->csv, "test_%s,", dt_goal_key(m->goal, i, key));
    put_firsts(m, "val");
    fprintf(m->csv, "seconds\n");
}

static dt_status open_both(dt_metrics *m, const dt_dir *in, int64_t step, bool goes_on,
                           dt_error *err)
{
    DT_TRY(cut_back(in, jsonl, step, goes_on, json_step, err));
    DT_TRY(cut_back(in, csv, step, goes_on, csv_step, err));
    DT_TRY(dt_dir_append(in, jsonl, &m->jsonl, err));
    setvbuf(m->jsonl, m->line, _IOFBF, sizeof m->line);
    DT_TRY(dt_dir_append(in, csv, &m->csv, err));
    /* A run that was killed at once may have left an empty file. */
    if (fseek(m->csv, 0, SEEK_END) != 0 || ftell(m->csv) != 0) return DT_OK;
    put_head(m);
    return flush(m->csv, csv, err);
}

dt_status dt_metrics_open(dt_metrics *m, const dt_dir *in, const dt_goal *goal, int64_t step,
                          bool goes_on, dt_error *err)
{
    *m = (dt_metrics){ .goal = goal };
    dt_status st = open_both(m, in, step, goes_on, err);
    if (st == DT_OK) st = dt_events_open(&m->events, in, step, goes_on, step_tag, err);
    if (st != DT_OK) dt_metrics_close(m);
    return st;
}

/* Where there is nothing to sync (a link to /dev/null) that is fine. */
static dt_status sync_log(FILE *f, const char *name, dt_error *err)
{
    if (fsync(fileno(f)) == 0 || errno == EINVAL) return DT_OK;
    return dt_file_failed(name, "sync", err);
}

dt_status dt_metrics_sync(const dt_metrics *m, dt_error *err)
{
    DT_TRY(sync_log(m->jsonl, jsonl, err));
    DT_TRY(sync_log(m->csv, csv, err));
    return sync_log(m->events.file, DT_EVENTS_FILE, err);
}

void dt_metrics_close(dt_metrics *m)
{
    if (m->jsonl) fclose(m->jsonl);
    if (m->csv) fclose(m->csv);
    dt_events_close(&m->events);
    *m = (dt_metrics){ .jsonl = NULL };
}

/* JSON has no word for nan and infinity: null. */
static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static dt_status write_json(dt_metrics *m, json_t *o, dt_error *err)
{
    char *text = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    if (o) json_decref(o);
    if (!text) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a log line");
    fprintf(m->jsonl, "%s\n", text);
    free(text);
    return flush(m->jsonl, jsonl, err);
}

dt_status dt_metrics_step(dt_metrics *m, const dt_run_position *at, const dt_run_step *step,
                          dt_error *err)
{
    dt_event_scalar s[] = { { .value = step->loss },
                            { "train/learning_rate", step->lr },
                            { "perf/img_per_s", step->images_per_s } };
    snprintf(s[0].tag, sizeof s[0].tag, "%s", step_tag);
    DT_TRY(write_json(m,
                      json_pack("{s:s,s:I,s:o,s:f}", "kind", "step", "step", (json_int_t)at->step,
                                "loss", number(step->loss), "lr", step->lr),
                      err));
    return dt_events_add(&m->events, at->step, s, DT_ARRAY_LEN(s), err);
}

/* By hand, for it comes within a step, which does not allocate: sites and parameters are named by
 * models and quantizers, and the numbers are finite. */
dt_status dt_metrics_held(dt_metrics *m, const dt_hold_event *e, int64_t step, dt_error *err)
{
    fprintf(m->jsonl,
            "{\"kind\":\"held\",\"step\":%lld,\"site\":\"%s\",\"group\":%lld,\"floor\":%s,"
            "\"parameter\":\"%s\",\"updated\":%.9g,\"held\":%.9g}\n",
            (long long)step, e->site, (long long)e->group, e->at_floor ? "true" : "false",
            e->parameter, e->updated, e->held);
    return flush(m->jsonl, jsonl, err);
}

typedef struct dynamics_lines {
    dt_metrics *m;
    int64_t step;
    dt_status st;
    dt_error *err;
} dynamics_lines;

/* Numbers; histograms are in the lines only. */
static dt_status dynamics_events(dynamics_lines *l, const char *layer, const dt_dynamics_number *n,
                                 int count)
{
    dt_event_scalar s[DT_EVENT_SCALARS];
    int told = 0;
    for (int i = 0; i < count && told < DT_EVENT_SCALARS; i++) {
        if (n[i].count != 1) continue;
        snprintf(s[told].tag, sizeof s[told].tag, "osc/%s/%s", layer, n[i].key);
        s[told++].value = n[i].value[0];
    }
    return told ? dt_events_add(&l->m->events, l->step, s, told, l->err) : DT_OK;
}

static void dynamics_line(void *arg, const char *row, const char *layer,
                          const dt_dynamics_number *n, int count)
{
    dynamics_lines *l = arg;
    if (l->st != DT_OK) return;
    json_t *o = json_pack("{s:s,s:I,s:s}", "kind", row, "step", (json_int_t)l->step, "layer",
                          layer ? layer : "all");
    for (int i = 0; o && i < count; i++) {
        json_t *list = n[i].count == 1 ? number(n[i].value[0]) : json_array();
        for (int k = 0; n[i].count > 1 && k < n[i].count; k++)
            json_array_append_new(list, number(n[i].value[k]));
        json_object_set_new(o, n[i].key, list);
    }
    l->st = write_json(l->m, o, l->err);
    if (l->st == DT_OK) l->st = dynamics_events(l, layer ? layer : "all", n, count);
}

dt_status dt_metrics_dynamics(dt_metrics *m, dt_dynamics *d, int64_t step, dt_error *err)
{
    dynamics_lines l = { m, step, DT_OK, err };
    dt_dynamics_report(d, dynamics_line, &l);
    return l.st;
}

/* Adds "<split>_<name><end>". */
static void put(json_t *o, const char *split, const char *name, const char *end, json_t *value)
{
    char key[DT_GOAL_NAME + 32];
    snprintf(key, sizeof key, "%s_%s%s", split, name, end);
    json_object_set_new(o, key, value);
}

static void put_metric(json_t *o, const char *split, const dt_goal *g, int i, const dt_score *s,
                       const char *end)
{
    char key[DT_GOAL_NAME];
    put(o, split, dt_goal_key(g, i, key), end, number(dt_score_value(s, g, i)));
}

/* The first metric of every part. */
static void put_first(json_t *o, const char *split, const dt_goal *g, const dt_score *s)
{
    for (int p = 0; p < g->trained; p++)
        put_metric(o, split, g, dt_goal_first(g, p), s, "");
}

/* What was added up of the test split. */
static void put_test(json_t *o, const dt_goal *g, const dt_score *s)
{
    char key[DT_GOAL_NAME];
    json_object_set_new(o, "test_loss", number(s->loss));
    for (int p = 0; p < g->trained; p++)
        for (int i = 0; i < g->part[p].task->counts; i++)
            put(o, "test", dt_goal_name(g, &g->part[p], "_", g->part[p].task->sum[i], key), "",
                json_integer((json_int_t)s->sum[p][i]));
    json_object_set_new(o, "test_count", json_integer((json_int_t)s->count));
    for (int i = 0; dt_goal_metric(g, i, NULL); i++)
        put_metric(o, "test", g, i, s, "");
}

/* Before dynamics changed anything, the first count or metric of every part. */
static void put_before(json_t *o, const dt_goal *g, const dt_score *s)
{
    char key[DT_GOAL_NAME];
    for (int p = 0; p < g->trained; p++) {
        const dt_net_task *t = g->part[p].task;
        if (t->counts)
            put(o, "test", dt_goal_name(g, &g->part[p], "_", t->sum[0], key), "_before",
                json_integer((json_int_t)s->sum[p][0]));
        else
            put_metric(o, "test", g, dt_goal_first(g, p), s, "_before");
    }
}

static json_t *epoch_json(const dt_run_epoch *e, const dt_goal *g)
{
    json_t *o =
        json_pack("{s:s,s:I,s:I,s:f,s:o}", "kind", "epoch", "epoch", (json_int_t)e->epoch, "step",
                  (json_int_t)e->step, "lr", e->lr, "train_loss", number(e->train.loss));
    if (!o) return NULL;
    put_first(o, "train", g, &e->train);
    put_test(o, g, &e->score);
    json_object_set_new(o, "seconds", json_real(e->seconds));
    if (e->has_val && g->decides < 0) json_object_set_new(o, "val_loss", number(e->val.loss));
    if (e->has_val) put_first(o, "val", g, &e->val);
    if (e->has_before) put_before(o, g, &e->before);
    return o;
}

/* Numbers of an event, which is written when it is full. */
typedef struct event {
    dt_metrics *m;
    int64_t step;
    dt_event_scalar s[DT_EVENT_SCALARS];
    int count;
} event;

static dt_status event_end(event *e, dt_error *err)
{
    int count = e->count;
    e->count = 0;
    return count ? dt_events_add(&e->m->events, e->step, e->s, count, err) : DT_OK;
}

/* "<split>/<name>" */
static dt_status event_add(event *e, const char *split, const char *name, double value,
                           dt_error *err)
{
    if (e->count == DT_EVENT_SCALARS) DT_TRY(event_end(e, err));
    dt_event_scalar *s = &e->s[e->count++];
    snprintf(s->tag, sizeof s->tag, "%s/%.160s", split, name);
    s->value = value;
    return DT_OK;
}

/* A score as "<split>/loss" and "<split>/<metric>". */
static dt_status score_event(dt_metrics *m, const char *split, const dt_score *score, int64_t step,
                             dt_error *err)
{
    char key[DT_GOAL_NAME];
    event e = { .m = m, .step = step };
    DT_TRY(event_add(&e, split, "loss", score->loss, err));
    for (int i = 0; dt_goal_metric(m->goal, i, NULL); i++)
        DT_TRY(event_add(&e, split, dt_goal_key(m->goal, i, key), dt_score_value(score, m->goal, i),
                         err));
    return event_end(&e, err);
}

/* `val` is what epochs are chosen by: the validation split, or the test split without one. */
static dt_status epoch_events(dt_metrics *m, const dt_run_epoch *e, dt_error *err)
{
    char key[DT_GOAL_NAME];
    event train = { .m = m, .step = e->step };
    for (int p = 0; p < m->goal->trained; p++) {
        int i = dt_goal_first(m->goal, p);
        DT_TRY(event_add(&train, "train", dt_goal_key(m->goal, i, key),
                         dt_score_value(&e->train, m->goal, i), err));
    }
    DT_TRY(event_end(&train, err));
    DT_TRY(score_event(m, "val", e->has_val ? &e->val : &e->score, e->step, err));
    return e->has_val ? score_event(m, "test", &e->score, e->step, err) : DT_OK;
}

/* The first metric of every part; `none`: their columns stay empty. */
static void put_values(const dt_metrics *m, const dt_score *s, bool none)
{
    for (int p = 0; p < m->goal->trained; p++) {
        if (!none) fprintf(m->csv, "%.4f", dt_score_value(s, m->goal, dt_goal_first(m->goal, p)));
        fprintf(m->csv, ",");
    }
}

dt_status dt_metrics_epoch(dt_metrics *m, const dt_run_epoch *e, dt_error *err)
{
    const dt_goal *g = m->goal;
    DT_TRY(epoch_events(m, e, err));
    DT_TRY(write_json(m, epoch_json(e, g), err));
    fprintf(m->csv, "%lld,%lld,%.9g,%.6f,", (long long)e->epoch, (long long)e->step, e->lr,
            e->train.loss);
    put_values(m, &e->train, false);
    fprintf(m->csv, "%.6f,", e->score.loss);
    for (int i = 0; dt_goal_metric(g, i, NULL); i++)
        fprintf(m->csv, "%.4f,", dt_score_value(&e->score, g, i));
    put_values(m, &e->val, !e->has_val);
    fprintf(m->csv, "%.1f\n", e->seconds);
    return flush(m->csv, csv, err);
}
