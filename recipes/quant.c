/* The section `quant`: reading, and what holds at one place of the network. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/quant.h"

#include <string.h>

#include "core/glob.h"

static const char *const side_keys[] = { "weights", "activations" };
static const char *const role_keys[] = { NULL, "first", "last", "shortcut" };

static dt_quant_choice float_choice(const dt_reader *r)
{
    return (dt_quant_choice){ .method = dt_quant_none(r) };
}

/* One layer of settings on top of `c`; `side` is in the canonical form, or NULL. `*bits_from` is
 * the node to blame when the method cannot do the bits. */
static dt_status apply(dt_reader *r, const dt_yaml_node *side, dt_quant_choice *c,
                       const dt_yaml_node **bits_from, dt_error *err)
{
    if (!side || dt_is_word(side, "body")) return DT_OK;
    if (dt_is_word(side, "none")) {
        c->method = dt_quant_none(r);
        c->quantized = false;
        return DT_OK;
    }
    const dt_yaml_node *method = dt_yaml_find(side, "method");
    if (method) {
        const dt_row *row;
        DT_TRY(dt_quant_find_method(r, method, &row, err));
        if (row != c->method) DT_TRY(dt_conf_new(r->arena, row, &c->conf, err));
        c->method = row;
        c->quantized = true;
        *bits_from = method;
    }
    for (const dt_yaml_node *n = side->first; n; n = n->next) {
        const dt_opt *opt = dt_opt_find(dt_side_opts, n->key);
        if (n == method) continue;
        if (opt) {
            DT_TRY(dt_option_set(n, opt, c, err));
            if (strcmp(n->key, "bits") == 0) *bits_from = n;
        } else if (c->quantized) {
            opt = dt_opt_find(c->method->opts, n->key);
            if (!opt) return dt_key_unknown(n, "method", dt_side_opts, c->method->opts, NULL, err);
            DT_TRY(dt_option_set(n, opt, c->conf, err));
        }
    }
    return DT_OK;
}

/* `role`, `side`: of the layer; edges have bits of their own, by default 8, which a method of the
 * body may lack. */
static dt_status finish(dt_reader *r, dt_quant_choice *c, const dt_yaml_node *bits_from,
                        dt_layer_role role, dt_side side, dt_error *err)
{
    int min = 1, max = 8;
    char remedy[160] = "";
    if (!c->quantized) {
        *c = float_choice(r);
        return DT_OK;
    }
    if (r->tables->bits_range) r->tables->bits_range(c->method, &min, &max);
    if (c->bits >= min && c->bits <= max) return DT_OK;
    if (role != DT_LAYER_BODY)
        snprintf(remedy, sizeof remedy, "; quant.%s.%s may have a method of its own, or be none",
                 role_keys[role], side_keys[side]);
    return dt_node_fail(bits_from, DT_ERR_RANGE, err, "%d is outside %d..%d, the bits of '%s'%s",
                        c->bits, min, max, c->method->name, remedy);
}

/* Body, role and matching rules on top of each other. `layer` NULL: no rules. */
static dt_status resolve(dt_recipe_state *s, const char *layer, dt_layer_role role, dt_side side,
                         dt_quant_choice *out, dt_error *err)
{
    dt_reader *r = &s->reader;
    dt_quant_choice c = float_choice(r);
    const dt_yaml_node *from = s->quant;
    DT_TRY(apply(r, dt_yaml_find(s->quant, side_keys[side]), &c, &from, err));
    if (role != DT_LAYER_BODY) {
        const dt_yaml_node *policy = dt_yaml_find(s->quant, role_keys[role]);
        DT_TRY(apply(r, dt_yaml_find(policy, side_keys[side]), &c, &from, err));
    }
    const dt_yaml_node *rules = dt_yaml_find(s->quant, "rules");
    for (const dt_yaml_node *rule = rules ? rules->first : NULL; layer && rule; rule = rule->next) {
        if (!dt_glob_match(dt_yaml_find(rule, "layers")->text, layer)) continue;
        s->rule_used[rule->index] = true;
        DT_TRY(apply(r, dt_yaml_find(rule, side_keys[side]), &c, &from, err));
    }
    DT_TRY(finish(r, &c, from, role, side, err));
    *out = c;
    return DT_OK;
}

