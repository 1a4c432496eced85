/* detent quantize --max-drop */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/max_drop.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/quantize_events.h"
#include "core/atomic.h"

enum { HELD_OUT = 2000 }; /* pictures at most; a fifth of few */
/* The search ends where what fits and what does not are so near in cost. */
static const double NEAR = 0.02;

typedef struct search {
    cli_quantize_recipe *r;
    cli_mixed *m;
    const char *folder;
    cli_drop *out;
    int own;      /* rules of the recipe itself */
    int64_t best; /* cost */
    double best_drop;
} search;

static dt_status read_limit(const cli_args *args, double *out, dt_error *err)
{
    char *end;
    *out = strtod(args->max_drop, &end);
    if (end != args->max_drop && !*end && *out >= 0 && *out <= 100) return DT_OK;
    return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = "--max-drop" },
                   "'%s' is no number of points in 0..100, such as 0.5", args->max_drop);
}

dt_status cli_drop_check(const cli_args *args, dt_error *err)
{
    double limit;
    static cli_mixed m;
    DT_TRY(read_limit(args, &limit, err));
    if (args->bits && !cli_quantize_mixed(args))
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = "--max-drop" },
                       "chooses weights' bits, so --bits is mixed or not given; those of "
                       "activations: quant.activations.bits=4");
    return cli_mixed_options(args, &m, err);
}

/* ---- pictures that no stage reads ---- */

static dt_status count_training(dt_recipe *recipe, int64_t *out, dt_error *err)
{
    dt_session s;
    DT_TRY(dt_session_start(&s, recipe, 1, NULL, err));
    dt_status st = dt_session_open_data(&s, DT_NEED_TRAIN, err);
    if (st == DT_OK) *out = dt_data_info_of(s.data)->count[DT_SPLIT_TRAIN];
    dt_session_close(&s);
    return st;
}

static dt_status put_number(cli_quantize_recipe *r, const char *key, int64_t value, dt_error *err)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    return cli_quantize_more(r, key, text, err);
}

/* The recipe's own validation pictures, or a part of the training ones. */
static dt_status hold_out(cli_quantize_recipe *r, dt_error *err)
{
    const dt_data_conf *data = r->recipe->data.common;
    int64_t count, val = data->val;
    const int images = r->recipe->ptq.images;
    if (val > 0) return DT_OK;
    DT_TRY(count_training(r->recipe, &count, err));
    val = count / 5 < HELD_OUT ? count / 5 : HELD_OUT;
    if (val < 1)
        return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = "--max-drop" },
                       "%" PRId64 " training pictures: too few to hold a fifth out", count);
    DT_TRY(put_number(r, "data.val", val, err));
    return images > count - val ? put_number(r, "ptq.images", count - val, err) : DT_OK;
}

/* ---- a try ---- */

static double drop_of(const dt_session *s, const dt_quantize_report *r)
{
    const dt_goal *g = &s->net.goal;
    const dt_quantize_score *q = r->integer.has ? &r->integer : &r->quantized;
    double n = q->score.count ? (double)q->score.count : 1;
    if (s->data && dt_data_info_of(s->data)->unlabelled) return 100 * (1 - (double)q->agree / n);
    double was = dt_score_deciding(&r->plain.score, g), is = dt_score_deciding(&q->score, g);
    double apart = fabs(was - is);
    return apart > 0 && dt_goal_is_better(g, is, was) ? -apart : apart;
}

static dt_status write_drop(const search *s, const char *path, const dt_recipe *recipe, double drop,
                            dt_error *err)
{
    char *text =
        dt_format(NULL,
                  "{\"hash\": \"%s\", \"drop\": %.17g, \"held_out\": %d, "
                  "\"labelled\": %s}\n",
                  recipe->hash, drop, s->out->held_out, s->out->labelled ? "true" : "false");
    if (!text) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    dt_status st = dt_file_write(path, text, strlen(text), err);
    dt_put(NULL, text);
    return st;
}

/* Of a try that an earlier run finished; false: there is none. */
static bool read_drop(const search *s, const char *path, const dt_recipe *recipe, double *out)
{
    const char *hash;
    int held_out, labelled;
    json_t *o = json_load_file(path, 0, NULL);
    bool ok = o &&
              json_unpack(o, "{s:s,s:F,s:i,s:b}", "hash", &hash, "drop", out, "held_out", &held_out,
                          "labelled", &labelled) == 0 &&
              strcmp(hash, recipe->hash) == 0;
    if (ok) {
        s->out->held_out = held_out;
        s->out->labelled = labelled != 0;
    }
    json_decref(o);
    return ok;
}

static dt_status quantize(const search *s, dt_recipe *recipe, const char *folder, double *drop,
                          dt_error *err)
{
    dt_session session;
    dt_quantize_report report;
    dt_quantize_params p;
    char *done;
    DT_TRY(dt_path_join(folder, "quantized.h5", &done, err));
    remove(done); /* without its drop it was stopped in between */
    dt_put(NULL, done);
    cli_quantize_params(&s->r->args, recipe, folder, &p);
    p.events.unit = NULL;
    DT_TRY(dt_quantize(&p, &session, &report, err));
    *drop = drop_of(&session, &report);
    s->out->held_out = (int)report.quantized.score.count;
    s->out->labelled = !(session.data && dt_data_info_of(session.data)->unlabelled);
    dt_quantize_report_fini(NULL, &report);
    dt_session_close(&session);
    return DT_OK;
}

