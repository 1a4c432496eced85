/* Checkpoints of vision transformers under other names: Hugging Face's ViT and DeiT, torchvision's.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_FOREIGN_VIT_H
#define DT_EXCHANGE_FOREIGN_VIT_H

#include "autograd/graph.h"
#include "core/tensorfile.h"

/* The tensors of `in` under the names of the graph, which are timm's: other conventions are mapped,
 * separate queries, keys and values are joined, and a position embedding of another square grid is
 * interpolated (bicubic, as PyTorch's F.interpolate with align_corners=False). What needs nothing
 * is passed on. `out` borrows from `in`, which must outlive it; attributes are copied. `path` is
 * for messages. */
dt_status dt_foreign_vit(const dt_graph *g, const dt_tensors *in, const char *path,
                         const dt_alloc *a, dt_tensors *out, dt_error *err) DT_MUST_CHECK;

#endif
