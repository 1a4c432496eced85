/* Option tables. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/opt.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const dt_row *dt_table_find(const dt_table *table, const char *name)
{
    for (const dt_row *const *r = table->rows; *r; r++)
        if (strcmp((*r)->name, name) == 0) return *r;
    return NULL;
}

dt_status dt_table_get(const dt_table *table, const char *name, const dt_where *where,
                       const dt_row **out_row, dt_error *err)
{
    const dt_row *row = dt_table_find(table, name);
    if (row) {
        *out_row = row;
        return DT_OK;
    }
    const char *names[64];
    size_t n = 0;
    char all[256] = "";
    for (; table->rows[n] && n < DT_ARRAY_LEN(names); n++) {
        names[n] = table->rows[n]->name;
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", n ? ", " : "", names[n]);
    }
    const char *near = dt_nearest(name, names, n);
    if (near)
        return dt_fail(err, DT_ERR_NOT_FOUND, where, "unknown %s '%s', did you mean '%s'?",
                       table->kind, name, near);
    return dt_fail(err, DT_ERR_NOT_FOUND, where, "unknown %s '%s'; there are: %s", table->kind,
                   name, all);
}

const dt_opt *dt_opt_find(const dt_opt *opts, const char *key)
{
    for (; opts && opts->type; opts++)
        if (strcmp(opts->key, key) == 0) return opts;
    return NULL;
}

static void *field(const dt_opt *opt, void *conf)
{
    return (unsigned char *)conf + opt->offset;
}

static const void *const_field(const dt_opt *opt, const void *conf)
{
    return (const unsigned char *)conf + opt->offset;
}

void dt_opt_defaults(const dt_opt *opts, void *conf)
{
    for (; opts && opts->type; opts++) {
        void *f = field(opts, conf);
        switch (opts->type) {
        case DT_OPT_TYPE_INT:
        case DT_OPT_TYPE_ENUM:
            *(int *)f = (int)opts->def;
            break;
        case DT_OPT_TYPE_FLOAT:
            *(double *)f = opts->def;
            break;
        case DT_OPT_TYPE_BOOL:
            *(bool *)f = opts->def != 0;
            break;
        case DT_OPT_TYPE_STR:
            snprintf(f, DT_OPT_STR_MAX, "%s", opts->text ? opts->text : "");
            break;
        case DT_OPT_TYPE_INTS:
            *(dt_opt_ints *)f = (dt_opt_ints){ 0 };
            break;
        case DT_OPT_TYPE_WORDS:
            *(dt_opt_words *)f = (dt_opt_words){ 0 };
            break;
        case DT_OPT_TYPE_FLOATS:
            *(dt_opt_floats *)f = (dt_opt_floats){ 0 };
            break;
        case DT_OPT_END_MARK:
            break;
        }
        if (opts->map) dt_opt_defaults(opts->map, conf);
    }
}

int dt_opt_choices(const dt_opt *opt)
{
    int count = 1;
    for (const char *p = opt->text; *p; p++)
        count += *p == '|';
    return count;
}

bool dt_opt_is_map(const dt_opt *opt, const void *conf)
{
    return opt->map && *(const int *)const_field(opt, conf) == dt_opt_choices(opt);
}

static dt_status wrong(const dt_opt *opt, const char *value, const dt_where *where, dt_error *err)
{
    char rule[256];
    dt_opt_rule(opt, rule, sizeof rule);
    const char *relation = "is not";
    if (opt->type == DT_OPT_TYPE_INT || opt->type == DT_OPT_TYPE_FLOAT) {
        char *end;
        double v = strtod(value, &end);
        if (*value && !*end && (v < opt->min || v > opt->max)) {
            snprintf(rule, sizeof rule, "%.10g..%.10g", opt->min, opt->max);
            relation = "is outside";
        }
    }
    return dt_fail(err, DT_ERR_RANGE, where, "%s %s %s", *value ? value : "''", relation, rule);
}

static bool parse_int(const char *text, const dt_opt *opt, int *out, char **end)
{
    errno = 0;
    long long v = strtoll(text, end, 10);
    if (*end == text || errno || v < INT32_MIN || v > INT32_MAX) return false;
    if ((double)v < opt->min || (double)v > opt->max) return false;
    *out = (int)v;
    return true;
}

static bool parse_bool(const char *value, bool *out)
{
    static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };
    for (size_t i = 0; i < DT_ARRAY_LEN(words); i++) {
        if (strcmp(value, words[i]) != 0) continue;
        *out = i % 2;
        return true;
    }
    return false;
}

/* Index of `value` in "a|b|c", or -1. */
static int choice_index(const char *choices, const char *value)
{
    size_t n = strlen(value);
    for (int i = 0; choices; i++) {
        size_t len = strcspn(choices, "|");
        if (len == n && strncmp(choices, value, n) == 0) return i;
        choices = choices[len] ? choices + len + 1 : NULL;
    }
    return -1;
}

