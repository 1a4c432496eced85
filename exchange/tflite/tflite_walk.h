/* From the integer model to TFLite operators. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_TFLITE_TFLITE_WALK_H
#define DT_EXCHANGE_TFLITE_TFLITE_WALK_H

#include "exchange/tflite/tflite_message.h"

/* Adds the model's nodes; tells the tensors of its input and of its outputs, whose names are
 * in `out` before. `halves`: weights of up
 * to 4 bits are INT4, two in a byte. Errors: UNSUPPORTED names the layer; NOMEM. */
dt_status dt_tflite_walk(const dt_int_model *model, bool halves, dt_arena *arena, dt_tflite *m,
                         dt_tflite_ends *out, dt_error *err) DT_MUST_CHECK;

#endif
