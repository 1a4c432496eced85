/* Reader of sections. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/section.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

dt_status dt_node_fail(const dt_yaml_node *node, dt_status status, dt_error *err, const char *fmt,
                       ...)
{
    char path[DT_YAML_PATH], text[400];
    dt_where where = dt_yaml_where(node, path);
    if (node->fault) return dt_fail(err, DT_ERR_FORMAT, &where, "%s", node->fault);
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return dt_fail(err, status, &where, "%s", text);
}

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the recipe");
}

bool dt_is_one_of(const char *key, const char *const *list)
{
    for (; list && *list; list++)
        if (strcmp(*list, key) == 0) return true;
    return false;
}

enum { MAX_NAMES = 128, LIST_TEXT = DT_OPT_LIST_MAX * (DT_OPT_WORD_MAX + 2) };

static size_t add_keys(const dt_opt *opts, const char *names[MAX_NAMES], size_t n)
{
    for (; opts && opts->type && n < MAX_NAMES; opts++)
        names[n++] = opts->key;
    return n;
}

/* {bits:4} is one word to YAML. */
static dt_status check_blank(const dt_yaml_node *node, dt_error *err)
{
    const char *colon = strchr(node->key, ':');
    if (!colon || !colon[1]) return DT_OK;
    return dt_node_fail(node, DT_ERR_FORMAT, err, "a blank is missing behind the colon: %.*s: %s",
                        (int)(colon - node->key), node->key, colon + 1);
}

dt_status dt_key_unknown(const dt_yaml_node *node, const char *name_key, const dt_opt *opts,
                         const dt_opt *row_opts, const char *const *others, dt_error *err)
{
    const char *names[MAX_NAMES];
    size_t n = 0;
    DT_TRY(check_blank(node, err));
    if (name_key) names[n++] = name_key;
    n = add_keys(opts, names, n);
    n = add_keys(row_opts, names, n);
    for (; others && *others && n < MAX_NAMES; others++)
        names[n++] = *others;
    const char *near = dt_nearest(node->key, names, n), *told = dt_recipe_elsewhere(node->key);
    if (told) return dt_node_fail(node, DT_ERR_NOT_FOUND, err, "unknown key; %s", told);
    if (near)
        return dt_node_fail(node, DT_ERR_NOT_FOUND, err, "unknown key, did you mean '%s'?", near);
    char all[300] = "";
    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", names[i]);
    }
    return dt_node_fail(node, DT_ERR_NOT_FOUND, err, "unknown key; there are: %s", all);
}

dt_status dt_conf_new(dt_arena *arena, const dt_row *row, void **out_conf, dt_error *err)
{
    void *conf = NULL;
    if (row->conf_size) {
        conf = dt_arena_get(arena, row->conf_size);
        if (!conf) return no_memory(err);
        dt_opt_defaults(row->opts, conf);
    }
    *out_conf = conf;
    return DT_OK;
}

dt_status dt_section_map(dt_reader *r, dt_yaml_node *parent, const char *key,
                         const dt_yaml_node *in, dt_yaml_node **out, dt_error *err)
{
    return dt_yaml_add(r->arena, parent, DT_YAML_MAP, key, NULL, in, out, err);
}

/* "[30, 60]" of a list of plain values; false when it is something else or too long. */
static bool join(const dt_yaml_node *list, char text[LIST_TEXT])
{
    size_t used = 1;
    text[0] = '[';
    for (const dt_yaml_node *n = list->first; n; n = n->next) {
        if (n->kind != DT_YAML_SCALAR || !*n->text || strpbrk(n->text, " ,[]")) return false;
        int len = snprintf(text + used, LIST_TEXT - used, "%s%s", n->text, n->next ? ", " : "");
        if (len < 0 || (size_t)len >= LIST_TEXT - used - 1) return false;
        used += (size_t)len;
    }
    text[used] = ']';
    text[used + 1] = '\0';
    return true;
}

static bool is_list_type(dt_opt_type t)
{
    return t == DT_OPT_TYPE_INTS || t == DT_OPT_TYPE_WORDS || t == DT_OPT_TYPE_FLOATS;
}

/* The keys of a map that stands for a choice. */
static dt_status set_map(const dt_yaml_node *node, const dt_opt *opt, void *conf, dt_error *err)
{
    for (const dt_yaml_node *n = node->first; n; n = n->next) {
        const dt_opt *of = dt_opt_find(opt->map, n->key);
        if (!of) return dt_key_unknown(n, NULL, opt->map, NULL, NULL, err);
        DT_TRY(dt_option_set(n, of, conf, err));
    }
    *(int *)(void *)((unsigned char *)conf + opt->offset) = dt_opt_choices(opt);
    return DT_OK;
}

