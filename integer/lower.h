/* Lowering facts: what a graph means in integers. Formats are written from these, so that they all
 * mean the same model. Scales are float32, exactly those of training; biases are int32 in units of
 * (input scale * weight scale); batch norm is folded into weight scales without rounding codes
 * again.
 *
 * A bias counts in steps of one product of codes. With 4-bit weights and activations that step may
 * be larger than a step of an 8-bit output, and the rounded bias would be wrong by whole codes.
 * Codes that leave room in their byte are therefore written times a power of two, the `gain`, and
 * the scale is divided by it: exactly the same weights, and a bias up to 32 times finer. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_INTEGER_LOWER_H
#define DT_INTEGER_LOWER_H

#include "autograd/exec.h"
#include "autograd/query.h"

/* A trained network; everything is borrowed. */
typedef struct dt_lower_source {
    const dt_graph *graph;
    const dt_state *state;
    int input, logits;     /* values: the picture [N,H,W,C], and the output [N,classes]; of several
                              the first, the others are ports of the graph */
    const dt_alloc *alloc; /* NULL: the C library's */
    bool no_gain;          /* codes as trained, for formats of fewer than 8 bits; coarser biases */
} dt_lower_source;

/* The values that the quantizer of a weight rounds: those of the parameter, or times the factors of
 * a batch norm that is folded in training. `room` has as many elements and is used for the latter.
 * The factor of an output then goes to factor[O] (may be NULL); 1 elsewhere. */
const real *dt_lower_values(const dt_graph *g, const dt_state *state, const dt_node *site,
                            real *room, double *factor);
bool dt_lower_is_output(const dt_lower_source *src, int value);
/* needed[i]: outputs depend on node i. */
void dt_lower_cone(const dt_lower_source *src, bool *needed);
/* How many needed nodes stay in float, see dt_op.in_float; needed[i]: outputs depend on node i. */
int dt_lower_floats(const dt_lower_source *src, const bool *needed);
/* Sites that an integer model needs and the graph has not. `text` gets the first few names. */
int dt_lower_missing(const dt_lower_source *src, const bool *needed, char *text, size_t size);

/* The share of multiply-accumulates that are done in integers: of codes with codes, whose sums end
 * on a grid or are the logits. 1 where the net has none. */
double dt_lower_macs(const dt_lower_source *src, const bool *needed);

/* Activation codes in an unsigned byte: value = scale * (code - zero_point), low <= code <= high.
 * Signed grids have the zero point 128. */
typedef struct dt_lower_grid {
    float scale;
    int zero_point, low, high; /* 0..255 */
} dt_lower_grid;
/* Takes away the codes above `high` (below `low`), which are not reached behind a limit: rounding
 * never falls, so the code of min(x, 6) is the lesser of the codes of x and of 6. */
void dt_lower_cap(dt_lower_grid *g, double high);
void dt_lower_raise(dt_lower_grid *g, double low);
/* Behind a limit the grid ends with it. Errors: UNSUPPORTED names the site when its codes have no
 * such meaning. */
dt_status dt_lower_activation(const dt_lower_source *src, const dt_node *site,
                              dt_lower_grid *out_grid, dt_error *err) DT_MUST_CHECK;

/* A conv, linear or patch embedding with its batch norm or bias: y[o] = sum of w[o] x, plus
 * bias[o]. Arrays live in the arena; weights are in the engine's layout, [O,KH,KW,I] or [O,I]. */
typedef struct dt_lower_product {
    dt_shape shape;
    int64_t O, K;   /* outputs, weights of each */
    bool quantized; /* `code` and `scale`; otherwise `weight` */
    int bits;       /* of the trained codes; 0: not quantized */
    bool wide;      /* |code| may exceed 64: wants a byte with zero point 128, see below */
    int64_t scales; /* 1 or O */
    int gain;       /* 1, 2, 4, ... 32 */
    int8_t *code;   /* [O][K]: trained codes times gain, negated where gamma < 0; those of a norm
                     * that training folded have its sign already */
    bool *negated;  /* [O]: they are the trained ones times -1; then none of these is -128 */
    float *scale;   /* [scales], of code */
    float *weight;  /* [O][K] */
    bool has_bias;
    int32_t *bias_code; /* [O]; NULL: the bias is float */
    float *bias_scale;  /* [scales], exactly float32 input scale * weight scale */
    float *bias;        /* [O] */
} dt_lower_product;
/* `norm`, `x` (the grid of the input) may be NULL; with both codes the bias is integer too.
 * Two products of codes (0..255 times -64..64) fit 16 bits, which some integer kernels rely on;
 * `wide` says that they may not. */
dt_status dt_lower_fold(const dt_lower_source *src, const dt_node *product, const dt_node *norm,
                        const dt_lower_grid *x, dt_arena *arena, dt_lower_product *out,
                        dt_error *err) DT_MUST_CHECK;

/* The whole lowering of a network, made once: exporters write it and the integer model is made of
 * it, so that what is shipped is what was executed. Parts without quantizers have no entry. */
enum { DT_LOWER_MISSING = 360 };
typedef struct dt_lowered {
    dt_lower_source src;
    dt_arena *arena;
    bool *needed;                     /* by node: see dt_query_cone */
    const dt_lower_grid **grid;       /* by node: activation sites; NULL: another node */
    const dt_lower_product **product; /* by node: convs and linears; NULL: another node */
    int floats;                       /* nodes that stay in float, see dt_lower_floats */
    int missing;                      /* see dt_lower_missing; both 0: an integer model */
    double integer_macs;              /* see dt_lower_macs */
    char missing_text[DT_LOWER_MISSING];
} dt_lowered;
/* Errors: UNSUPPORTED names a layer and the rule that it breaks; NUMERIC, NOMEM. */
dt_status dt_lower_new(const dt_lower_source *src, dt_lowered **out, dt_error *err) DT_MUST_CHECK;
void dt_lower_free(dt_lowered *l); /* NULL is fine */
/* Replaces the float biases in `state` (of the same graph) by those of the integer model, so that
 * the float network computes what the integer model does, up to the rounding of float sums. Rounded
 * biases are all that tells the two apart: one code in a hundred behind a conv, which low-bit
 * networks amplify from block to block. `out_count`: outputs that were looked at. */
void dt_lower_round_biases(const dt_lowered *l, dt_state *state, int *out_count);

#endif