/* Kept for the nearest one to a rule's; those beyond the room are not proposed. */
static void note_layer(dt_recipe_state *s, const char *layer)
{
    size_t n = s->layer_count;
    if (n == DT_LAYERS_KNOWN || (n && strcmp(s->layer[n - 1], layer) == 0)) return;
    s->layer[n] = dt_arena_strdup(s->reader.arena, layer);
    if (s->layer[n]) s->layer_count++;
}

dt_status dt_recipe_site(dt_recipe *recipe, const char *layer, dt_layer_role role, dt_side side,
                         dt_quant_choice *out_choice, dt_error *err)
{
    if (!layer || (unsigned)role > DT_LAYER_SHORTCUT || (unsigned)side > DT_SIDE_ACTIVATIONS)
        return dt_fail(err, DT_ERR_ARG, NULL, "a site needs a layer, a role and a side");
    if (recipe->quant.rules) note_layer(recipe->state, layer);
    if (recipe->quant.enabled) return resolve(recipe->state, layer, role, side, out_choice, err);
    *out_choice = float_choice(&recipe->state->reader);
    return DT_OK;
}

dt_status dt_recipe_check_rules_used(const dt_recipe *recipe, dt_error *err)
{
    const dt_recipe_state *s = recipe->state;
    const dt_yaml_node *rules = dt_yaml_find(s->quant, "rules");
    for (const dt_yaml_node *rule = rules ? rules->first : NULL; rule; rule = rule->next) {
        if (s->rule_used[rule->index]) continue;
        const dt_yaml_node *layers = dt_yaml_find(rule, "layers");
        const char *near = dt_nearest(layers->text, s->layer, s->layer_count);
        if (!near && s->layer_count) near = s->layer[0];
        return dt_node_fail(layers, DT_ERR_NOT_FOUND, err, "'%s' matches no layer; there is '%s'",
                            layers->text, near ? near : "none");
    }
    return DT_OK;
}

/* `first`, `last`, `shortcut`: a word for both sides, or a map of sides. */
static dt_status read_role(dt_reader *r, const dt_yaml_node *quant, dt_layer_role role,
                           const dt_row *const body[2], dt_yaml_node *out_quant, dt_error *err)
{
    static const char *const sides[] = { "weights", "activations", NULL };
    dt_quant_form f = role == DT_LAYER_SHORTCUT ? DT_QUANT_SHORTCUT : DT_QUANT_EDGE;
    const dt_yaml_node *in = dt_yaml_find(quant, role_keys[role]);
    bool word = dt_is_word(in, "none") || dt_is_word(in, "body");
    dt_yaml_node *out;
    if (in && !word && in->kind != DT_YAML_MAP)
        return dt_node_fail(in, DT_ERR_FORMAT, err,
                            "must be none, body or a map of weights and activations");
    for (const dt_yaml_node *n = in ? in->first : NULL; n; n = n->next)
        if (!dt_is_one_of(n->key, sides)) return dt_key_unknown(n, NULL, NULL, NULL, sides, err);
    DT_TRY(dt_section_map(r, out_quant, role_keys[role], in, &out, err));
    for (int side = 0; side < 2; side++)
        DT_TRY(dt_quant_emit_side(r, word ? in : dt_yaml_find(in, side_keys[side]), f, body[side],
                                  out, side_keys[side], err));
    return DT_OK;
}

static dt_status read_rule(dt_reader *r, const dt_yaml_node *in, const dt_row *const body[2],
                           dt_yaml_node *list, dt_error *err)
{
    static const char *const keys[] = { "layers", "weights", "activations", NULL };
    dt_yaml_node *out, *text;
    if (in->kind != DT_YAML_MAP)
        return dt_node_fail(in, DT_ERR_FORMAT, err,
                            "must be a map of layers, weights, activations");
    for (const dt_yaml_node *n = in->first; n; n = n->next)
        if (!dt_is_one_of(n->key, keys)) return dt_key_unknown(n, NULL, NULL, NULL, keys, err);
    const dt_yaml_node *layers = dt_yaml_find(in, "layers");
    const char *pattern = layers ? dt_yaml_text(layers) : NULL;
    if (!pattern || !*pattern)
        return dt_node_fail(layers ? layers : in, DT_ERR_FORMAT, err,
                            "'layers' must be a pattern of layer names, like \"layer3.*.conv2\"");
    DT_TRY(dt_section_map(r, list, NULL, in, &out, err));
    DT_TRY(dt_yaml_add(r->arena, out, DT_YAML_SCALAR, "layers", pattern, layers, &text, err));
    for (int side = 0; side < 2; side++)
        DT_TRY(dt_quant_emit_side(r, dt_yaml_find(in, side_keys[side]), DT_QUANT_RULE, body[side],
                                  out, side_keys[side], err));
    if (out->count == 1)
        return dt_node_fail(in, DT_ERR_FORMAT, err, "sets neither weights nor activations");
    return DT_OK;
}