static dt_status try_in(const search *s, dt_recipe *recipe, const char *folder, double *drop,
                        dt_error *err)
{
    char *path;
    DT_TRY(dt_path_join(folder, "drop.json", &path, err));
    dt_status st = DT_OK;
    if (!read_drop(s, path, recipe, drop)) {
        st = dt_dir_make(folder, err);
        if (st == DT_OK) st = quantize(s, recipe, folder, drop, err);
        if (st == DT_OK) st = write_drop(s, path, recipe, *drop, err);
    }
    dt_put(NULL, path);
    return st;
}

/* Widths of a budget, and what they lose; `cost`: what they cost. */
static dt_status try_budget(search *s, int64_t budget, int64_t *cost, double *drop, dt_error *err)
{
    char text[160];
    dt_recipe *recipe;
    DT_TRY(cli_mixed_choose(s->m, budget, err));
    *cost = dt_ptq_cost(&s->m->table, s->m->resource, NULL);
    char *folder = dt_format(NULL, "%s/tries/%" PRId64, s->folder, *cost);
    if (!folder) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    dt_status st = cli_quantize_rules(&s->r->args, s->m, s->own, &recipe, err);
    if (st == DT_OK) {
        st = try_in(s, recipe, folder, drop, err);
        dt_recipe_free(recipe);
    }
    dt_put(NULL, folder);
    if (st != DT_OK) return st;
    s->out->tries++;
    snprintf(text, sizeof text, "%.6g %s: drop %.3g points", cli_mixed_amount(s->m, *cost),
             s->m->resource->unit, *drop);
    cli_progress(NULL, 0);
    fprintf(stderr, "%s\n", text);
    return DT_OK;
}

/* ---- the search ---- */

static int64_t cost_at(const cli_mixed *m, bool widest)
{
    int64_t sum = 0;
    for (int i = 0; i < m->table.count; i++) {
        const dt_ptq_mixed_layer *l = &m->table.layer[i];
        int64_t found = m->resource->cost(l, m->table.width[0]);
        for (int k = 1; k < m->table.widths; k++) {
            int64_t c = m->resource->cost(l, m->table.width[k]);
            if (widest ? c > found : c < found) found = c;
        }
        if (!l->fixed) sum += found;
    }
    return sum;
}

/* `high` fits, `low` does not. A budget between whose widths cost no more than `low` moves that. */
static dt_status bisect(search *s, int64_t low, int64_t high, dt_error *err)
{
    while ((double)(high - low) > NEAR * (double)high && high - low > 1) {
        int64_t middle = low + (high - low) / 2, cost;
        double drop;
        DT_TRY(cli_mixed_choose(s->m, middle, err));
        if (dt_ptq_cost(&s->m->table, s->m->resource, NULL) <= low) {
            low = middle;
            continue;
        }
        DT_TRY(try_budget(s, middle, &cost, &drop, err));
        if (drop <= s->out->limit) {
            high = s->best = cost;
            s->best_drop = drop;
        } else {
            low = cost;
        }
    }
    return DT_OK;
}

static dt_status search_front(search *s, dt_error *err)
{
    int64_t cost, least = cost_at(s->m, false), most = cost_at(s->m, true);
    double drop;
    if (most > s->m->budget) most = s->m->budget;
    DT_TRY(try_budget(s, most, &s->best, &s->best_drop, err));
    s->out->met = s->best_drop <= s->out->limit;
    if (!s->out->met || s->best <= least) return DT_OK;
    DT_TRY(try_budget(s, least, &cost, &drop, err));
    if (drop > s->out->limit) return bisect(s, cost, s->best, err);
    s->best = cost;
    s->best_drop = drop;
    return DT_OK;
}

/* The recipe of what was found: compared with what the user wanted it to be compared with. */
static dt_status take(search *s, const char *score, dt_error *err)
{
    dt_recipe *recipe;
    DT_TRY(cli_quantize_more(s->r, "ptq.score", score, err));
    DT_TRY(cli_mixed_choose(s->m, s->best, err));
    DT_TRY(cli_quantize_rules(&s->r->args, s->m, s->own, &recipe, err));
    s->out->drop = s->best_drop;
    s->out->unit = s->m->resource->unit;
    s->out->amount = cli_mixed_amount(s->m, s->best);
    s->out->widest = cli_mixed_amount(s->m, cost_at(s->m, true));
    cli_quantize_put(s->r, recipe);
    return DT_OK;
}

static dt_status check_folder(const cli_quantize_recipe *r, const char *folder, dt_error *err)
{
    char *tries;
    DT_TRY(dt_path_join(folder, "tries", &tries, err));
    bool there = dt_dir_has(NULL, tries);
    dt_put(NULL, tries);
    if (!there || r->args.resume) return DT_OK;
    return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = folder },
                   "holds a search already; go on with --resume, or give another --out");
}

dt_status cli_drop_search(cli_quantize_recipe *r, const char *folder, cli_drop *out, dt_error *err)
{
    static cli_mixed m;
    static const char *const scores[] = { "test", "val", "none" };
    const char *score = scores[r->recipe->ptq.score];
    *out = (cli_drop){ .met = false };
    search s = { .r = r, .m = &m, .folder = folder, .out = out };
    DT_TRY(read_limit(&r->args, &out->limit, err));
    DT_TRY(cli_mixed_options(&r->args, &m, err));
    DT_TRY(check_folder(r, folder, err));
    DT_TRY(hold_out(r, err));
    DT_TRY(cli_quantize_more(r, "ptq.score", "val", err));
    DT_TRY(cli_quantize_read(r, err));
    s.own = r->recipe->quant.rules;
    DT_TRY(cli_mixed_run(&r->args, r->recipe, &m, err));
    dt_status st = search_front(&s, err);
    if (st == DT_OK) st = take(&s, score, err);
    cli_mixed_fini(&m);
    return st;
}
