/* Targets of an export: what a runtime or a tool asks of a net, checked before anything is written.
 * One row in targets.def and one file target_<name>.c for each; the rules are in target_rules.c. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_TARGET_TARGET_H
#define DT_EXCHANGE_TARGET_TARGET_H

#include "core/compiler.h"
#include "exchange/exporter.h"

enum { DT_TARGET_FORMATS = 4, DT_TARGET_RULES = 8, DT_TARGET_TEXT = 400 };

/* What a rule looks at. */
typedef struct dt_target_net {
    const dt_lower_source *src;
    const bool *needed;      /* by node, see dt_query_cone */
    const dt_lowered *lower; /* NULL for rules of the graph */
    bool allow_float;        /* parts without quantizers are wanted */
} dt_target_net;

/* What a rule found: how many places, and the first few. */
typedef struct dt_target_finding {
    const struct dt_target_rule *rule;
    int count;
    char places[DT_TARGET_TEXT];
} dt_target_finding;

typedef struct dt_target_rule {
    const char *text, *fix; /* "activations have one scale", "quant.activations..." */
    bool note;              /* the net runs nevertheless: slower, or in float */
    bool stops;             /* the runtime itself stops where it is broken */
    bool lowered;           /* looks at integers; comes after those that do not */
    void (*find)(const dt_target_net *net, dt_target_finding *out);
    /* Of rules that look at integers: what is so whatever the numbers will be, with `lower` NULL;
     * NULL: nothing is known before. */
    void (*find_early)(const dt_target_net *net, dt_target_finding *out);
} dt_target_rule;

typedef struct dt_target {
    dt_row row;
    const char *format[DT_TARGET_FORMATS + 1];       /* exporters; the first is the default */
    const dt_target_rule *rule[DT_TARGET_RULES + 1]; /* those of the graph first */
} dt_target;

extern const dt_table dt_targets; /* kind "target"; rows are dt_target */
const dt_target *dt_target_of(const dt_row *row);

typedef struct dt_target_report {
    dt_target_finding finding[DT_TARGET_RULES];
    int count;
    int broken; /* findings that are no notes */
} dt_target_report;

/* Checks all rules; those that need integers only when nothing of the graph is broken. Errors:
 * those of the lowering; a broken rule is none. */
dt_status dt_target_check(const dt_target *t, const dt_export_source *src, bool allow_float,
                          dt_target_report *out, dt_error *err) DT_MUST_CHECK;
/* Of a net whose quantizers need no state yet, what no calibration mends: rules of the graph, and
 * what others know early. */
dt_status dt_target_check_graph(const dt_target *t, const dt_export_source *src, bool allow_float,
                                dt_target_report *out, dt_error *err) DT_MUST_CHECK;
/* The exporter of a target: `format`, which it must take, or NULL for its default. */
dt_status dt_target_format(const dt_target *t, const char *format, const dt_row **out,
                           dt_error *err) DT_MUST_CHECK;

/* Adds a place to a finding, for rules. */
void dt_target_add(dt_target_finding *f, const char *fmt, ...) DT_PRINTF(2, 3);

/* The rules that there are. */
extern const dt_target_rule dt_rule_complete, dt_rule_activation_scale, dt_rule_weight_scale,
    dt_rule_narrow, dt_rule_no_offset, dt_rule_unsigned_7, dt_rule_few_thresholds, dt_rule_levels,
    dt_rule_skip_only, dt_rule_pool_ratio;

#endif
