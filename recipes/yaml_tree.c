/* The tree: look-up, building, places. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "recipes/yaml.h"

dt_yaml_node *dt_yaml_find(const dt_yaml_node *map, const char *key)
{
    if (!map || map->kind != DT_YAML_MAP) return NULL;
    for (dt_yaml_node *n = map->first; n; n = n->next)
        if (strcmp(n->key, key) == 0) return n;
    return NULL;
}

dt_yaml_node *dt_yaml_at(const dt_yaml_node *parent, size_t index)
{
    dt_yaml_node *n = parent->first;
    for (; n && index > 0; index--)
        n = n->next;
    return n;
}

const char *dt_yaml_text(const dt_yaml_node *node)
{
    return node->raw ? node->raw : node->text;
}

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the recipe");
}

dt_status dt_yaml_attach(dt_arena *arena, dt_yaml_node *parent, const char *key, dt_yaml_node *node,
                         dt_error *err)
{
    if (key) {
        node->key = dt_arena_strdup(arena, key);
        if (!node->key) return no_memory(err);
    }
    node->parent = parent;
    node->index = parent->count++;
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    return DT_OK;
}

dt_status dt_yaml_add(dt_arena *arena, dt_yaml_node *parent, dt_yaml_kind kind, const char *key,
                      const char *text, const dt_yaml_node *origin, dt_yaml_node **out_node,
                      dt_error *err)
{
    dt_yaml_node *node = dt_arena_get(arena, sizeof *node);
    if (!node) return no_memory(err);
    node->kind = kind;
    if (!origin) origin = parent;
    if (origin) {
        node->file = origin->file;
        node->line = origin->line;
        node->column = origin->column;
    }
    if (text) {
        node->text = dt_arena_strdup(arena, text);
        if (!node->text) return no_memory(err);
    }
    if (parent) DT_TRY(dt_yaml_attach(arena, parent, key, node, err));
    *out_node = node;
    return DT_OK;
}

void dt_yaml_replace(dt_yaml_node *old, dt_yaml_node *node)
{
    dt_yaml_node *parent = old->parent;
    node->parent = parent;
    node->key = old->key;
    node->index = old->index;
    node->next = old->next;
    dt_yaml_node **link = &parent->first;
    while (*link != old)
        link = &(*link)->next;
    *link = node;
    if (parent->last == old) parent->last = node;
}

const char *dt_yaml_path(const dt_yaml_node *node, char path[DT_YAML_PATH])
{
    const dt_yaml_node *chain[DT_YAML_MAX_DEPTH + 2];
    int n = 0;
    for (; node && node->parent && n < DT_YAML_MAX_DEPTH + 2; node = node->parent)
        chain[n++] = node;
    path[0] = '\0';
    for (size_t used = 0; n > 0 && used + 1 < DT_YAML_PATH; used = strlen(path)) {
        const dt_yaml_node *c = chain[--n];
        if (c->key)
            snprintf(path + used, DT_YAML_PATH - used, "%s%s", used ? "." : "", c->key);
        else
            snprintf(path + used, DT_YAML_PATH - used, "%s%zu", used ? "." : "", c->index);
    }
    return path;
}

dt_where dt_yaml_where(const dt_yaml_node *node, char path[DT_YAML_PATH])
{
    dt_yaml_path(node, path);
    return (dt_where){ .file = node->file, .line = node->line, .key = path[0] ? path : NULL };
}
