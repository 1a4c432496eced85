/* What quantizers with even steps share: their codes, and the factor of a learned step's gradient.
 * A row embeds the options it wants; the enums are the indices of their choices. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_FAKEQUANT_UNIFORM_H
#define DT_FAKEQUANT_UNIFORM_H

#include "autograd/quantizer.h"

/* Signed codes without the lowest one, so that a negative factor can be folded into them. */
typedef enum dt_narrow { DT_NARROW_AUTO, DT_NARROW_NO, DT_NARROW_YES } dt_narrow;
#define DT_NARROW_CHOICES "auto|no|yes"
#define DT_NARROW_HELP "signed range without its lowest code; auto: weights of 8 bits"

/* Divisor of the gradient of a learned step: sqrt(N qmax) (Esser 2020, section 2.2), sqrt(N), 1. */
typedef enum dt_grad_scale { DT_GRAD_SQRT_NQ, DT_GRAD_SQRT_N, DT_GRAD_NONE } dt_grad_scale;
#define DT_GRAD_SCALE_CHOICES "sqrt_nq|sqrt_n|none"
#define DT_GRAD_SCALE_HELP "the gradient of s is divided by sqrt(N qmax), sqrt(N), or nothing"

/* What N counts for activations. */
typedef enum dt_act_N { DT_COUNT_NUMEL, DT_COUNT_FEATURES } dt_act_N;
#define DT_ACT_N_CHOICES "numel|features"
#define DT_ACT_N_HELP "what N counts for activations: all elements of the batch, or of one sample"

/* Unsigned 0..2^b-1, signed -2^(b-1)..2^(b-1)-1, narrow from one above. */
void dt_uniform_codes(const dt_quant_site *site, int narrow, int *out_qmin, int *out_qmax);
/* Bits and sign of `site` and whether it is narrow, so that its codes are low..high. False: such
 * codes are none of 2..8 bits. */
bool dt_uniform_of_codes(int low, int high, dt_quant_site *site, int *out_narrow);
double dt_uniform_grad_factor(int grad_scale, int act_N, const dt_quant_site *site, double qmax);

/* Ends low <= 0 <= high of a range with an integer zero point and codes 0..k, from what
 * 'asymmetric' calls its parameters in any of its forms. False: there are none, or they make no
 * range. */
bool dt_uniform_read_ends(dt_quant_read_fn read, void *arg, int k, double *out_low,
                          double *out_high);

#endif
