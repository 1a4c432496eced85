/* The sections of a recipe: which options each has, and which table names its row. One description
 * serves the reader and the list of keys. Inside recipes/ only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_RECIPES_SCHEMA_H
#define DT_RECIPES_SCHEMA_H

#include "recipes/recipe.h"

typedef enum dt_section_id {
    DT_SECTION_ROOT,
    DT_SECTION_MODEL,
    DT_SECTION_TASK, /* both read by dt_recipe_read_task */
    DT_SECTION_LOSS,
    DT_SECTION_TASKS, /* an element of the list; the same */
    DT_SECTION_TASKS_LOSS,
    DT_SECTION_DATA,
    DT_SECTION_QUANT,
    DT_SECTION_WEIGHTS,
    DT_SECTION_ACTIVATIONS,
    DT_SECTION_RESIDUAL,
    DT_SECTION_TRAIN,
    DT_SECTION_OPTIMIZER,
    DT_SECTION_SCHEDULE,
    DT_SECTION_DISTILL, /* read by dt_recipe_read_distill */
    DT_SECTION_PTQ,     /* read by dt_recipe_read_ptq */
    DT_SECTION_EVAL,
    DT_SECTION_EXPECT,
    DT_SECTION_COUNT,
} dt_section_id;

typedef struct dt_section {
    const char *path;             /* "train.optimizer"; "" for the root */
    const dt_opt *opts;           /* options that do not depend on the row; may be NULL */
    const char *name_key;         /* key that names the row: "name", "method"; NULL: no row */
    const dt_table *table;        /* of the rows */
    const char *fallback;         /* row when none is named; NULL: must be named */
    const char *const *others;    /* NULL-terminated: keys that are read apart; may be NULL */
    const char *const *path_keys; /* NULL-terminated: options that are paths; may be NULL */
    bool given_only;              /* the effective recipe has given keys only */
} dt_section;

/* Fills out[DT_SECTION_COUNT]; the strings are static, the tables borrowed. */
void dt_sections(const dt_recipe_tables *tables, dt_section out[DT_SECTION_COUNT]);

/* What every side of `quant` has beside its method, over dt_quant_choice; the first is bits. */
extern const dt_opt dt_side_opts[];
/* Keys of an element of `phases`, over dt_recipe_phase. */
extern const dt_opt dt_phase_opts[];
/* Keys whose value changes no result: left out of the hash, and ignored on resume. */
extern const char *const dt_unhashed_keys[];

#endif