static bool parse_ints(const dt_opt *opt, const char *value, dt_opt_ints *out)
{
    dt_opt_ints list = { 0 };
    const char *p = value + strspn(value, " [");
    while (*p && *p != ']') {
        char *end;
        int v;
        if (list.count == DT_OPT_LIST_MAX || !parse_int(p, opt, &v, &end)) return false;
        if (list.count && v <= list.value[list.count - 1]) return false;
        list.value[list.count++] = v;
        p = end + strspn(end, " ,");
    }
    if (*p == ']' && p[1]) return false;
    *out = list;
    return true;
}

static bool parse_floats(const dt_opt *opt, const char *value, dt_opt_floats *out)
{
    dt_opt_floats list = { 0 };
    const char *p = value + strspn(value, " [");
    while (*p && *p != ']') {
        char *end;
        double v = strtod(p, &end);
        if (list.count == DT_OPT_LIST_MAX || end == p) return false;
        if (!(v >= opt->min && v <= opt->max)) return false;
        list.value[list.count++] = v;
        p = end + strspn(end, " ,");
    }
    if (list.count == 0 || (*p == ']' && p[1])) return false;
    *out = list;
    return true;
}

/* "a", "[a, b]", and in quotes. */
static bool parse_words(const char *value, dt_opt_words *out)
{
    static const char apart[] = " ,[]\"'";
    dt_opt_words list = { 0 };
    const char *p = value + strspn(value, apart);
    if (*value != '[' && strcspn(value, apart) != strlen(value)) return false;
    if (*value == '[' && value[strlen(value) - 1] != ']') return false;
    for (; *p; p += strspn(p, apart)) {
        size_t n = strcspn(p, apart);
        if (list.count == DT_OPT_LIST_MAX || n >= DT_OPT_WORD_MAX) return false;
        memcpy(list.value[list.count++], p, n);
        p += n;
    }
    *out = list;
    return true;
}

dt_status dt_opt_set(const dt_opt *opt, void *conf, const char *value, const dt_where *where,
                     dt_error *err)
{
    void *f = field(opt, conf);
    char *end = NULL;
    bool ok = false;
    switch (opt->type) {
    case DT_OPT_TYPE_INT: {
        int v = 0;
        ok = parse_int(value, opt, &v, &end) && !*end;
        if (ok) *(int *)f = v;
        break;
    }
    case DT_OPT_TYPE_FLOAT: {
        double v = strtod(value, &end);
        ok = *value && !*end && v >= opt->min && v <= opt->max; /* false for nan */
        if (ok) *(double *)f = v;
        break;
    }
    case DT_OPT_TYPE_BOOL:
        ok = parse_bool(value, f);
        break;
    case DT_OPT_TYPE_ENUM: {
        int i = choice_index(opt->text, value);
        ok = i >= 0;
        if (ok) *(int *)f = i;
        break;
    }
    case DT_OPT_TYPE_STR:
        ok = strlen(value) < DT_OPT_STR_MAX;
        if (ok) snprintf(f, DT_OPT_STR_MAX, "%s", value);
        break;
    case DT_OPT_TYPE_INTS:
        ok = parse_ints(opt, value, f);
        break;
    case DT_OPT_TYPE_WORDS:
        ok = parse_words(value, f);
        break;
    case DT_OPT_TYPE_FLOATS:
        ok = parse_floats(opt, value, f);
        break;
    case DT_OPT_END_MARK:
        break;
    }
    return ok ? DT_OK : wrong(opt, value, where, err);
}

/* The shortest text that round-trips. */
static void print_float(double v, char *text, size_t size)
{
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, size, "%.*g", digits, v);
        if (strtod(text, NULL) == v) break;
    }
}

