/* Another program's execution of the exported model, for `detent verify --runtime`. A script gets
 * pictures and our codes through a pipe, runs the file in the runtime, and compares. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_RUNTIME_H
#define DT_CLI_RUNTIME_H

#include <jansson.h>

#include "cli/cli.h"

/* Refuses what the runtime would stop at, by the rules of the target of its name: UNSUPPORTED names
 * places, numbers and the rule. */
dt_status cli_runtime_check(const dt_session *s, const cli_args *args, dt_error *err);

/* Exports the session's net, runs `args->images` pictures of the test split through the engine and
 * through the runtime called args->runtime,
 * from the file that args->format or the runtime's own exporter writes. The script prints what it
 * found. `out_good`: no code differs. Errors: NOT_FOUND (no such runtime), UNSUPPORTED (it cannot
 * be run here), IO. */
dt_status cli_runtime(dt_session *s, const dt_int_model *m, const cli_args *args, bool *out_good,
                      dt_error *err);

/* For nets with nodes that have no integer form (or parts without quantizers, with --allow-float):
 * onnxruntime's codes are put into the float network; see train/run/verify_foreign.h. Prints what
 * was found. `out_good`: no code is more than one apart, and without --allow-float no product
 * was left in float and 95 % of the MACs are done in integers. */
dt_status cli_runtime_floats(dt_session *s, const dt_lowered *l, const cli_args *args,
                             bool *out_good, dt_error *err);

/* The same as cli_runtime without pictures: the runtime's operators are driven through both sides
 * of every threshold of every channel, and through all pairs of codes of every addition. */
dt_status cli_runtime_prove(const dt_int_model *m, const cli_args *args, bool *out_good,
                            dt_error *err);

/* What goes into the net, in the order of a sample's numbers, for the scripts: a list of objects
 * with name and shape (channels last, without the samples). */
json_t *cli_runtime_inputs(const dt_graph *g);

/* The exporter and the rounding contract of args->runtime: those of args->format, or else of the
 * runtime's own format; NULL: there is no such pair. */
const char *cli_runtime_format(const cli_args *args);
const char *cli_runtime_rounding(const cli_args *args);

#endif
