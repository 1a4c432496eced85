/* Which keys differ between two effective recipes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "recipes/section.h"

typedef struct differ {
    dt_recipe_diff_fn fn;
    void *user;
} differ;

/* Text of a node without children. */
static const char *leaf(const dt_yaml_node *n)
{
    if (!n) return NULL;
    if (n->kind == DT_YAML_SCALAR) return n->text;
    return n->kind == DT_YAML_MAP ? "{}" : "[]";
}

static const dt_yaml_node *partner(const dt_yaml_node *parent, const dt_yaml_node *child)
{
    if (!parent || parent->kind != child->parent->kind) return NULL;
    return child->key ? dt_yaml_find(parent, child->key) : dt_yaml_at(parent, child->index);
}

/* One of the two may be NULL. */
static void compare(const differ *d, const dt_yaml_node *a, const dt_yaml_node *b)
{
    char path[DT_YAML_PATH];
    dt_yaml_path(a ? a : b, path);
    if (dt_is_one_of(path, dt_unhashed_keys)) return;
    bool a_leaf = !a || !a->first, b_leaf = !b || !b->first;
    if (a_leaf && b_leaf) {
        const char *x = leaf(a), *y = leaf(b);
        if (!x || !y || strcmp(x, y) != 0) d->fn(d->user, path, x, y);
        return;
    }
    /* A value that became a map, or the reverse: report the plain side, then the map's keys. */
    if (a && a_leaf) d->fn(d->user, path, leaf(a), NULL);
    if (b && b_leaf) d->fn(d->user, path, NULL, leaf(b));
    for (const dt_yaml_node *n = a ? a->first : NULL; n; n = n->next)
        compare(d, n, partner(b, n));
    for (const dt_yaml_node *n = b ? b->first : NULL; n; n = n->next)
        if (!partner(a, n)) compare(d, NULL, n);
}

dt_status dt_recipe_diff(const char *text_a, const char *text_b, dt_recipe_diff_fn fn, void *user,
                         const dt_alloc *alloc, dt_error *err)
{
    dt_arena *arena = dt_arena_new(alloc, "recipe");
    if (!arena) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the recipe");
    dt_yaml_node *a, *b;
    dt_status st = dt_yaml_parse(arena, "first recipe", text_a, strlen(text_a), &a, err);
    if (st == DT_OK) st = dt_yaml_parse(arena, "second recipe", text_b, strlen(text_b), &b, err);
    if (st == DT_OK) compare(&(differ){ fn, user }, a, b);
    dt_arena_free(arena);
    return st;
}
