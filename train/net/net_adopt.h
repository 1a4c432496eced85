/* Quantizer parameters from those of another form of the same range. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_NET_NET_ADOPT_H
#define DT_TRAIN_NET_NET_ADOPT_H

#include "autograd/exec.h"
#include "core/tensorfile.h"

/* Whether a node is a quantizer's that lacks parameters in `set` and can take what is under its
 * name there (dt_quantizer.adopt). If so, they go into `state` (NULL: nowhere). */
bool dt_net_adopt(const dt_graph *g, const dt_node *site, const dt_tensors *set,
                  const dt_state *state);

#endif