const char *dt_opt_print(const dt_opt *opt, const void *conf, char *text, size_t size)
{
    const void *f = const_field(opt, conf);
    switch (opt->type) {
    case DT_OPT_TYPE_INT:
        snprintf(text, size, "%d", *(const int *)f);
        break;
    case DT_OPT_TYPE_FLOAT:
        print_float(*(const double *)f, text, size);
        break;
    case DT_OPT_TYPE_BOOL:
        snprintf(text, size, "%s", *(const bool *)f ? "true" : "false");
        break;
    case DT_OPT_TYPE_ENUM: {
        const char *p = dt_opt_is_map(opt, conf) ? "a map" : opt->text;
        for (int i = p == opt->text ? *(const int *)f : 0; i > 0; i--)
            p += strcspn(p, "|") + 1;
        snprintf(text, size, "%.*s", (int)strcspn(p, "|"), p);
        break;
    }
    case DT_OPT_TYPE_STR:
        snprintf(text, size, "%s", (const char *)f);
        break;
    case DT_OPT_TYPE_INTS: {
        const dt_opt_ints *list = f;
        size_t used = (size_t)snprintf(text, size, "[");
        for (int i = 0; i < list->count && used < size; i++)
            used +=
                (size_t)snprintf(text + used, size - used, "%s%d", i ? ", " : "", list->value[i]);
        if (used < size) snprintf(text + used, size - used, "]");
        break;
    }
    case DT_OPT_TYPE_FLOATS: {
        const dt_opt_floats *list = f;
        char one[40];
        size_t used = (size_t)snprintf(text, size, "[");
        for (int i = 0; i < list->count && used < size; i++) {
            print_float(list->value[i], one, sizeof one);
            used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", one);
        }
        if (used < size) snprintf(text + used, size - used, "]");
        break;
    }
    case DT_OPT_TYPE_WORDS: {
        const dt_opt_words *list = f;
        size_t used = (size_t)snprintf(text, size, "[");
        for (int i = 0; i < list->count && used < size; i++)
            used +=
                (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", list->value[i]);
        if (used < size) snprintf(text + used, size - used, "]");
        break;
    }
    case DT_OPT_END_MARK:
        break;
    }
    return text;
}

const char *dt_opt_rule(const dt_opt *opt, char *text, size_t size)
{
    switch (opt->type) {
    case DT_OPT_TYPE_INT:
        snprintf(text, size, "a whole number in %.10g..%.10g", opt->min, opt->max);
        break;
    case DT_OPT_TYPE_FLOAT:
        snprintf(text, size, "a number in %.10g..%.10g", opt->min, opt->max);
        break;
    case DT_OPT_TYPE_BOOL:
        snprintf(text, size, "true or false");
        break;
    case DT_OPT_TYPE_ENUM:
        snprintf(text, size, "one of %s%s", opt->text, opt->map ? ", or a map of keys" : "");
        break;
    case DT_OPT_TYPE_STR:
        snprintf(text, size, "a text under %d bytes", DT_OPT_STR_MAX);
        break;
    case DT_OPT_TYPE_INTS:
        snprintf(text, size, "an ascending list of whole numbers in %.10g..%.10g", opt->min,
                 opt->max);
        break;
    case DT_OPT_TYPE_FLOATS:
        snprintf(text, size, "a number or a list of numbers in %.10g..%.10g", opt->min, opt->max);
        break;
    case DT_OPT_TYPE_WORDS:
        snprintf(text, size, "a list of at most %d names or patterns under %d bytes",
                 DT_OPT_LIST_MAX, DT_OPT_WORD_MAX);
        break;
    case DT_OPT_END_MARK:
        break;
    }
    return text;
}

enum { NEAR_MAX = 64 };

/* Levenshtein distance; names longer than NEAR_MAX count as far. */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), row[NEAR_MAX + 1];
    if (n > NEAR_MAX || m > NEAR_MAX) return SIZE_MAX;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            size_t edit = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < edit ? change : edit;
        }
    }
    return row[m];
}

const char *dt_nearest(const char *name, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(name, names[i]);
        if (d >= least) continue;
        least = d;
        best = names[i];
    }
    return best && least <= (strlen(name) + 2) / 3 ? best : NULL;
}

dt_status dt_opt_unknown(const dt_opt *opts, const char *key, const dt_where *where, dt_error *err)
{
    const char *names[64];
    size_t n = 0;
    for (; opts && opts->type && n < DT_ARRAY_LEN(names); opts++)
        names[n++] = opts->key;
    const char *near = dt_nearest(key, names, n);
    if (near) return dt_fail(err, DT_ERR_NOT_FOUND, where, "unknown key, did you mean '%s'?", near);
    return dt_fail(err, DT_ERR_NOT_FOUND, where, "unknown key");
}
