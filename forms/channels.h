/* What forms share whose codes come from a table of 256 codes for each channel. The tables are made
 * by the operation's own forward pass, and so they say what the float network does. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_FORMS_CHANNELS_H
#define DT_FORMS_CHANNELS_H

#include "exchange/onnx/onnx_walker.h"
#include "integer/builder.h"

/* Waits for the grid behind it, on which the tables end; refuses an input without codes. */
dt_status dt_channels_lower(dt_int_builder *b, const dt_node *n) DT_MUST_CHECK;
/* Has node n such tables in ONNX, once a grid is behind it? */
bool dt_channels_has_codes(const dt_onnx_walker *w, const dt_node *n);
/* The codes of n on the grid of `site`. */
dt_status dt_channels_onnx(dt_onnx_walker *w, const dt_node *n, const dt_node *site,
                           const dt_lower_grid *grid) DT_MUST_CHECK;

#endif
