/* detent inspect of a network in YAML. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_INSPECT_YAML_H
#define DT_CLI_INSPECT_YAML_H

#include "cli/cli.h"

/* Prints every layer; the exit code. */
int cli_inspect_yaml(const char *path, const cli_args *args);

#endif
