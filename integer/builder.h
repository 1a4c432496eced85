/* The integer model under construction, for the forms of operations: what each value of the graph
 * is in it so far. Sums, additions and functions wait for the grid of the quantizer behind them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_INTEGER_BUILDER_H
#define DT_INTEGER_BUILDER_H

#include "integer/form.h"

/* The rows of the table. */
#define DT_FORM(name, file) extern const dt_form dt_form_##name;
#include "autograd/ops.def"

typedef struct dt_int_state {
    const dt_form *end;              /* its `end` brings the value onto a grid; NULL: it is float */
    bool codes;                      /* in[0] holds codes of it already */
    int in[DT_INT_MAX_IN], in_count; /* values of the model that it is made of */
    const dt_node *node;             /* that computes it, where `end` wants to know */
    const dt_port *port;             /* of an input, */
    int64_t at;                      /* and where it begins in a sample */
    /* Limits that take effect on the grid's codes, since rounding never falls. */
    bool has_low, has_high;
    double low, high;
} dt_int_state;

typedef struct dt_int_builder {
    const dt_lowered *l;
    const dt_graph *g;
    dt_int_model *m;
    dt_int_state *state; /* by value of the graph */
    dt_error *err;
} dt_int_builder;

dt_status dt_int_no_memory(dt_error *err);
/* UNSUPPORTED: the node and the rule. */
dt_status dt_int_refuse(const dt_int_builder *b, const dt_node *n, const char *rule);

/* A node that makes a new value of a shape ([N,H,W,C] or [N,C]). NULL: no memory. */
dt_int_node *dt_int_add(dt_int_builder *b, const dt_form *form, const char *name,
                        const dt_shape *shape, const int *in, int in_count);
/* The same for an output of a node of the graph, under its name, from one value. */
dt_int_node *dt_int_add_of(dt_int_builder *b, const dt_form *form, const dt_node *n, int in);
/* The same where codes only move: the output is codes on the grid of `in`. */
dt_int_node *dt_int_add_moved(dt_int_builder *b, const dt_form *form, const dt_node *n, int in);
/* The codes of input `which` of a node: their value in the model. Refused with "<what> has no
 * integer codes" where it has none. */
dt_status dt_int_codes_of(const dt_int_builder *b, const dt_node *n, int which, const char *what,
                          int *out_value);
/* The node's output is codes: the value `codes` of the model. */
void dt_int_set_codes(dt_int_builder *b, const dt_node *n, int codes);
/* It waits for a grid on which `end` brings it. */
void dt_int_set_waiting(dt_int_builder *b, const dt_node *n, const dt_form *end, const int *in,
                        int in_count);
/* Brings what waits onto a grid at a quantizer, which may be within limits. */
dt_status dt_int_end(dt_int_builder *b, const dt_node *site, const dt_int_state *x,
                     dt_lower_grid grid, int *out_value);
/* What most forms do in `end`: a node of theirs with the name and the shape of the site, on that
 * grid. `out_node` (its in[] are those of `x`) has everything but tables. */
dt_status dt_int_end_node(dt_int_builder *b, const dt_form *form, const dt_node *site,
                          const dt_int_state *x, const dt_lower_grid *grid, dt_int_node **out_node);
/* low[C], high[C] of a node that ends on sums; `K` weights each, 0: it adds `pixels` codes. Refuses
 * those that may leave 32 bits. */
dt_status dt_int_set_reach(dt_int_builder *b, const dt_node *n, dt_int_node *node, int64_t K);

#endif
