/* The recipe that the words and options of detent quantize make. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_QUANTIZE_RECIPE_H
#define DT_CLI_QUANTIZE_RECIPE_H

#include "cli/mixed.h"

enum { CLI_QUANTIZE_OURS = 12 };

/* Its words point into itself: it is not to be moved. */
typedef struct cli_quantize_recipe {
    cli_args args; /* with what the options say as keys */
    char text[CLI_QUANTIZE_OURS][96];
    int count;
    dt_recipe *recipe; /* goes back with cli_quantize_put(r, NULL) */
} cli_quantize_recipe;

/* With the widths that --bits mixed chooses, but for --max-drop, which does it itself. */
dt_status cli_quantize_recipe_of(const cli_args *args, cli_quantize_recipe *r, dt_error *err);
/* Another recipe in the place of the one that is there. */
void cli_quantize_put(cli_quantize_recipe *r, dt_recipe *recipe);
/* A key behind all others, and the recipe of all words. */
dt_status cli_quantize_more(cli_quantize_recipe *r, const char *key, const char *value,
                            dt_error *err);
dt_status cli_quantize_read(cli_quantize_recipe *r, dt_error *err);
/* The recipe of the words with a rule for every layer whose width was chosen, behind its `own`. */
dt_status cli_quantize_rules(const cli_args *args, const cli_mixed *m, int own, dt_recipe **out,
                             dt_error *err);
bool cli_quantize_mixed(const cli_args *args);

#endif