dt_status dt_option_set(const dt_yaml_node *node, const dt_opt *opt, void *conf, dt_error *err)
{
    char path[DT_YAML_PATH], list[LIST_TEXT], rule[256];
    bool is_list = is_list_type(opt->type);
    bool is_text = opt->type == DT_OPT_TYPE_STR || (opt->type == DT_OPT_TYPE_WORDS && node->raw);
    const char *text = is_text ? dt_yaml_text(node) : node->text;
    if (node->fault && !is_text) return dt_node_fail(node, DT_ERR_FORMAT, err, "%s", node->fault);
    if (opt->map && node->kind == DT_YAML_MAP) return set_map(node, opt, conf, err);
    if (!text && node->kind == DT_YAML_SEQ && is_list && join(node, list)) text = list;
    if (!text)
        return dt_node_fail(node, DT_ERR_RANGE, err, "a %s is not %s",
                            node->kind == DT_YAML_MAP ? "map" : "list",
                            dt_opt_rule(opt, rule, sizeof rule));
    if (!*text && !node->quoted && !(is_text && node->raw))
        return dt_node_fail(node, DT_ERR_RANGE, err, "has no value; it must be %s",
                            dt_opt_rule(opt, rule, sizeof rule));
    dt_where where = dt_yaml_where(node, path);
    return dt_opt_set(opt, conf, text, &where, err);
}

dt_status dt_section_path(dt_reader *r, const dt_yaml_node *node, const char **out, dt_error *err)
{
    char cwd[4096] = "";
    const char *text = dt_yaml_text(node), *slash = strrchr(r->path, '/');
    *out = text;
    if (!text || !*text || *text == '/') return DT_OK;
    int folder = node->line > 0 && slash ? (int)(slash - r->path) + 1 : 0;
    bool absolute = folder > 0 && r->path[0] == '/';
    if (!absolute && !getcwd(cwd, sizeof cwd))
        return dt_node_fail(node, DT_ERR_IO, err, "the current folder is not known");
    while (strncmp(text, "./", 2) == 0)
        text += 2;
    *out = dt_arena_printf(r->arena, "%s%s%.*s%s", cwd, absolute ? "" : "/", folder, r->path, text);
    return *out ? DT_OK : no_memory(err);
}

static dt_status set_path(dt_reader *r, const dt_yaml_node *node, const dt_opt *opt, void *conf,
                          dt_error *err)
{
    char path[DT_YAML_PATH];
    const char *full;
    DT_TRY(dt_section_path(r, node, &full, err));
    dt_where where = dt_yaml_where(node, path);
    return dt_opt_set(opt, conf, full, &where, err);
}

/* Element i of a list. */
static void print_item(const dt_opt *opt, const void *field, int i, char text[DT_OPT_STR_MAX])
{
    const dt_opt number = { .type = DT_OPT_TYPE_FLOAT };
    if (opt->type == DT_OPT_TYPE_WORDS)
        snprintf(text, DT_OPT_STR_MAX, "%s", ((const dt_opt_words *)field)->value[i]);
    else if (opt->type == DT_OPT_TYPE_FLOATS)
        dt_opt_print(&number, &((const dt_opt_floats *)field)->value[i], text, DT_OPT_STR_MAX);
    else
        snprintf(text, DT_OPT_STR_MAX, "%d", ((const dt_opt_ints *)field)->value[i]);
}

dt_status dt_option_emit(dt_reader *r, dt_yaml_node *out, const dt_opt *opt, const void *conf,
                         const dt_yaml_node *origin, dt_error *err)
{
    char text[DT_OPT_STR_MAX];
    dt_yaml_node *node, *item;
    if (dt_opt_is_map(opt, conf)) {
        DT_TRY(dt_yaml_add(r->arena, out, DT_YAML_MAP, opt->key, NULL, origin, &node, err));
        for (const dt_opt *of = opt->map; of->type; of++)
            DT_TRY(dt_option_emit(r, node, of, conf, dt_yaml_find(origin, of->key), err));
        return DT_OK;
    }
    if (!is_list_type(opt->type)) {
        dt_opt_print(opt, conf, text, sizeof text);
        return dt_yaml_add(r->arena, out, DT_YAML_SCALAR, opt->key, text, origin, &node, err);
    }
    const void *field = (const unsigned char *)conf + opt->offset;
    int count = *(const int *)field; /* all lists begin with it */
    DT_TRY(dt_yaml_add(r->arena, out, DT_YAML_SEQ, opt->key, NULL, origin, &node, err));
    for (int i = 0; i < count; i++) {
        print_item(opt, field, i, text);
        DT_TRY(dt_yaml_add(r->arena, node, DT_YAML_SCALAR, NULL, text, NULL, &item, err));
    }
    return DT_OK;
}

