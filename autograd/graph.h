/* The graph: values and the nodes that compute them, built once. Shapes are kept for a batch of
 * one; a plan fixes the batch. Training, evaluation, planning, lowering and export all read this
 * graph. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_GRAPH_H
#define DT_AUTOGRAD_GRAPH_H

#include "autograd/op.h"
#include "core/alloc.h"

typedef enum dt_value_kind {
    DT_VALUE_INPUT,  /* fed each step */
    DT_VALUE_PARAM,  /* learned */
    DT_VALUE_BUFFER, /* kept, not learned: running statistics, initial scales */
    DT_VALUE_NODE,   /* computed */
    /* Of training alone: in the state, where dynamics may set it, but in no file of weights. */
    DT_VALUE_AUX,
} dt_value_kind;

typedef enum dt_role { /* of parameters: optimizer groups and initialisation */
                       DT_ROLE_WEIGHT,
                       DT_ROLE_BIAS,
                       DT_ROLE_NORM,  /* gamma, beta */
                       DT_ROLE_EMBED, /* class token, positions */
                       DT_ROLE_QUANT, /* quantizer parameters */
} dt_role;

typedef enum dt_layout { /* how a tensor lies in foreign files */
                         DT_LAYOUT_SAME,
                         DT_LAYOUT_OIHW, /* conv weight: [O,I,KH,KW] there, [O,KH,KW,I] here */
} dt_layout;

typedef enum dt_init {
    DT_INIT_ZERO,
    DT_INIT_ONE,
    DT_INIT_KAIMING,
    DT_INIT_SMALL,   /* normal, deviation 0.02: transformers */
    DT_INIT_NUMBER,  /* dt_value.number */
    DT_INIT_UNIFORM, /* within 1 / sqrt(fan_in): what torch.nn starts its layers from */
} dt_init;

typedef enum dt_store { /* what an element is in memory; gradients are always real */
                        DT_STORE_REAL,
                        DT_STORE_INT32, /* labels */
                        DT_STORE_CODE,  /* uint8_t: the code of a quantized value less its qmin */
                        DT_STORE_SUM,   /* int16_t, with scales in front: autograd/sums.h */
} dt_store;

typedef struct dt_value {
    const char *name;  /* PARAM and BUFFER: as in checkpoints; NODE: the node's name */
    const char *alias; /* another name in foreign files, borrowed; NULL: none */
    dt_value_kind kind;
    dt_shape shape; /* dim[0] is 1 where `batched` */
    bool batched;
    bool nonneg; /* known to be never negative */
    dt_store store;
    int producer;                  /* node, -1: none */
    int first_use, last_use, uses; /* in dt_graph.use, in the order of nodes; -1: none */
    dt_role role;
    dt_layout layout;
    dt_init init;
    int64_t fan_in; /* of weights, and of biases that start as these */
    real number;    /* of DT_INIT_NUMBER */
} dt_value;

/* Whether its memory is in the state. */
static inline bool dt_value_in_state(const dt_value *v)
{
    return v->kind == DT_VALUE_PARAM || v->kind == DT_VALUE_BUFFER || v->kind == DT_VALUE_AUX;
}

typedef struct dt_node {
    const dt_op *op;
    const char *name;
    /* ---- of a graph without quantizers, for placing them (layers/place.h) ---- */
    int role; /* dt_layer_role (fakequant/choice.h) */
    const char
        *stream; /* the output goes on to additions, as "<stream>.output"; NULL: it does not */
    const void *conf;
    int in[DT_OP_MAX_IN], in_count;
    int out[DT_OP_MAX_OUT], out_count;
} dt_node;

/* What goes into a net, comes out of it and is wanted of it, by name. */
typedef enum dt_port_kind { DT_PORT_INPUT, DT_PORT_OUTPUT, DT_PORT_ANSWER } dt_port_kind;
typedef struct dt_port {
    dt_port_kind kind;
    const char *name;
    int value; /* has shape and store */
} dt_port;
enum { DT_GRAPH_PORTS = 32 };

/* A node that reads a value as its input `input`. */
typedef struct dt_use {
    int node, input;
    int next; /* of the same value, -1: none */
} dt_use;

typedef struct dt_graph {
    dt_arena *arena; /* owns names, configurations and the arrays */
    dt_value *value;
    dt_node *node; /* in topological order: the order of creation */
    dt_use *use;
    int value_count, node_count, use_count;
    int value_room, node_room, use_room;
    dt_port port[DT_GRAPH_PORTS];
    int port_count;
    int *named; /* hash table of PARAM and BUFFER values by name, -1: free */
    int named_count, named_room;
} dt_graph;

dt_status dt_graph_init(dt_graph *g, const dt_alloc *a, dt_error *err) DT_MUST_CHECK;
void dt_graph_fini(dt_graph *g);

/* Adds a value that no node computes; its id. `v->name` is copied and must be new among PARAM and
 * BUFFER values. */
dt_status dt_graph_value(dt_graph *g, const dt_value *v, int *out_id, dt_error *err) DT_MUST_CHECK;
/* Adds a node; `conf` (op->conf_size bytes) is copied. Infers shapes and signs. `out_ids` has
 * op->out_count elements. */
dt_status dt_graph_node(dt_graph *g, const char *op, const char *name, const void *conf,
                        const int *in, int in_count, int *out_ids, dt_error *err) DT_MUST_CHECK;
/* Adds a node that is whole: its outputs are values of this graph that nothing computes yet. `name`
 * and `conf` are borrowed. For passes that make one graph of another. */
dt_status dt_graph_append(dt_graph *g, const dt_node *node, dt_error *err) DT_MUST_CHECK;
/* Adds a port; the name is copied. RANGE: there are DT_GRAPH_PORTS, or one of that name; an answer
 * may be called as what goes in or out. */
dt_status dt_graph_port(dt_graph *g, dt_port_kind kind, const char *name, int value,
                        dt_error *err) DT_MUST_CHECK;
/* Adds the ports of another graph; `value[v]` is what stands for its v here, NULL: v itself. */
dt_status dt_graph_ports_of(dt_graph *g, const dt_graph *other, const int *value,
                            dt_error *err) DT_MUST_CHECK;
/* The name under which a value goes in or out; `otherwise` where it is no such port. */
const char *dt_graph_port_name(const dt_graph *g, int value, const char *otherwise);
/* PARAM or BUFFER of that name, -1: none. */
int dt_graph_find(const dt_graph *g, const char *name);
/* The k-th value that goes in, in the order of the ports; -1: there are no more. */
int dt_graph_input(const dt_graph *g, int k);
/* The same of what comes out, and of answers. */
int dt_graph_output(const dt_graph *g, int k);
int dt_graph_answer(const dt_graph *g, int k);
bool dt_graph_is_output(const dt_graph *g, int value); /* by its ports */
/* Numbers of a sample: those of all that goes in, one behind the other. */
int64_t dt_graph_record(const dt_graph *g);
/* The same of what comes out. */
int64_t dt_graph_outputs(const dt_graph *g);
/* The values that are wanted for a graph's outputs, into `out` with room for DT_GRAPH_PORTS: those
 * of its ports, or `first` where it has none. Returns how many. */
int dt_graph_wanted(const dt_graph *g, int first, int *out);
/* Copies bytes into the graph's memory (configurations that others point into). NULL: no memory. */
void *dt_graph_keep(dt_graph *g, const void *data, size_t size);

#endif
