/* `detent sensitivity`: which layers of a recipe's float net mind how many bits. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_QUANTIZE_SENSITIVITY_H
#define DT_TRAIN_QUANTIZE_SENSITIVITY_H

#include <stdatomic.h>

#include "ptq/sensitivity.h"
#include "train/net/session.h"

typedef struct dt_sensitivity_params {
    dt_recipe *recipe; /* with a section `ptq`: its pictures */
    dt_ptq_sense_params sense;
    int threads;
    const char *isa;
    dt_memory_limit memory;
    const atomic_int *stop; /* set from outside: end; NULL: never */
    void (*progress)(void *arg, const char *metric, const char *what, double share);
    void *arg;
    const dt_alloc *alloc;
} dt_sensitivity_params;

/* The session is the caller's to close, after `out`, whose names are its. */
dt_status dt_sensitivity(const dt_sensitivity_params *p, dt_session *out_session, dt_ptq_mixed *out,
                         dt_error *err) DT_MUST_CHECK;

#endif
