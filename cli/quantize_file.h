/* What `detent quantize` was given: a recipe, or a net's file and pictures. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_QUANTIZE_FILE_H
#define DT_CLI_QUANTIZE_FILE_H

#include "cli/cli.h"

typedef struct cli_quantize_file {
    cli_args args; /* those that were given, of a net's file with the recipe that it stands for;
                      borrows from here */
    char *text, *word[DT_QUANTIZE_FILE_WORDS];
} cli_quantize_file;

dt_status cli_quantize_source(const cli_args *args, cli_quantize_file *f, dt_error *err);
void cli_quantize_file_fini(cli_quantize_file *f);

#endif
