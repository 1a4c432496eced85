/* Overrides: "train.lr=0.1" changes the document before it is checked, so a key from the command
 * line and one from the file meet the same rules. Nodes from here have line 0 and "command line" as
 * file. A value is YAML, except where the key is a text, such as a path: that takes it as it
 * stands. Which keys are texts is known when they are read, so the value's node keeps both. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "recipes/section.h"

static const dt_yaml_node command_line = { .file = "command line" };

static void set_place(dt_yaml_node *node)
{
    node->file = command_line.file;
    node->line = node->column = 0;
    for (dt_yaml_node *n = node->first; n; n = n->next)
        set_place(n);
}

static dt_status parse_value(dt_arena *arena, const dt_where *where, const char *value,
                             dt_yaml_node **out, dt_error *err)
{
    dt_error inner = { 0 }; /* has no place of its own: lines of a value say nothing */
    dt_status st =
        *value ? dt_yaml_parse(arena, NULL, value, strlen(value), out, &inner) : DT_ERR_FORMAT;
    if (st == DT_ERR_NOMEM) return dt_fail(err, st, where, "%s", inner.text);
    if (st == DT_OK) {
        set_place(*out);
    } else {
        DT_TRY(dt_yaml_add(arena, NULL, DT_YAML_SCALAR, NULL, value, &command_line, out, err));
        if (*value && !((*out)->fault = dt_arena_strdup(arena, inner.text)))
            return dt_fail(err, DT_ERR_NOMEM, where, "no memory for the recipe");
    }
    (*out)->raw = dt_arena_strdup(arena, value);
    return (*out)->raw ? DT_OK : dt_fail(err, DT_ERR_NOMEM, where, "no memory for the recipe");
}

/* Child of `node` called `part`. *out is NULL when it is not there but may be added. */
static dt_status child(dt_yaml_node *node, const char *part, const dt_where *where,
                       dt_yaml_node **out, dt_error *err)
{
    *out = NULL;
    if (node->kind == DT_YAML_MAP) {
        *out = dt_yaml_find(node, part);
        return DT_OK;
    }
    char path[DT_YAML_PATH];
    dt_yaml_path(node, path);
    if (node->kind == DT_YAML_SCALAR)
        return dt_fail(err, DT_ERR_FORMAT, where, "'%s' is a single value; override it as a whole",
                       path);
    char *end;
    size_t digits = strspn(part, "0123456789");
    unsigned long i = strtoul(part, &end, 10);
    if (!digits || part[digits] || digits > 9)
        return dt_fail(err, DT_ERR_FORMAT, where, "'%s' is a list; '%s' is no number", path, part);
    if (i > node->count)
        return dt_fail(err, DT_ERR_RANGE, where, "'%s' has %zu elements; %lu is outside 0..%zu",
                       path, node->count, i, node->count);
    *out = dt_yaml_at(node, i);
    return DT_OK;
}

/* Walks `key` (its dots are cut) to the parent of the last part, making maps on the way. */
static dt_status walk(dt_arena *arena, dt_yaml_node **node, char *key, const dt_where *where,
                      char **last, dt_error *err)
{
    for (int depth = 0;; depth++) {
        char *dot = strchr(key, '.');
        if (dot) *dot = '\0';
        if (!*key || depth == DT_YAML_MAX_DEPTH)
            return dt_fail(err, DT_ERR_FORMAT, where, "is no dotted key");
        if (!dot) break;
        dt_yaml_node *next;
        DT_TRY(child(*node, key, where, &next, err));
        if (!next) {
            const char *name = (*node)->kind == DT_YAML_MAP ? key : NULL;
            DT_TRY(dt_yaml_add(arena, *node, DT_YAML_MAP, name, NULL, &command_line, &next, err));
        }
        *node = next;
        key = dot + 1;
    }
    *last = key;
    return DT_OK;
}

dt_status dt_override_apply(dt_arena *arena, dt_yaml_node *root, const char *override,
                            dt_error *err)
{
    const char *equal = strchr(override, '=');
    dt_where where = { .file = command_line.file };
    if (!equal || equal == override)
        return dt_fail(err, DT_ERR_FORMAT, &where, "'%s' is not of the form key.path=value",
                       override);
    int length = (int)(equal - override);
    char *key = dt_arena_printf(arena, "%.*s", length, override);
    char *parts = dt_arena_printf(arena, "%.*s", length, override), *last = NULL;
    if (!key || !parts) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the recipe");
    where.key = key;
    dt_yaml_node *node = root, *value, *old;
    DT_TRY(walk(arena, &node, parts, &where, &last, err));
    DT_TRY(child(node, last, &where, &old, err));
    DT_TRY(parse_value(arena, &where, equal + 1, &value, err));
    if (!old)
        return dt_yaml_attach(arena, node, node->kind == DT_YAML_MAP ? last : NULL, value, err);
    dt_yaml_replace(old, value);
    return DT_OK;
}
