/* Reader of whole recipes: document, overrides, sections in order, effective tree, text, hash. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/recipe.h"

#include <stdio.h>
#include <string.h>

#include "recipes/section.h"

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the recipe");
}

/* Reads one section into the effective tree under `parent`, as its last key of that name. */
static dt_status read_section(dt_recipe *recipe, dt_section_id id, const dt_yaml_node *in,
                              dt_yaml_node *parent, void *common, dt_recipe_choice *choice,
                              dt_yaml_node **out, dt_error *err)
{
    dt_reader *r = &recipe->state->reader;
    const dt_section *s = &r->section[id];
    const char *dot = strrchr(s->path, '.'), *key = dot ? dot + 1 : s->path;
    in = dt_yaml_find(in, key);
    DT_TRY(dt_section_map(r, parent, key, in, out, err));
    return dt_section_read(r, s, in, *out, common, choice, err);
}

/* The default name is the file's without folder and ending. It names a folder, so no `/`. */
static dt_status read_name(dt_recipe *recipe, const dt_yaml_node *in, dt_error *err)
{
    dt_recipe_state *s = recipe->state;
    dt_yaml_node *out = dt_yaml_find(s->effective, "name"), *made;
    if (!*recipe->name) {
        const char *slash = strrchr(s->reader.path, '/');
        const char *base = slash ? slash + 1 : s->reader.path;
        size_t n = strlen(base);
        if (n > 5 && strcmp(base + n - 5, ".yaml") == 0)
            n -= 5;
        else if (n > 4 && strcmp(base + n - 4, ".yml") == 0)
            n -= 4;
        if (n >= sizeof recipe->name)
            return dt_node_fail(out, DT_ERR_RANGE, err, "the recipe's file has too long a name");
        snprintf(recipe->name, sizeof recipe->name, "%.*s", (int)n, base);
    }
    if (!*recipe->name || recipe->name[0] == '.' || strchr(recipe->name, '/')) {
        const dt_yaml_node *at = dt_yaml_find(in, "name");
        return dt_node_fail(at ? at : out, DT_ERR_RANGE, err,
                            "'%s' is no name of a folder: it may not have / or start with a dot",
                            recipe->name);
    }
    DT_TRY(dt_yaml_add(s->reader.arena, NULL, DT_YAML_SCALAR, NULL, recipe->name, out, &made, err));
    dt_yaml_replace(out, made);
    return DT_OK;
}

static dt_status read_data(dt_recipe *recipe, const dt_yaml_node *in, dt_error *err)
{
    dt_reader *r = &recipe->state->reader;
    dt_recipe_data *d = &recipe->data;
    dt_yaml_node *out;
    d->common = dt_arena_get(r->arena, r->tables->data_conf_size);
    if (!d->common) return no_memory(err);
    DT_TRY(read_section(recipe, DT_SECTION_DATA, in, recipe->state->effective, d->common,
                        &d->choice, &out, err));
    in = dt_yaml_find(in, "data");
    DT_TRY(dt_recipe_read_rows(recipe, r->tables->transforms, in, "train", out, &d->train,
                               &d->train_count, err));
    return dt_recipe_read_rows(recipe, r->tables->transforms, in, "test", out, &d->test,
                               &d->test_count, err);
}

/* A key with a character of patterns, or a dot, which no group's name has. */
static bool is_pattern(const char *key)
{
    return strpbrk(key, "*?.") != NULL;
}

/* A group whose key is a pattern of parameters' names. */
static dt_status read_named(dt_recipe *recipe, const dt_yaml_node *in, dt_yaml_node *groups,
                            dt_error *err)
{
    dt_reader *r = &recipe->state->reader;
    dt_recipe_train *t = &recipe->train;
    dt_yaml_node *map;
    dt_recipe_named_group *g = &t->named[t->named_count++];
    g->pattern = in->key;
    DT_TRY(dt_section_map(r, groups, in->key, in, &map, err));
    return dt_section_read(r, &r->section[DT_SECTION_OPTIMIZER], in, map, NULL, &g->choice, err);
}

