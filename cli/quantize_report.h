/* What detent quantize says of its result. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_QUANTIZE_REPORT_H
#define DT_CLI_QUANTIZE_REPORT_H

#include <jansson.h>

#include "cli/max_drop.h"

/* `export`: the file, NULL: none was written. `drop`: of --max-drop, NULL: it was not said. NULL:
 * no memory. */
json_t *cli_quantize_json(const dt_session *s, const dt_quantize_report *r, const cli_drop *drop,
                          const char *export, const dt_export_report *e);
void cli_quantize_print(const dt_session *s, const dt_quantize_report *r, const cli_drop *drop,
                        const char *folder);
/* "conv1 12.1 dB, ...": the layers that are the farthest from the float net; "": none is. */
void cli_quantize_worst(const dt_quantize_report *r, char *text, size_t size);

#endif
