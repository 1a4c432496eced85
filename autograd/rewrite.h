/* Making one graph of another. A visitor is called for every node of the source in order and says
 * what stands for it in the new graph: the same node, another one, several, or none. The new graph
 * has the values of the source under their numbers, whether a node still computes them or not, so
 * parameters, optimizer and checkpoints know no graph by itself. Configurations and names are
 * borrowed from the source, which has to live as long. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_REWRITE_H
#define DT_AUTOGRAD_REWRITE_H

#include "autograd/graph.h"

typedef struct dt_rewrite {
    const dt_graph *source;
    dt_graph *out;
    int *value; /* by value of the source: the one that stands for it from here on */
    void *arg;  /* the visitor's */
    dt_error *err;
} dt_rewrite;

/* What stands for node `node` of the source; with the calls below. */
typedef dt_status (*dt_visit_fn)(dt_rewrite *r, int node);

/* `out` is the caller's, for dt_graph_fini, on success only. */
dt_status dt_graph_rewrite(const dt_graph *source, dt_visit_fn visit, void *arg, const dt_alloc *a,
                           dt_graph *out, dt_error *err) DT_MUST_CHECK;
/* The same in place of `g`, in its memory. After an error only dt_graph_fini may be called. */
dt_status dt_graph_remake(dt_graph *g, dt_visit_fn visit, void *arg, dt_error *err) DT_MUST_CHECK;

/* Appends a node whose inputs and outputs are values of the source, or new ones of `out`: inputs
 * become what stands for them, outputs stay. `name` and `conf` are borrowed. */
dt_status dt_rewrite_put(dt_rewrite *r, const dt_node *node) DT_MUST_CHECK;
/* The same with a configuration of `size` bytes that is copied. */
dt_status dt_rewrite_put_as(dt_rewrite *r, const dt_node *node, const char *op, const void *conf,
                            size_t size) DT_MUST_CHECK;
/* Who reads `value` reads `instead`, both of the source, from here on. */
void dt_rewrite_stand_for(dt_rewrite *r, int value, int instead);
/* The node that makes what stands for `x` makes `value`, which has to stay, in its place. Nothing
 * happens where no node makes x; then `x` stands for `value`. */
void dt_rewrite_rename(dt_rewrite *r, int x, int value);

#endif