static dt_status name_missing(const dt_section *s, const dt_yaml_node *out, dt_error *err)
{
    char all[300] = "";
    for (const dt_row *const *row = s->table->rows; *row; row++) {
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", used ? ", " : "", (*row)->name);
    }
    return dt_node_fail(out, DT_ERR_NOT_FOUND, err, "'%s' must name a %s; there are: %s",
                        s->name_key, s->table->kind, all);
}

/* A row shares the section's keys, so it may not use one of them for itself. */
static dt_status check_namespace(const dt_section *s, const dt_row *row, dt_error *err)
{
    for (const dt_opt *o = row->opts; o && o->type; o++)
        if (strcmp(o->key, s->name_key) == 0 || dt_opt_find(s->opts, o->key) ||
            dt_is_one_of(o->key, s->others))
            return dt_fail(err, DT_ERR_ARG, NULL,
                           "%s '%s' has an option '%s', a key of '%s' itself", s->table->kind,
                           row->name, o->key, s->path);
    return DT_OK;
}

static dt_status find_row(dt_reader *r, const dt_section *s, const dt_yaml_node *in,
                          const dt_yaml_node *out, dt_recipe_choice *choice, dt_error *err)
{
    char path[DT_YAML_PATH];
    const dt_yaml_node *name = dt_yaml_find(in, s->name_key);
    if (!name && !s->fallback) return name_missing(s, out, err);
    dt_where where = dt_yaml_where(name ? name : out, path);
    const char *text = name ? name->text : s->fallback;
    DT_TRY(dt_table_get(s->table, text ? text : "", &where, &choice->row, err));
    DT_TRY(check_namespace(s, choice->row, err));
    return dt_conf_new(r->arena, choice->row, &choice->conf, err);
}

static dt_status read_keys(dt_reader *r, const dt_section *s, const dt_yaml_node *in, void *common,
                           const dt_recipe_choice *choice, dt_error *err)
{
    const dt_opt *row_opts = choice ? choice->row->opts : NULL;
    for (const dt_yaml_node *n = in->first; n; n = n->next) {
        if (dt_is_one_of(n->key, s->others)) continue;
        if (s->name_key && strcmp(s->name_key, n->key) == 0) continue;
        const dt_opt *opt = dt_opt_find(s->opts, n->key);
        void *conf = common;
        if (!opt && row_opts) {
            opt = dt_opt_find(row_opts, n->key);
            conf = choice->conf;
        }
        if (!opt) return dt_key_unknown(n, s->name_key, s->opts, row_opts, s->others, err);
        DT_TRY(dt_option_set(n, opt, conf, err));
        if (dt_is_one_of(opt->key, s->path_keys)) DT_TRY(set_path(r, n, opt, conf, err));
    }
    return DT_OK;
}

static dt_status emit_keys(dt_reader *r, const dt_section *s, const dt_yaml_node *in,
                           dt_yaml_node *out, const dt_opt *opts, const void *conf, dt_error *err)
{
    for (; opts && opts->type; opts++) {
        const dt_yaml_node *given = dt_yaml_find(in, opts->key);
        if ((s->given_only || opts->given_only) && !given) continue;
        DT_TRY(dt_option_emit(r, out, opts, conf, given, err));
    }
    return DT_OK;
}

/* A shell makes two words of {a:1,b:2}, unless they are quoted. */
static const char *braces_lost(const dt_yaml_node *node)
{
    const char *colon = node->text ? strchr(node->text, ':') : NULL;
    return colon && colon[1] ? "; in a shell it is quoted: 'KEY={method: lsq, bits: 4}'" : "";
}

dt_status dt_section_read(dt_reader *r, const dt_section *s, const dt_yaml_node *in,
                          dt_yaml_node *out, void *common, dt_recipe_choice *choice, dt_error *err)
{
    dt_yaml_node *name;
    if (in && in->kind != DT_YAML_MAP)
        return dt_node_fail(in, DT_ERR_FORMAT, err, "must be a map of keys%s%s%s%s",
                            s->name_key ? " with '" : "", s->name_key ? s->name_key : "",
                            s->name_key ? "'" : "", braces_lost(in));
    for (const dt_yaml_node *n = in ? in->first : NULL; n; n = n->next)
        DT_TRY(check_blank(n, err));
    dt_opt_defaults(s->opts, common);
    if (!s->name_key) choice = NULL;
    if (choice) {
        DT_TRY(find_row(r, s, in, out, choice, err));
        DT_TRY(dt_yaml_add(r->arena, out, DT_YAML_SCALAR, s->name_key, choice->row->name,
                           dt_yaml_find(in, s->name_key), &name, err));
    }
    if (in) DT_TRY(read_keys(r, s, in, common, choice, err));
    DT_TRY(emit_keys(r, s, in, out, s->opts, common, err));
    return choice ? emit_keys(r, s, in, out, choice->row->opts, choice->conf, err) : DT_OK;
}
