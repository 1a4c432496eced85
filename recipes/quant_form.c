/* The section `quant` in one form: in the effective tree every side is a map of its given keys, or
 * the word none or body. Values are normalised, so equal recipes give equal texts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/quant.h"

#include <string.h>

/* Stands in when the table has no row of that name. */
static const dt_row row_none = { "none", "not quantized", NULL, 0 };

const dt_row *dt_quant_none(const dt_reader *r)
{
    const dt_row *row = dt_table_find(r->tables->quantizers, "none");
    return row ? row : &row_none;
}

bool dt_is_word(const dt_yaml_node *node, const char *word)
{
    return node && node->kind == DT_YAML_SCALAR && strcmp(node->text, word) == 0;
}

static bool is_common(const char *key)
{
    return strcmp(key, "method") == 0 || dt_opt_find(dt_side_opts, key);
}

dt_status dt_quant_find_method(const dt_reader *r, const dt_yaml_node *node, const dt_row **out,
                               dt_error *err)
{
    char path[DT_YAML_PATH];
    *out = dt_quant_none(r);
    if (dt_is_word(node, "none")) return DT_OK;
    dt_where where = dt_yaml_where(node, path);
    return dt_table_get(r->tables->quantizers, node->text ? node->text : "", &where, out, err);
}

/* Adds those of `opts` that `in` has to `out`, normalised through the scratch `conf`. A value that
 * this row refuses is left for another row that has the key. */
static dt_status emit_given(dt_reader *r, const dt_yaml_node *in, dt_yaml_node *out,
                            const dt_opt *opts, void *conf, dt_error *err)
{
    for (; opts && opts->type; opts++) {
        const dt_yaml_node *n = dt_yaml_find(in, opts->key);
        if (!n || dt_yaml_find(out, opts->key)) continue;
        if (dt_option_set(n, opts, conf, NULL) != DT_OK) continue;
        DT_TRY(dt_option_emit(r, out, opts, conf, n, err));
    }
    return DT_OK;
}

/* Row whose options are the most likely ones to have been meant by `key`. */
static const dt_row *likely_row(const dt_row *const *rows, const dt_row *fallback, const char *key)
{
    for (; *rows; rows++)
        for (const dt_opt *o = (*rows)->opts; o && o->type; o++)
            if (dt_nearest(key, &o->key, 1)) return *rows;
    return fallback;
}

/* A key that no row took: a bad value or a bad name. `rows`: those that were asked. */
static dt_status refuse_rest(dt_reader *r, const dt_yaml_node *in, const dt_yaml_node *out,
                             const dt_row *const *rows, const dt_row *first, dt_error *err)
{
    for (const dt_yaml_node *n = in->first; n; n = n->next) {
        if (is_common(n->key) || dt_yaml_find(out, n->key)) continue;
        for (const dt_row *const *row = rows; *row; row++) {
            const dt_opt *opt = dt_opt_find((*row)->opts, n->key);
            void *conf;
            if (!opt) continue;
            DT_TRY(dt_conf_new(r->arena, *row, &conf, err));
            DT_TRY(dt_option_set(n, opt, conf, err));
        }
        const dt_row *row = likely_row(rows, first, n->key);
        return dt_key_unknown(n, "method", dt_side_opts, row->opts, NULL, err);
    }
    return DT_OK;
}

/* Keys of a map. Without a method the options may be those of any row: which one a layer has is
 * known only when it is asked for, and then checked again. */
