/* Reading one section: keys of the document -> option structs, and the same with all defaults
 * filled
 * -> the effective tree. Inside recipes/ only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_RECIPES_SECTION_H
#define DT_RECIPES_SECTION_H

#include "recipes/schema.h"
#include "recipes/yaml.h"

typedef struct dt_reader {
    const dt_recipe_tables *tables;
    dt_section section[DT_SECTION_COUNT];
    dt_arena *arena;  /* owns every option struct and the effective tree */
    const char *path; /* of the recipe; its folder is where relative paths start */
} dt_reader;

/* Reads `in` (NULL: absent) as section `s`. `out`: map of the effective tree, already in its place;
 * gets every key. `common` is filled after s->opts, `choice` (may be NULL without a table) with the
 * row. Keys in s->others are left to the caller, all other unknown ones are errors. */
dt_status dt_section_read(dt_reader *r, const dt_section *s, const dt_yaml_node *in,
                          dt_yaml_node *out, void *common, dt_recipe_choice *choice,
                          dt_error *err) DT_MUST_CHECK;

/* Adds the map `key` to `parent`; its place is `in`'s, or the parent's when NULL. */
dt_status dt_section_map(dt_reader *r, dt_yaml_node *parent, const char *key,
                         const dt_yaml_node *in, dt_yaml_node **out, dt_error *err) DT_MUST_CHECK;
/* Sets one option from a node. */
dt_status dt_option_set(const dt_yaml_node *node, const dt_opt *opt, void *conf,
                        dt_error *err) DT_MUST_CHECK;
/* Adds an option's value to a map of the effective tree. */
dt_status dt_option_emit(dt_reader *r, dt_yaml_node *out, const dt_opt *opt, const void *conf,
                         const dt_yaml_node *origin, dt_error *err) DT_MUST_CHECK;
/* The path that a key says, absolute: in the file it starts at the recipe's folder, in an override
 * (which has no line) at the current one. NULL: it is no text. */
dt_status dt_section_path(dt_reader *r, const dt_yaml_node *node, const char **out,
                          dt_error *err) DT_MUST_CHECK;
/* Options of a row at their defaults; *out_conf is NULL when it has none. */
dt_status dt_conf_new(dt_arena *arena, const dt_row *row, void **out_conf,
                      dt_error *err) DT_MUST_CHECK;
/* Fails with the nearest of the valid keys; each argument may be NULL. */
dt_status dt_key_unknown(const dt_yaml_node *node, const char *name_key, const dt_opt *opts,
                         const dt_opt *row_opts, const char *const *others, dt_error *err);
/* Whether `key` is in a NULL-terminated list (NULL: empty). */
bool dt_is_one_of(const char *key, const char *const *list);
/* Fails at the place of a node; of one with a fault it tells that instead. */
dt_status dt_node_fail(const dt_yaml_node *node, dt_status status, dt_error *err, const char *fmt,
                       ...) DT_PRINTF(4, 5);

/* Applies "key.path=value" to the document. */
dt_status dt_override_apply(dt_arena *arena, dt_yaml_node *root, const char *override,
                            dt_error *err) DT_MUST_CHECK;

enum { DT_LAYERS_KNOWN = 256 };

/* What dt_recipe_site needs of the quant section. */
typedef struct dt_recipe_state {
    dt_reader reader;
    const dt_alloc *alloc;
    dt_yaml_node *effective;            /* the whole tree */
    dt_yaml_node *quant;                /* its quant section; NULL: a float net */
    bool *rule_used;                    /* [rules] */
    const char *layer[DT_LAYERS_KNOWN]; /* names that were asked for, for messages */
    size_t layer_count;
    char *text, *hashed;
} dt_recipe_state;

/* Before `model` is read: a key that is the name of a row names it (`onnx: net.onnx`), and what the
 * file of such a row tells is added to the document. */
dt_status dt_recipe_data_classes(dt_recipe *recipe, dt_yaml_node *in, dt_error *err) DT_MUST_CHECK;
dt_status dt_recipe_model_file(dt_recipe *recipe, dt_yaml_node *in, dt_error *err) DT_MUST_CHECK;
/* Reads the section `task`. */
dt_status dt_recipe_read_task(dt_recipe *recipe, const dt_yaml_node *in,
                              dt_error *err) DT_MUST_CHECK;
/* Reads the list `tasks` of the document, in place of `task`. */
dt_status dt_recipe_read_tasks(dt_recipe *recipe, const dt_yaml_node *root,
                               dt_error *err) DT_MUST_CHECK;
/* Reads the section `phases`, after `train`. */
dt_status dt_recipe_read_phases(dt_recipe *recipe, const dt_yaml_node *in,
                                dt_error *err) DT_MUST_CHECK;
/* Reads the section `dynamics`. */
dt_status dt_recipe_read_dynamics(dt_recipe *recipe, const dt_yaml_node *in,
                                  dt_error *err) DT_MUST_CHECK;
/* Reads the section `distill`, after `model`. */
dt_status dt_recipe_read_distill(dt_recipe *recipe, const dt_yaml_node *in,
                                 dt_error *err) DT_MUST_CHECK;
/* Puts a preset's stages into the document where `ptq` has none, or the command line names one. */
dt_status dt_ptq_expand(dt_reader *r, const dt_recipe_params *p, dt_yaml_node *root,
                        dt_error *err) DT_MUST_CHECK;
/* Reads the section `ptq`. */
dt_status dt_recipe_read_ptq(dt_recipe *recipe, const dt_yaml_node *in,
                             dt_error *err) DT_MUST_CHECK;
/* Reads an element of a list of rows, `name`, `name: value` (of the row's first option) or `name:
 * {key: value}`, into the effective list. */
dt_status dt_recipe_read_row(dt_recipe *recipe, const dt_table *table, const dt_yaml_node *in,
                             dt_yaml_node *list, dt_recipe_choice *choice,
                             dt_error *err) DT_MUST_CHECK;
/* The list of rows `key` of a section, which may be missing. */
dt_status dt_recipe_read_rows(dt_recipe *recipe, const dt_table *table, const dt_yaml_node *in,
                              const char *key, dt_yaml_node *out, dt_recipe_choice **out_at,
                              size_t *out_count, dt_error *err) DT_MUST_CHECK;
/* Reads the section `quant` and checks what can be checked without layer names. */
dt_status dt_quant_read(dt_recipe *recipe, const dt_yaml_node *in, dt_error *err) DT_MUST_CHECK;

#endif
