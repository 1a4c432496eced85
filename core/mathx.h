/* Elementary functions of our own: libm picks variants by CPU, whose last bits differ, and runs
 * must not. Accuracy is stated for each and tested against libm. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CORE_MATHX_H
#define DT_CORE_MATHX_H

double dt_exp(double x); /* relative error < 1e-14 on [-700, 700]; 0 below, inf above; nan -> nan */
double dt_log(double x); /* relative error < 1e-14; x > 0 and normal, otherwise -inf or nan */
double dt_tanh(double x);  /* absolute error < 1e-14; nan -> nan */
double dt_cospi(double x); /* cos(pi x), absolute error < 1e-14 on [-1e6, 1e6] */

#endif
