/* Softmax on codes, as onnxruntime's QLinearSoftmax computes it: shares of 1 by a table of powers in
 * float32, times the whole number of steps that 1 has, floor(1 / scale). That is another code than
 * softmax and quantizer give where the inverse of the scale is no whole number, or near a tie. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_INTEGER_SHARES_H
#define DT_INTEGER_SHARES_H

#include "integer/contract.h"
#include "integer/model.h"

typedef struct dt_shares {
    float power[DT_CODES]; /* e to the code times its scale, but for a factor of all */
    float steps;           /* of 1 */
    dt_lower_grid y;
} dt_shares;

/* Are products of powers and steps numbers of float32, for rows of C codes? Where they are not, its
 * codes mean nothing. */
bool dt_shares_fit(const dt_lower_grid *y, int64_t C);
void dt_shares_init(dt_shares *s, const dt_lower_grid *x, const dt_lower_grid *y, int64_t C);
/* x, out [C]; may be the same. */
void dt_shares_row(const dt_shares *s, const uint8_t *x, int64_t C, uint8_t *out);

#endif
