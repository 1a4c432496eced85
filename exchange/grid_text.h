/* What the codes of a quantization site mean, as text. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_GRID_TEXT_H
#define DT_EXCHANGE_GRID_TEXT_H

#include "autograd/exec.h"
#include "core/text.h"

/* JSON: value = scale (code - zero_point), a scale for each group; or levels, integers to be
 * multiplied with it. Appends nothing for grids that follow from statistics of what is quantized.
 */
void dt_grid_say(const dt_node *site, const dt_state *state, dt_text *out);

#endif