/* Optimizers of groups of parameters; a group that is not named has the run's. */
static dt_status read_groups(dt_recipe *recipe, const dt_yaml_node *in, dt_yaml_node *train,
                             dt_error *err)
{
    dt_reader *r = &recipe->state->reader;
    const dt_section *like = &r->section[DT_SECTION_OPTIMIZER];
    dt_yaml_node *out, *map;
    if (!in) return DT_OK;
    if (in->kind != DT_YAML_MAP)
        return dt_node_fail(in, DT_ERR_FORMAT, err, "must be a map from groups to optimizers");
    size_t patterns = 0;
    for (const dt_yaml_node *n = in->first; n; n = n->next) {
        patterns += is_pattern(n->key);
        if (!is_pattern(n->key) && !dt_is_one_of(n->key, dt_recipe_group_names))
            return dt_key_unknown(n, NULL, NULL, NULL, dt_recipe_group_names, err);
    }
    recipe->train.named = dt_arena_get(r->arena, (patterns + 1) * sizeof(dt_recipe_named_group));
    if (!recipe->train.named) return no_memory(err);
    DT_TRY(dt_section_map(r, train, "groups", in, &out, err));
    for (int i = 0; i < DT_GROUP_COUNT; i++) {
        const dt_yaml_node *group = dt_yaml_find(in, dt_recipe_group_names[i]);
        if (!group) continue;
        DT_TRY(dt_section_map(r, out, dt_recipe_group_names[i], group, &map, err));
        DT_TRY(dt_section_read(r, like, group, map, NULL, &recipe->train.group[i], err));
    }
    for (const dt_yaml_node *n = in->first; n; n = n->next)
        if (is_pattern(n->key)) DT_TRY(read_named(recipe, n, out, err));
    return DT_OK;
}

/* Patterns of parameters that stay; without them the effective text has no such key. */
static dt_status read_freeze(dt_recipe *recipe, const dt_yaml_node *in, dt_yaml_node *out,
                             dt_error *err)
{
    static const dt_opt opt = DT_OPT_WORDS(dt_recipe_train, freeze, "");
    if (!in) return DT_OK;
    DT_TRY(dt_option_set(in, &opt, &recipe->train, err));
    return dt_option_emit(&recipe->state->reader, out, &opt, &recipe->train, in, err);
}

static dt_status read_train(dt_recipe *recipe, const dt_yaml_node *in, dt_error *err)
{
    dt_recipe_train *t = &recipe->train;
    dt_yaml_node *out, *part;
    DT_TRY(
        read_section(recipe, DT_SECTION_TRAIN, in, recipe->state->effective, t, NULL, &out, err));
    in = dt_yaml_find(in, "train");
    DT_TRY(read_section(recipe, DT_SECTION_OPTIMIZER, in, out, NULL, &t->optimizer, &part, err));
    DT_TRY(read_section(recipe, DT_SECTION_SCHEDULE, in, out, NULL, &t->schedule, &part, err));
    DT_TRY(read_freeze(recipe, in ? dt_yaml_find(in, "freeze") : NULL, out, err));
    return read_groups(recipe, in ? dt_yaml_find(in, "groups") : NULL, out, err);
}

/* Words TAG=HEX. */
static dt_status check_hashes(const dt_opt_words *words, const dt_yaml_node *node, dt_error *err)
{
    for (int i = 0; i < words->count; i++) {
        const char *hex = strrchr(words->value[i], '=');
        if (!hex || hex == words->value[i] || strlen(hex + 1) != 64 ||
            hex[1 + strspn(hex + 1, "0123456789abcdef")])
            return dt_node_fail(node, DT_ERR_RANGE, err,
                                "'%s' is not TIER/LIBRARY=HASH with the 64 lower-case hexadecimal "
                                "digits of a SHA-256",
                                words->value[i]);
    }
    return DT_OK;
}

static dt_status read_expect(dt_recipe *recipe, const dt_yaml_node *in, dt_error *err)
{
    dt_recipe_expect *e = &recipe->expect;
    dt_yaml_node *out;
    DT_TRY(
        read_section(recipe, DT_SECTION_EXPECT, in, recipe->state->effective, e, NULL, &out, err));
    const dt_yaml_node *own = dt_yaml_find(in, "expect");
    e->has_top1 = own && dt_yaml_find(own, "top1");
    if (own && own->count && e->status != DT_EXPECT_NOT_RUN && !e->has_top1)
        return dt_node_fail(own, DT_ERR_RANGE, err,
                            "has no top1; status: not_run says that there is no number yet");
    DT_TRY(check_hashes(&e->sha256, dt_yaml_find(out, "sha256"), err));
    return check_hashes(&e->quick, dt_yaml_find(out, "quick"), err);
}

