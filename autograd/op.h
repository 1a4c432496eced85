/* Operations: what a node of the graph computes. One file an op (`op_<name>.c`), one row in
 * ops.def. An op sees plain buffers and shapes; which buffer lives where is the planner's business.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_H
#define DT_AUTOGRAD_OP_H

#include "core/opt.h"
#include "core/shape.h"
#include "core/thread.h"
#include "kernels/kernels.h"

enum { DT_OP_MAX_IN = 16, DT_OP_MAX_OUT = 3 };

typedef enum dt_mode {
    DT_MODE_TRAIN, /* of a step: random parts are drawn, backward follows */
    DT_MODE_EVAL,  /* forward only, nothing at random */
} dt_mode;

/* What batch norms normalise by. */
typedef enum dt_norms {
    DT_NORMS_OF_MODE, /* requests only: MOVE in TRAIN, RUNNING in EVAL */
    DT_NORMS_MOVE,    /* the batch's statistics, which move the running ones */
    DT_NORMS_RUNNING, /* the running ones, which stay */
    DT_NORMS_BATCH,   /* the batch's, and the running ones stay: quantizers start from what they see
                       */
    DT_NORMS_REPLACE, /* the batch's, which take the place of the running ones */
} dt_norms;

/* Never OF_MODE. */
static inline dt_norms dt_norms_in(dt_mode mode, dt_norms norms)
{
    if (norms != DT_NORMS_OF_MODE) return norms;
    return mode == DT_MODE_TRAIN ? DT_NORMS_MOVE : DT_NORMS_RUNNING;
}

/* What the values of an output are known to be, for the sign of quantizers. */
typedef enum dt_sign {
    DT_SIGN_ANY,
    DT_SIGN_NONNEG, /* output is never negative */
    DT_SIGN_KEEP,   /* never negative if no input is */
} dt_sign;

typedef enum dt_grad_kind { /* how the gradient test treats an op */
                            DT_GRAD_SMOOTH,
                            DT_GRAD_KINK, /* points near a kink are skipped */
                            DT_GRAD_STE,  /* the rounding residual is recorded and replayed as a
                                             constant */
} dt_grad_kind;

/* Replay of rounding residuals, gradient tests only: `residual` has one element per element of the
 * op's output. */
typedef enum dt_replay { DT_REPLAY_OFF, DT_REPLAY_RECORD, DT_REPLAY_PLAY } dt_replay;

/* Memory that an op wants beside its tensors, in bytes. `saved` lives from forward to backward. */
typedef struct dt_op_memory {
    size_t saved, forward_work, backward_work;
} dt_op_memory;

/* One call of an op. Pointers are 64-byte aligned and do not overlap unless the op declares
 * `inplace`. Inputs and outputs are `real` unless the op says otherwise (labels are int32_t). */
typedef struct dt_op_run {
    const void *conf;
    dt_mode mode;
    dt_norms norms; /* dt_norms_in */
    int threads, in_count;
    const dt_kernels *kernels;
    const dt_shape *in_shape, *out_shape;
    void *in[DT_OP_MAX_IN]; /* running statistics are inputs that forward may write */
    void *out[DT_OP_MAX_OUT];
    real *d_in[DT_OP_MAX_IN];   /* backward: where the gradient goes; NULL: not wanted */
    bool add[DT_OP_MAX_IN];     /* backward: add to d_in[i] instead of overwriting it */
    real *d_out[DT_OP_MAX_OUT]; /* backward: gradient of the outputs; NULL: nothing reads it */
    /* Backward: the gradient of out[0] is not finished where the op `takes_unfinished`; this makes
     * the pictures first..first+count-1 of it and writes them to `to`, which may be their place in
     * d_out[0]. NULL: it is. */
    void (*finish)(const void *arg, int64_t first, int64_t count, real *to);
    const void *finish_arg;
    bool leave; /* backward: d_in[0] is left for `finish_grad` */
    void *saved, *work;
    uint64_t seed; /* random numbers of this call: those of (seed, step, stream) */
    int64_t step;
    uint32_t stream; /* hash of the node's name */
    bool *lost;      /* set when a value that is not finite would be hidden: codes have no nan */
    /* Forward where norms MOVE: what running statistics are moved by goes here, and they stay; see
     * dt_op_statistics.move. NULL: they move. */
    double *moves;
    /* Unless norms are RUNNING: statistics of `batches` batches together, which forward and
     * backward take instead of those of this one; see dt_op_statistics. NULL, 0: of this one. */
    const double *joined;
    int batches;
    dt_replay replay;
    real *residual;
} dt_op_run;

typedef struct dt_op_example dt_op_example;
struct dt_fakequant_conf;