static dt_status read_rules(dt_recipe_state *s, const dt_yaml_node *in, const dt_row *const body[2],
                            dt_error *err)
{
    dt_yaml_node *list;
    DT_TRY(dt_yaml_add(s->reader.arena, s->quant, DT_YAML_SEQ, "rules", NULL, in, &list, err));
    if (!in) return DT_OK;
    if (in->kind != DT_YAML_SEQ)
        return dt_node_fail(in, DT_ERR_FORMAT, err, "must be a list of rules");
    s->rule_used = dt_arena_get(s->reader.arena, in->count);
    if (!s->rule_used) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the recipe");
    for (const dt_yaml_node *n = in->first; n; n = n->next)
        DT_TRY(read_rule(&s->reader, n, body, list, err));
    return DT_OK;
}

/* With the placement `file` nothing else of quantizers is the recipe's. */
static dt_status check_given(const dt_reader *r, const dt_yaml_node *in, dt_error *err)
{
    const char *const *others = r->section[DT_SECTION_QUANT].others;
    for (const dt_yaml_node *n = in->first; n; n = n->next)
        if (dt_is_one_of(n->key, others))
            return dt_node_fail(n, DT_ERR_ARG, err,
                                "is the file's with quant.placement: file; quant.placement=deploy "
                                "places quantizers anew");
    return DT_OK;
}

static dt_status read_quantized(dt_recipe *recipe, const dt_yaml_node *in, dt_error *err)
{
    dt_recipe_state *s = recipe->state;
    dt_reader *r = &s->reader;
    const dt_row *body[2];
    dt_yaml_node *residual;
    dt_quant_choice ignored;
    DT_TRY(dt_section_map(r, s->effective, "quant", in, &s->quant, err));
    DT_TRY(
        dt_section_read(r, &r->section[DT_SECTION_QUANT], in, s->quant, &recipe->quant, NULL, err));
    if (recipe->quant.placement == DT_PLACEMENT_FILE) return check_given(r, in, err);
    for (int i = 0; i < 2; i++)
        DT_TRY(dt_quant_emit_body(r, dt_yaml_find(in, side_keys[i]),
                                  i ? DT_SECTION_ACTIVATIONS : DT_SECTION_WEIGHTS, s->quant,
                                  side_keys[i], &body[i], err));
    const dt_yaml_node *stream = dt_yaml_find(in, "residual");
    DT_TRY(dt_section_map(r, s->quant, "residual", stream, &residual, err));
    DT_TRY(dt_section_read(r, &r->section[DT_SECTION_RESIDUAL], stream, residual, &recipe->quant,
                           NULL, err));
    for (int role = DT_LAYER_FIRST; role <= DT_LAYER_SHORTCUT; role++)
        DT_TRY(read_role(r, in, (dt_layer_role)role, body, s->quant, err));
    const dt_yaml_node *rules = dt_yaml_find(in, "rules");
    DT_TRY(read_rules(s, rules, body, err));
    recipe->quant.rules = rules ? (int)rules->count : 0;
    for (int role = DT_LAYER_BODY; role <= DT_LAYER_SHORTCUT; role++)
        for (int side = 0; side < 2; side++)
            DT_TRY(resolve(s, NULL, (dt_layer_role)role, (dt_side)side, &ignored, err));
    return DT_OK;
}

dt_status dt_quant_read(dt_recipe *recipe, const dt_yaml_node *in, dt_error *err)
{
    dt_recipe_state *s = recipe->state;
    dt_yaml_node *none;
    recipe->quant.enabled = in && !dt_is_word(in, "none");
    if (recipe->quant.enabled) return read_quantized(recipe, in, err);
    return dt_yaml_add(s->reader.arena, s->effective, DT_YAML_SCALAR, "quant", "none", in, &none,
                       err);
}