static dt_status read_sections(dt_recipe *recipe, dt_yaml_node *in, dt_error *err)
{
    dt_recipe_state *s = recipe->state;
    dt_yaml_node *out;
    DT_TRY(dt_yaml_add(s->reader.arena, NULL, DT_YAML_MAP, NULL, NULL, in, &s->effective, err));
    DT_TRY(dt_section_read(&s->reader, &s->reader.section[DT_SECTION_ROOT], in, s->effective,
                           recipe, NULL, err));
    DT_TRY(read_name(recipe, in, err));
    DT_TRY(dt_recipe_data_classes(recipe, in, err));
    DT_TRY(dt_recipe_model_file(recipe, in, err));
    DT_TRY(read_section(recipe, DT_SECTION_MODEL, in, s->effective, &recipe->model,
                        &recipe->model.choice, &out, err));
    DT_TRY(dt_recipe_read_task(recipe, dt_yaml_find(in, "task"), err));
    DT_TRY(dt_recipe_read_tasks(recipe, in, err));
    DT_TRY(read_data(recipe, in, err));
    DT_TRY(dt_quant_read(recipe, dt_yaml_find(in, "quant"), err));
    DT_TRY(read_train(recipe, in, err));
    DT_TRY(dt_recipe_read_phases(recipe, dt_yaml_find(in, "phases"), err));
    DT_TRY(dt_recipe_read_dynamics(recipe, dt_yaml_find(in, "dynamics"), err));
    DT_TRY(dt_recipe_read_distill(recipe, dt_yaml_find(in, "distill"), err));
    DT_TRY(dt_recipe_read_ptq(recipe, dt_yaml_find(in, "ptq"), err));
    DT_TRY(read_section(recipe, DT_SECTION_EVAL, in, s->effective, recipe, NULL, &out, err));
    return read_expect(recipe, in, err);
}

static dt_status make_text(dt_recipe *recipe, dt_error *err)
{
    dt_recipe_state *s = recipe->state;
    DT_TRY(dt_yaml_print(s->alloc, s->effective, NULL, &s->text, err));
    recipe->text = s->text;
    DT_TRY(dt_yaml_print(s->alloc, s->effective, dt_unhashed_keys, &s->hashed, err));
    recipe->hashed = s->hashed;
    dt_sha256 h;
    dt_sha256_init(&h);
    dt_sha256_add(&h, s->hashed, strlen(s->hashed));
    dt_sha256_end(&h, recipe->hash);
    return DT_OK;
}

static dt_status read_document(const dt_recipe_params *p, dt_reader *r, dt_yaml_node **root,
                               dt_error *err)
{
    dt_arena *arena = r->arena;
    const char *name = p->path ? p->path : "text";
    if (p->text) {
        size_t size = p->text_size ? p->text_size : strlen(p->text);
        DT_TRY(dt_yaml_parse(arena, name, p->text, size, root, err));
    } else {
        DT_TRY(dt_yaml_read(arena, p->alloc, name, root, err));
    }
    if ((*root)->kind != DT_YAML_MAP)
        return dt_node_fail(*root, DT_ERR_FORMAT, err, "a recipe is a map of sections");
    DT_TRY(dt_ptq_expand(r, p, *root, err));
    for (size_t i = 0; i < p->override_count; i++)
        DT_TRY(dt_override_apply(arena, *root, p->overrides[i], err));
    return DT_OK;
}

static dt_status read_all(dt_recipe *recipe, const dt_recipe_params *p, dt_error *err)
{
    dt_reader *r = &recipe->state->reader;
    dt_yaml_node *root;
    r->tables = p->tables;
    r->path = dt_arena_strdup(r->arena, p->path ? p->path : "recipe");
    if (!r->path) return no_memory(err);
    dt_sections(p->tables, r->section);
    DT_TRY(read_document(p, r, &root, err));
    DT_TRY(read_sections(recipe, root, err));
    return make_text(recipe, err);
}

dt_status dt_recipe_read(const dt_recipe_params *p, dt_recipe **out_recipe, dt_error *err)
{
    const dt_recipe_tables *t = p->tables;
    if (!t || !t->models || !t->datasets || !t->transforms || !t->quantizers || !t->optimizers ||
        !t->schedules || (!p->path && !p->text) || (p->override_count && !p->overrides))
        return dt_fail(err, DT_ERR_ARG, NULL, "a recipe needs all tables, and a path or a text");
    dt_arena *arena = dt_arena_new(p->alloc, "recipe");
    dt_recipe *recipe = arena ? dt_arena_get(arena, sizeof *recipe) : NULL;
    dt_recipe_state *state = recipe ? dt_arena_get(arena, sizeof *state) : NULL;
    if (!state) {
        dt_arena_free(arena);
        return no_memory(err);
    }
    state->reader.arena = arena;
    state->alloc = p->alloc;
    recipe->state = state;
    dt_status st = read_all(recipe, p, err);
    if (st == DT_OK)
        *out_recipe = recipe;
    else
        dt_recipe_free(recipe);
    return st;
}

void dt_recipe_free(dt_recipe *recipe)
{
    if (!recipe) return;
    dt_put(recipe->state->alloc, recipe->state->text);
    dt_put(recipe->state->alloc, recipe->state->hashed);
    dt_arena_free(recipe->state->reader.arena); /* the recipe itself is in it */
}
