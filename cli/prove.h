/* detent verify --prove: tables of what dt_int_prove finds. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_PROVE_H
#define DT_CLI_PROVE_H

#include "cli/cli.h"

/* `out_good`: the engine is the reference. Other contracts may differ; they are listed. */
dt_status cli_prove(const dt_session *s, const dt_int_model *m, const cli_args *args,
                    bool *out_good, dt_error *err);

#endif
