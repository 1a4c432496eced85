/* Layouts of foreign files: torch keeps conv weights as [O,I,KH,KW], the engine as [O,KH,KW,I]. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_LAYOUT_H
#define DT_EXCHANGE_LAYOUT_H

#include "autograd/exec.h"
#include "core/tensorfile.h"

/* Is it a parameter or buffer, and so kept in files? */
bool dt_layout_is_kept(const dt_value *v);
/* Shape of a value in a foreign file. */
dt_shape dt_layout_shape(const dt_value *v);
/* [O,I,KH,KW] (foreign) to or from [O,KH,KW,I] (`ohwi` is its shape); elements of `size` bytes. */
void dt_layout_to_foreign(const dt_shape *ohwi, size_t size, const void *from, void *to);
void dt_layout_from_foreign(const dt_shape *ohwi, size_t size, const void *from, void *to);

/* Adds all parameters and buffers to a set: `native` in the engine's layout, borrowed from the
 * state; otherwise in torch's. */
dt_status dt_layout_collect(const dt_graph *g, const dt_state *state, bool native, dt_tensors *set,
                            dt_error *err) DT_MUST_CHECK;

#endif
