/* The table of targets, and the check of their rules. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/target/target.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DT_TARGET(name) extern const dt_target dt_target_##name;
#include "exchange/target/targets.def"
#undef DT_TARGET

#define DT_TARGET(name) &dt_target_##name.row,
static const dt_row *const rows[] = {
#include "exchange/target/targets.def"
    NULL,
};
#undef DT_TARGET

const dt_table dt_targets = { .kind = "target", .rows = rows };

const dt_target *dt_target_of(const dt_row *row)
{
    return (const dt_target *)(const void *)row;
}

void dt_target_add(dt_target_finding *f, const char *fmt, ...)
{
    enum { PLACES = 4 };
    size_t used = strlen(f->places);
    va_list args;
    f->count++;
    if (f->count > PLACES) return;
    if (f->count > 1 && used + 3 < sizeof f->places) {
        memcpy(f->places + used, ", ", 3);
        used += 2;
    }
    va_start(args, fmt);
    vsnprintf(f->places + used, sizeof f->places - used, fmt, args);
    va_end(args);
}

/* Findings of one stage; `early`: rules of integers tell what they know without. */
static void find(const dt_target *t, const dt_target_net *net, bool early, dt_target_report *out)
{
    for (const dt_target_rule *const *r = t->rule; *r; r++) {
        dt_target_finding f = { .rule = *r };
        void (*look)(const dt_target_net *, dt_target_finding *) =
            early ? f.rule->find_early : NULL;
        if (f.rule->lowered == (net->lower != NULL)) look = f.rule->find;
        if (look) look(net, &f);
        if (!f.count) continue;
        out->broken += !f.rule->note;
        out->finding[out->count++] = f;
    }
}

static dt_status check_graph(const dt_target *t, const dt_export_source *src, bool allow_float,
                             bool early, dt_target_report *out, dt_error *err)
{
    const dt_lower_source low = dt_export_lower(src);
    bool *needed = dt_get(src->alloc, (size_t)src->graph->node_count + 1, "target");
    *out = (dt_target_report){ .count = 0 };
    if (!needed) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to check the target");
    dt_lower_cone(&low, needed);
    const dt_target_net net = { &low, needed, NULL, allow_float };
    find(t, &net, early, out);
    dt_put(src->alloc, needed);
    return DT_OK;
}

dt_status dt_target_check_graph(const dt_target *t, const dt_export_source *src, bool allow_float,
                                dt_target_report *out, dt_error *err)
{
    return check_graph(t, src, allow_float, true, out, err);
}

dt_status dt_target_check(const dt_target *t, const dt_export_source *src, bool allow_float,
                          dt_target_report *out, dt_error *err)
{
    const dt_lower_source low = dt_export_lower(src);
    dt_lowered *l;
    DT_TRY(check_graph(t, src, allow_float, false, out, err));
    if (out->broken) return DT_OK;
    bool *needed = dt_get(src->alloc, (size_t)src->graph->node_count + 1, "target");
    if (!needed) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to check the target");
    dt_lower_cone(&low, needed);
    dt_status st = dt_lower_new(&low, &l, err);
    if (st == DT_OK) {
        const dt_target_net net = { &low, needed, l, allow_float };
        find(t, &net, false, out);
        dt_lower_free(l);
    }
    dt_put(src->alloc, needed);
    return st;
}

dt_status dt_target_format(const dt_target *t, const char *format, const dt_row **out,
                           dt_error *err)
{
    char list[128] = "";
    for (const char *const *f = t->format; *f; f++) {
        size_t used = strlen(list);
        if (!format || strcmp(*f, format) == 0)
            return dt_table_get(&dt_exporters, *f, NULL, out, err);
        snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", *f);
    }
    return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = "--format" },
                   "the target '%s' does not take '%s'; it takes %s", t->row.name, format, list);
}
