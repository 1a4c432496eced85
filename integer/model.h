/* The integer model: a graph of its own, made of a lowering, that needs nothing of the trained
 * network any more. Values are unsigned codes on a grid, or int32 sums; between the picture and the
 * logits there are only integers:
 *
 * What a node computes is its form; there are
 *
 *   input     picture, or one of several inputs -> codes
 *   product   codes -> sums: conv or linear with its int32 bias
 *   mean      codes -> sums over all pixels, zero point taken off
 *   requant   sums -> codes: low + how many of the channel's thresholds are <= the sum
 *   add       codes, codes -> codes: a table of all pairs
 *   table     codes -> codes: another grid, a ReLU
 *   maxpool   codes -> codes
 *   pad       codes -> codes: subsampling, zero channels
 *
 * and what the other files of forms/ have.
 *
 * The staircase from sums to codes is kept as thresholds: two ways of rounding are the same exactly
 * where their thresholds are the same over all sums that can occur. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_INTEGER_MODEL_H
#define DT_INTEGER_MODEL_H

#include "integer/contract.h"
#include "kernels/conv.h"

typedef struct dt_form dt_form; /* integer/form.h */

enum { DT_CODES = 256, DT_INT_MAX_IN = DT_OP_MAX_IN };

typedef struct dt_int_value {
    int64_t H, W, C;     /* [N,H,W,C]; H and W are 1 behind the pool */
    bool is_sum;         /* int32_t sums; otherwise uint8_t codes */
    dt_lower_grid grid;  /* of codes; `low` is the zero point behind a ReLU */
    int32_t *low, *high; /* [C], of sums: what can occur */
} dt_int_value;

typedef struct dt_int_node {
    const dt_form *form;                  /* what it computes */
    const char *name;                     /* of the layer or site in the graph */
    int in[DT_INT_MAX_IN], in_count, out; /* values; those behind in_count are -1 */
    /* product, maxpool, pad (SH SW); N is 1 */
    dt_conv_shape shape;
    int8_t *weight;            /* product: [O,KH,KW,I] */
    bool *negated;             /* product: [O]; weights are those of training times -1 */
    int32_t *bias;             /* product: [O]; zeros where there is none */
    int bits, gain;            /* product: weights are codes of `bits` times `gain` */
    float x_scale;             /* product, mean: sums are in units of x_scale * w_scale[c] */
    float *w_scale;            /* product: [O]; mean: [C] of 1 */
    int64_t pixels;            /* mean; 0: a product */
    dt_multiplier *multiplier; /* requant: [C] */
    int32_t *threshold; /* requant: [C][high - low], ascending; a sum never reaches INT32_MAX */
    dt_adder adder;     /* add */
    uint8_t *pair;      /* add: [256 a][256 b] */
    uint8_t *table;     /* table: [256] */
    int before;         /* pad: zero channels in front */
    const char *port;   /* input: its name */
    int64_t at;         /* input: where it begins in a sample */
    void *own;          /* what else a form wants to know: [own_bytes], compared as bytes */
    size_t own_bytes;
} dt_int_node;

typedef struct dt_int_model {
    dt_arena *arena; /* owns all of it */
    const dt_contract *contract;
    dt_int_value *value;
    dt_int_node *node; /* in the order of execution; the last one makes the logits */
    int value_count, node_count, room;
    int output[DT_GRAPH_PORTS]; /* values: codes, in the order of the graph's ports */
    int outputs, logits;        /* how many; the first */
    int64_t record;             /* numbers of a sample: of all inputs, one behind the other */
} dt_int_model;

/* Errors: UNSUPPORTED names sites that are missing, or a layer and the rule it breaks: sums that
 * may leave 32 bits, an operation without an integer form, padding whose zero is no code. */
dt_status dt_int_model_new(const dt_lowered *l, const dt_contract *c, const dt_alloc *a,
                           dt_int_model **out, dt_error *err) DT_MUST_CHECK;
void dt_int_model_free(dt_int_model *m); /* NULL is fine */

/* flat[value]: the codes of an input of `g`, which the model was made of, that has rows [N,C]. */
void dt_int_mark_rows(const dt_int_model *m, const dt_graph *g, bool *flat);
/* How often the model quantizes what goes in; 1: one input in one way. */
int dt_int_inputs(const dt_int_model *m);
/* The input that begins there in a sample; NULL: none does. */
const dt_int_node *dt_int_input_at(const dt_int_model *m, int64_t at);
/* Numbers of a sample: of all outputs, one behind the other. */
int64_t dt_int_outputs(const dt_int_model *m);
/* Which output a value is; -1: none. */
int dt_int_output_at(const dt_int_model *m, int value);
/* Elements of a value of one picture. */
int64_t dt_int_count(const dt_int_value *v);
/* Node whose output is `value`. */
const dt_int_node *dt_int_producer(const dt_int_model *m, int value);
/* The node whose sums a node brings to codes; NULL: it reads codes. */
const dt_int_node *dt_int_sums(const dt_int_model *m, const dt_int_node *n);

/* The code that thresholds [high - low] of a channel give to a sum. */
int32_t dt_int_stairs(const int32_t *threshold, int low, int high, int32_t sum);
/* Thresholds [high - low] of a multiplier over the sums reach_low..reach_high; INT32_MAX for codes
 * that are not reached. */
void dt_int_thresholds(const dt_multiplier *m, const dt_lower_grid *y, int32_t reach_low,
                       int32_t reach_high, int32_t *threshold);
/* The least and the greatest sum of a channel: K weights, inputs x.low..x.high, bias. */
void dt_int_reach(const int8_t *w, int64_t K, const dt_lower_grid *x, int64_t bias,
                  int64_t *out_low, int64_t *out_high);
/* (Re)makes what the contract decides: multipliers, thresholds, tables of pairs. */
void dt_int_model_round(dt_int_model *m, const dt_contract *c);

#endif
