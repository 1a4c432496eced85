/* detent inspect: what layers are and cost. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_INSPECT_LAYERS_H
#define DT_CLI_INSPECT_LAYERS_H

#include <jansson.h>

#include "cli/cli.h"

typedef struct cli_layers {
    json_t *list; /* NULL: a table on standard output */
    int count;
    int64_t weights, macs, bops;
    size_t low_bytes, container_bytes;
} cli_layers;

void cli_layers_add(cli_layers *v, const dt_inspect_layer *l);
/* The sums: a last row, or an object. */
void cli_layers_print_total(const cli_layers *v);
json_t *cli_layers_total(const cli_layers *v);

#endif