/* A product of an activation with a weight: which inputs they are. */
typedef struct dt_op_product {
    int x, w, bias;   /* bias -1: it has none; a node may have fewer inputs than that */
    int channel_axis; /* of w: its output channels */
    /* The product as that of a matrix: how many rows x has, one for every output position of every
     * sample, and into how many groups outputs fall that read rows of their own. NULL: not told. */
    int64_t (*rows)(const void *conf, const dt_shape *x, const dt_shape *w, int64_t *out_groups);
    /* Rows first..first+n-1 that a group reads, [n, K] in the order of a row of w. */
    void (*read_rows)(const void *conf, const dt_shape *x, const dt_shape *w, const real *data,
                      int64_t group, int64_t first, int64_t n, real *to);
} dt_op_product;

/* A product of two activations by heads; the configuration starts with a dt_attention_heads. */
typedef enum dt_op_matmul {
    DT_MATMUL_NONE,
    DT_MATMUL_TRANSPOSED, /* in[0] [N,T,C] times in[1] [N,S,C] transposed -> [N,H,T,S] */
    DT_MATMUL_PLAIN,      /* in[0] [N,H,T,S] times in[1] [N,S,C] -> [N,T,C] */
} dt_op_matmul;

/* What the fusing pass makes of a product whose operands are codes. Inputs: those of the plain
 * node, then the parameters of x's quantizer and of the weight's. */
typedef struct dt_op_codes {
    const char *op;
    /* Can it do this? NULL: always. */
    bool (*fits)(const dt_shape *x, int in_count);
    /* Fills its configuration (its conf_size bytes, zero) from the plain node's. */
    void (*configure)(const void *conf, const struct dt_fakequant_conf *x,
                      const struct dt_fakequant_conf *w, void *out);
    /* Its output, without a bias, is kept as sums of 16 bits, center - 2^15 .. center + 2^15 - 1.
     * NULL: it cannot. */
    void (*keep_sums)(void *conf, int center);
} dt_op_codes;

/* Statistics of the batch, by which running ones move. Batches that normalise by what they have in
 * common run side by side (autograd/together.h): each measures its own, they are merged, and all go
 * on with the result. */
typedef struct dt_op_statistics {
    /* How many numbers they are, in either direction. */
    int64_t (*count)(const void *conf, const dt_shape *in);
    /* Forward where norms MOVE moves the running statistics that are its inputs, or leaves the
     * numbers from which this does it later, with the same bits; it reads and writes inputs alone.
     */
    void (*move)(const dt_op_run *run, const double *numbers);
    /* Those of this batch: before a forward that gets them joined. */
    void (*measure)(const dt_op_run *run, double *to);
    /* a, of so many batches, gets what it is together with b. */
    void (*merge)(int64_t count, double *a, double a_batches, const double *b, double b_batches);
    /* Backward as far as it needs this batch alone, and what it adds to sums over all: before a
     * backward that gets those joined and does the rest. */
    void (*measure_back)(const dt_op_run *run, double *to);
} dt_op_statistics;

