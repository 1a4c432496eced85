/* Quantizer parameters from those of another form of the same range. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_NET_NET_CONVERT_H
#define DT_TRAIN_NET_NET_CONVERT_H

#include "autograd/exec.h"
#include "core/tensorfile.h"

/* Whether a node is a quantizer's that lacks parameters in `set` and can take what is under its
 * name there (dt_quantizer.convert). If so, they go into `state` (NULL: nowhere). */
bool dt_net_convert(const dt_graph *g, const dt_node *site, const dt_tensors *set,
                    const dt_state *state);

#endif