static dt_status emit_map(dt_reader *r, const dt_yaml_node *in, dt_quant_form f, const dt_row *body,
                          dt_yaml_node *parent, const char *key, dt_error *err)
{
    dt_yaml_node *out, *node;
    const dt_yaml_node *method = dt_yaml_find(in, "method");
    const dt_row *row = body;
    dt_quant_choice common = { .bits = 8 };
    void *conf;
    if (method) DT_TRY(dt_quant_find_method(r, method, &row, err));
    DT_TRY(dt_section_map(r, parent, key, in, &out, err));
    if (method)
        DT_TRY(dt_yaml_add(r->arena, out, DT_YAML_SCALAR, "method", row->name, method, &node, err));
    const dt_yaml_node *bits = dt_yaml_find(in, "bits");
    if (bits) DT_TRY(dt_option_set(bits, dt_side_opts, &common, err));
    if (bits || f == DT_QUANT_EDGE)
        DT_TRY(dt_option_emit(r, out, dt_side_opts, &common, bits, err));
    for (const dt_opt *o = &dt_side_opts[1]; o->type; o++) {
        const dt_yaml_node *n = dt_yaml_find(in, o->key);
        if (!n) continue;
        DT_TRY(dt_option_set(n, o, &common, err));
        DT_TRY(dt_option_emit(r, out, o, &common, n, err));
    }
    DT_TRY(dt_conf_new(r->arena, row, &conf, err));
    DT_TRY(emit_given(r, in, out, row->opts, conf, err));
    const dt_row *const single[] = { row, NULL };
    const dt_row *const *rows = method ? single : r->tables->quantizers->rows;
    for (const dt_row *const *any = rows; *any; any++) {
        DT_TRY(dt_conf_new(r->arena, *any, &conf, err));
        DT_TRY(emit_given(r, in, out, (*any)->opts, conf, err));
    }
    return refuse_rest(r, in, out, rows, row, err);
}

/* `method: none` with keys that nothing could use. */
static dt_status refuse_unused(const dt_yaml_node *in, dt_error *err)
{
    const dt_yaml_node *ste = dt_yaml_find(in, "ste");
    if (ste && !dt_is_word(ste, "own"))
        return dt_node_fail(ste, DT_ERR_ARG, err,
                            "'%s' shapes the gradient of rounding, and method none has none",
                            ste->text ? ste->text : "");
    for (const dt_yaml_node *n = in->first; n; n = n->next)
        if (!is_common(n->key)) return dt_key_unknown(n, "method", dt_side_opts, NULL, NULL, err);
    return DT_OK;
}

static dt_status emit_word(dt_reader *r, const char *word, const dt_yaml_node *in,
                           dt_yaml_node *parent, const char *key, dt_error *err)
{
    dt_yaml_node *out;
    return dt_yaml_add(r->arena, parent, DT_YAML_SCALAR, key, word, in, &out, err);
}

dt_status dt_quant_emit_side(dt_reader *r, const dt_yaml_node *in, dt_quant_form f,
                             const dt_row *body, dt_yaml_node *parent, const char *key,
                             dt_error *err)
{
    dt_yaml_node *out;
    dt_quant_choice common = { .bits = 8 };
    if (!in && f == DT_QUANT_RULE) return DT_OK;
    if (!in && f == DT_QUANT_SHORTCUT) return emit_word(r, "body", NULL, parent, key, err);
    if (dt_is_word(in, "body") && f != DT_QUANT_RULE)
        return emit_word(r, "body", in, parent, key, err);
    if (dt_is_word(in, "none")) return emit_word(r, "none", in, parent, key, err);
    if (in && (in->kind == DT_YAML_SEQ || (in->kind == DT_YAML_MAP && !in->count)))
        return dt_node_fail(in, DT_ERR_FORMAT, err, "must be bits, none or a map of keys");
    if (dt_is_word(dt_yaml_find(in, "method"), "none")) {
        DT_TRY(refuse_unused(in, err));
        return emit_word(r, "none", in, parent, key, err);
    }
    if (in && in->kind == DT_YAML_MAP) return emit_map(r, in, f, body, parent, key, err);
    if (in) DT_TRY(dt_option_set(in, dt_side_opts, &common, err));
    DT_TRY(dt_section_map(r, parent, key, in, &out, err));
    return dt_option_emit(r, out, dt_side_opts, &common, in, err);
}

dt_status dt_quant_emit_body(dt_reader *r, const dt_yaml_node *in, dt_section_id id,
                             dt_yaml_node *parent, const char *key, const dt_row **out_row,
                             dt_error *err)
{
    dt_quant_choice common;
    dt_recipe_choice choice;
    dt_yaml_node *out;
    *out_row = dt_quant_none(r);
    if (!in || dt_is_word(in, "none")) return emit_word(r, "none", in, parent, key, err);
    if (dt_is_word(dt_yaml_find(in, "method"), "none")) {
        DT_TRY(refuse_unused(in, err));
        return emit_word(r, "none", in, parent, key, err);
    }
    DT_TRY(dt_section_map(r, parent, key, in, &out, err));
    DT_TRY(dt_section_read(r, &r->section[id], in, out, &common, &choice, err));
    *out_row = choice.row;
    return DT_OK;
}
