/* Finding attention in a graph: slice, attention_scores, softmax and attention_mix with any
 * quantizers between them, all read by nothing else. Part of the fusing pass. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_FUSE_ATTENTION_H
#define DT_AUTOGRAD_FUSE_ATTENTION_H

#include "autograd/graph.h"
#include "autograd/op_attention.h"

enum { DT_ATTENTION_NODES = 16 };

typedef struct dt_attention_match {
    dt_attention_conf conf;
    int in[DT_OP_MAX_IN], in_count;           /* of the attention node */
    int node[DT_ATTENTION_NODES], node_count; /* that it stands for, the attention_mix included */
} dt_attention_match;

/* Is the attention_mix node `mix` the end of such a pattern? `keep`: values that must stay. */
bool dt_attention_find(const dt_graph *g, int mix, const int *keep, int keep_count,
                       dt_attention_match *out);

#endif
