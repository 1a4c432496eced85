/* The functions of soft rounding (var_round.c), for its test. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_PTQ_SOFT_H
#define DT_PTQ_SOFT_H

double dt_ptq_soft(double V);                 /* h(V) */
double dt_ptq_soft_slope(double V, double h); /* dh/dV, also on the rim of the inner clip */
double dt_ptq_soft_start(double rest);        /* V with h(V) = rest, in 0..1 */
double dt_ptq_soft_beta(double progress, double warmup, double from, double to);
double dt_ptq_soft_pull(double h, double beta); /* d(1 - |2h-1|^beta)/dh */

#endif
