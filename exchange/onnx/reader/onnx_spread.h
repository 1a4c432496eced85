/* A constant beside a value whose elements lie in another order: as elements of the value's last
 * axes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_SPREAD_H
#define DT_EXCHANGE_ONNX_READER_ONNX_SPREAD_H

#include "exchange/onnx/reader/onnx_order.h"

/* t, which has the size of v or 1 in every dimension, counted from the last, as *out [a,...] along
 * the last axes of the engine's value, whose first repeats itself after `a`. v has every element of
 * its value. Refuses what varies from sample to sample. */
dt_status dt_ox_spread(dt_ox_walk *w, const dt_ox_value *v, const dt_ox_tensor *t,
                       dt_ox_tensor **out) DT_MUST_CHECK;

#endif