typedef struct dt_op {
    const char *name;
    int in_min, in_max;
    int out_count; /* of a node; ops of the fusing pass make nodes with fewer, too */
    /* Fields of the configuration; NULL: it has none, or points at those of quantizers. */
    const dt_opt *opts;
    size_t conf_size;
    unsigned grads; /* bit i: input i can have a gradient */
    /* The same for a node with so many inputs. NULL: `grads`. */
    unsigned (*grads_of)(const void *conf, int in_count);
    unsigned reads_in;    /* bit i: backward reads input i */
    unsigned reads_out;   /* bit i: backward reads output i */
    unsigned accumulates; /* bit i: honours add[i]; otherwise the executor adds */
    bool inplace;         /* forward: out[0] may be in[0] */
    bool grad_inplace;    /* backward: d_in[0] may be d_out[0] */
    /* Backward: the output whose gradient may share memory with that of input `in`, -1: none. NULL:
     * as grad_inplace says. */
    int (*grad_shares)(const void *conf, int in);
    /* NULL: none. Backward may leave d_in[0] as something that this finishes a few pictures at a
     * time, in the cache of the op that wants them: see dt_op_run.finish. `run` is the call of this
     * node, with in[0], d_in[0] and what it saved; several threads call it. */
    void (*finish_grad)(const void *run, int64_t first, int64_t count, real *to);
    bool takes_unfinished; /* backward calls `finish` if there is one */
    /* NULL: no. Whether the time of another forward pass is worth less than the memory of out[0]
     * between forward and backward: then forward runs again before the first backward pass that
     * reads out[0]. It gives the same bits, writes nothing else, and backward reads every input. */
    bool (*remakes)(const void *conf, const dt_shape *in);
    const dt_op_statistics *statistics; /* of the batch; NULL: none */
    bool fused; /* the fusing pass makes such nodes; the test of that pass is theirs */

    /* ---- facts: what the operation is, for passes that would otherwise ask for its name ---- */

    const dt_op_product *product; /* NULL: none */
    dt_op_matmul matmul;
    bool quantizes;   /* in[0] to a grid; the configuration is a dt_fakequant_conf (quantizer.h) */
    bool moves_codes; /* outputs are elements of in[0] or zeros: on a grid they stay on it */
    /* Are its channels, the last axis, those of in[0], one by one? NULL: where it is as long. */
    bool (*keeps_channels)(const void *conf, const dt_shape *in);
    bool identity_in_eval; /* outside of training the output is in[0] */
    bool batch_stat;   /* normalises by statistics of the batch; starts with a dt_batchnorm_conf */
    bool affine;       /* ends in times in[1] plus in[2] along the last axis */
    bool folds_norm;   /* a weight times the factor of a batch norm, or divided (op_fold_norm.h) */
    bool sum;          /* of in[0] and in[1] */
    bool window_mean;  /* over rows and columns */
    unsigned on_grids; /* bit i: in integers, input i has codes of a grid of its own */
    bool joins;    /* gives elements of inputs: each, with its limits, ends on the grid behind */
    bool function; /* element-wise, of in[0] alone */
    /* A function as ONNX computes it, from left to right on a stack: `x`, numbers and options are
     * pushed, an operator takes what it needs, "Elu:alpha" with options as attributes. NULL: its
     * form writes it. */
    const char *onnx;
    const char *(*onnx_of)(const void *conf); /* the same where options decide; NULL: `onnx` */
    const char *onnx_pair; /* ONNX's operator of in[0] and a parameter for each channel, in[1] */
    bool row_shares;       /* rows of the last axis become shares of 1 */
    bool in_float;         /* has no exact form in integers: it stays between two quantizers */
    /* The output is in[0] limited to low..high (-INFINITY, INFINITY: open). NULL: it is not. */
    void (*limits)(const void *conf, double *out_low, double *out_high);
    /* The output is part `part` of `parts` equal ones of the last axis. NULL: it is not. */
    void (*part)(const void *conf, int *out_part, int *out_parts);
    /* Its row in the table of forms (integer/form.h): what it is in integers and in files. NULL:
     * that of its facts. */
    const char *form;
    const dt_op_codes *on_codes; /* NULL: there is no such form */
    int encode_of; /* dt_encode_of: encode_codes computes it on the way to codes; 0: it cannot */

    dt_sign sign;
    dt_grad_kind grad_kind;
    /* Output shapes from input shapes; SHAPE errors print both shapes. */
    dt_status (*infer)(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err);
    void (*memory)(const dt_op_run *shapes, dt_op_memory *out); /* NULL: none. Pointers are unset */
    void (*forward)(const dt_op_run *run);
    void (*backward)(const dt_op_run *run); /* NULL: no gradient */
    /* Multiply-accumulates per call, for reports; NULL: 0. */
    int64_t (*macs)(const void *conf, const dt_shape *in, const dt_shape *out);
    const dt_op_example *examples; /* tests: shapes and configurations; ends with in_count 0 */
} dt_op;

/* A case of the gradient test: shapes, and the configuration to use. */
struct dt_op_example {
    int in_count;
    dt_shape in[DT_OP_MAX_IN];
    const void *conf;
    unsigned positive; /* bit i: input i is drawn positive (scales, variances) */
    dt_norms norms;
    unsigned labels; /* bit i: input i is int32 labels 0..classes-1 with -1 among them */
    int classes;
};

/* Row lookup; NULL when there is none. The array ends with NULL. */
const dt_op *dt_op_find(const char *name);

/* `infer` of an operation that takes any shape and gives the same. */
dt_status dt_infer_same(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                        dt_error *err);
/* Runs task(run, i, thread) for i in 0..count-1 on the run's threads. */
void dt_op_each(const dt_op_run *r, int64_t count, dt_task task);
/* The most of what steps one after the other need. */
size_t dt_op_most(const size_t *bytes, int count);
/* Gives input 1, a parameter, its gradient: the sums over blocks, in their order, of the parts in
 * r->work, [blocks][length] in double; with `one` the sum of all is its only element's. */
void dt_op_join_parts(const dt_op_run *r, int64_t blocks, int64_t length, bool one);
extern const dt_op *const dt_ops[];

#endif
