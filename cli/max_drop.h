/* detent quantize --max-drop: the cheapest widths that lose no more than so much. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_MAX_DROP_H
#define DT_CLI_MAX_DROP_H

#include "cli/quantize_recipe.h"

/* What was asked for and what was found. Drops are points of the task's first metric; without
 * labels, of agreement with the float net. */
typedef struct cli_drop {
    double limit, drop; /* drop: of the widths that were taken */
    bool met, labelled;
    int held_out;          /* pictures */
    int tries;             /* nets that were quantized and compared */
    double amount, widest; /* cost of what was taken and of all layers at their widest */
    const char *unit;      /* of both */
} cli_drop;

/* Refuses --max-drop with what it cannot be joined with. */
dt_status cli_drop_check(const cli_args *args, dt_error *err);
/* Measures layers, and quantizes with widths of the front between the cheapest and the widest by
 * bisection, in <folder>/tries, each compared with the float net on pictures that no stage reads.
 * `r` becomes the recipe with the widths that were taken: the cheapest within the limit, else those
 * that lost the least. A search that was stopped goes on with --resume. */
dt_status cli_drop_search(cli_quantize_recipe *r, const char *folder, cli_drop *out, dt_error *err);

#endif
