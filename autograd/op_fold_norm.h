/* Configuration of the fold_norm op. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_FOLD_NORM_H
#define DT_AUTOGRAD_OP_FOLD_NORM_H

#include <stdbool.h>

#include "core/compiler.h"

/* Inputs. */
enum { DT_FOLD_W, DT_FOLD_GAMMA, DT_FOLD_VAR };

typedef struct dt_fold_norm_conf {
    double eps; /* of the batch norm */
    bool undo;  /* y = w / c */
} dt_fold_norm_conf;

#define DT_FOLD_NORM_LEAST 1e-6

/* The factor c of one channel, never nearer to 0 than DT_FOLD_NORM_LEAST. */
double dt_fold_norm_factor(const dt_fold_norm_conf *conf, real gamma, real var);

#endif
