/* Bits layer by layer. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/mixed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

static dt_status find(const dt_table *table, const char *name, const char *option, const void *out,
                      dt_error *err)
{
    const dt_row *row;
    DT_TRY(dt_table_get(table, name, &(dt_where){ .key = option }, &row, err));
    *(const void **)(uintptr_t)out = row;
    return DT_OK;
}

/* "2,3,4": ascending. */
static dt_status read_widths(const char *text, cli_mixed *m, dt_error *err)
{
    const dt_where where = { .key = "--widths" };
    for (const char *at = text; *at;) {
        char *end;
        long bits = strtol(at, &end, 10);
        if (end == at || (*end && *end != ',') || bits < 1 || bits > 8 ||
            m->sense.widths == DT_PTQ_WIDTHS ||
            (m->sense.widths && bits <= m->width[m->sense.widths - 1]))
            return dt_fail(err, DT_ERR_RANGE, &where,
                           "'%s' is no ascending list of bits in 1..8, such as 2,3,4,6,8", text);
        m->width[m->sense.widths++] = (int)bits;
        at = *end ? end + 1 : end;
    }
    if (m->sense.widths) return DT_OK;
    return dt_fail(err, DT_ERR_RANGE, &where, "is empty");
}

/* "TABLE" or "TABLE,1500" of a resource that is measured */
static dt_status read_table_budget(const char *text, bool open, cli_mixed *m, dt_error *err)
{
    char *end;
    const char *comma = strrchr(text, ',');
    size_t size = comma ? (size_t)(comma - text) : strlen(text);
    m->amount = comma ? strtod(comma + 1, &end) : INFINITY;
    if (comma && (end == comma + 1 || *end || !(m->amount > 0 && m->amount < 1e15)))
        return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = "--budget" },
                       "'%s' is no positive number", comma + 1);
    if (!comma && !open)
        return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .key = "--budget" },
                       "latency=%s has no limit; say latency=TABLE,MICROSECONDS", text);
    if (size == 0 || size >= sizeof m->table_file)
        return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = "--budget" },
                       "'%s' names no table file", text);
    snprintf(m->table_file, sizeof m->table_file, "%.*s", (int)size, text);
    return DT_OK;
}

/* "bits=4"; `open`: "bits", without a limit, too. */
static dt_status read_budget(const char *text, bool open, cli_mixed *m, dt_error *err)
{
    const dt_where where = { .key = "--budget" };
    char name[32], *end;
    const char *equal = strchr(text, '=');
    if (!equal && open) {
        m->amount = INFINITY;
        DT_TRY(find(&dt_ptq_resources, text, "--budget", &m->resource, err));
        if (!m->resource->wants_table) return DT_OK;
        return dt_fail(err, DT_ERR_FORMAT, &where, "%s wants a file: %s=TABLE", text, text);
    }
    if (!equal || equal == text || (size_t)(equal - text) >= sizeof name)
        return dt_fail(err, DT_ERR_FORMAT, &where,
                       "'%s' is not of the form RESOURCE=NUMBER, such as bits=4", text);
    snprintf(name, sizeof name, "%.*s", (int)(equal - text), text);
    DT_TRY(find(&dt_ptq_resources, name, "--budget", &m->resource, err));
    if (m->resource->wants_table) return read_table_budget(equal + 1, open, m, err);
    m->amount = strtod(equal + 1, &end);
    if (end != equal + 1 && !*end && m->amount > 0 && m->amount < 1e18) return DT_OK;
    return dt_fail(err, DT_ERR_RANGE, &where, "'%s' is no positive number", equal + 1);
}

