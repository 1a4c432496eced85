/* Arithmetic on values: what rows of two operands share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_ARITH_H
#define DT_EXCHANGE_ONNX_READER_ONNX_ARITH_H

#include "exchange/onnx/reader/onnx_order.h"

typedef enum dt_ox_arith { DT_OX_ADD, DT_OX_SUB, DT_OX_MUL, DT_OX_DIV } dt_ox_arith;

/* Input 0 op input 1, of which at least one is a value: of two values; of one and a number; of one
 * and a constant along its last axes, which becomes a parameter. */
dt_status dt_ox_build_arith(dt_ox_walk *w, dt_ox_arith op) DT_MUST_CHECK;
/* Input 0 to the power of a constant. */
dt_status dt_ox_build_power(dt_ox_walk *w) DT_MUST_CHECK;

#endif