dt_status cli_mixed_options(const cli_args *args, cli_mixed *m, dt_error *err)
{
    *m = (cli_mixed){
        .sense = { .metric = args->metric ? args->metric : "kl", .range = "", .probes = 50 }
    };
    const dt_row *row;
    DT_TRY(find(&dt_ptq_metrics, m->sense.metric, "--metric", &row, err));
    DT_TRY(read_widths(args->widths ? args->widths : "2,3,4,6,8", m, err));
    DT_TRY(find(&dt_ptq_allocators, args->allocator ? args->allocator : "pareto", "--allocator",
                &m->allocator, err));
    const char *budget = args->budget || !args->max_drop ? args->budget : "bytes";
    return budget ? read_budget(budget, args->max_drop != NULL, m, err) : DT_OK;
}

static void on_progress(void *arg, const char *metric, const char *what, double share)
{
    char text[256];
    (void)arg;
    snprintf(text, sizeof text, "%s  %s  %.0f %%", metric, what, 100 * share);
    cli_progress(text, 15);
}

/* Bits are a mean over the weights of layers that may change; others are as they are. */
static double scale(const cli_mixed *m, const dt_ptq_mixed *table)
{
    int64_t weights = 0;
    for (int i = 0; i < table->count; i++)
        if (!table->layer[i].fixed) weights += table->layer[i].weights;
    return m->resource->per_unit > 0 ? m->resource->per_unit : (double)weights;
}

double cli_mixed_amount(const cli_mixed *m, int64_t cost)
{
    return (double)cost / scale(m, &m->table);
}

enum { TABLE_BYTES = 16 << 20 };

static dt_status read_table(const cli_mixed *m, dt_ptq_mixed *table, dt_error *err)
{
    unsigned char *bytes;
    size_t size;
    DT_TRY(dt_file_read(NULL, m->table_file, TABLE_BYTES, &bytes, &size, err));
    char *text = dt_format(NULL, "%.*s", (int)size, (const char *)bytes);
    dt_put(NULL, bytes);
    if (!text) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the table");
    dt_status st = dt_ptq_latency_parse(m->table_file, text, table, err);
    dt_put(NULL, text);
    return st;
}

/* An impossible budget is told before anything is measured. */
static dt_status look(void *arg, dt_ptq_mixed *table, dt_error *err)
{
    cli_mixed *m = arg;
    if (!m->resource) return DT_OK;
    if (m->resource->wants_table) DT_TRY(read_table(m, table, err));
    m->budget = INT64_MAX;
    if (isfinite(m->amount)) m->budget = (int64_t)(m->amount * scale(m, table));
    return dt_ptq_check_budget(table, m->resource, m->budget, err);
}

dt_status cli_mixed_choose(cli_mixed *m, int64_t budget, dt_error *err)
{
    return m->allocator->choose(&m->table, m->resource, budget, m->front,
                                (int)DT_ARRAY_LEN(m->front), &m->front_count, err);
}

dt_status cli_mixed_run(const cli_args *args, dt_recipe *recipe, cli_mixed *m, dt_error *err)
{
    m->sense.width = m->width;
    m->sense.look = look;
    m->sense.arg = m;
    const dt_sensitivity_params p = { .recipe = recipe,
                                      .sense = m->sense,
                                      .threads = args->threads,
                                      .isa = args->isa,
                                      .memory = args->memory,
                                      .stop = &cli_stop_requested,
                                      .progress = on_progress };
    DT_TRY(dt_sensitivity(&p, &m->session, &m->table, err));
    cli_progress(NULL, 0);
    dt_status st = m->resource ? cli_mixed_choose(m, m->budget, err) : DT_OK;
    if (st != DT_OK) cli_mixed_fini(m);
    return st;
}

void cli_mixed_fini(cli_mixed *m)
{
    dt_ptq_mixed_fini(&m->table);
    dt_session_close(&m->session);
}

void cli_mixed_rule(const cli_mixed *m, int layer, char *text, size_t size)
{
    const dt_ptq_mixed_layer *l = &m->table.layer[layer];
    snprintf(text, size, "{layers: %s, weights: {bits: %d}}", l->name, m->table.width[l->chosen]);
}
