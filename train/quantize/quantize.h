/* `detent quantize`: a recipe's float net made into one that ends in integers, without training. A
 * folder holds what comes of it:
 *
 *   recipe.yaml    the effective recipe, that does it again
 *   last.h5        the state after the last finished unit, while it runs
 *   quantized.h5   the result, an ordinary checkpoint
 *
 * The result is a function of recipe, seed, build and ISA tier; one that was killed goes on from
 * the last finished unit and ends in the same bits. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_QUANTIZE_H
#define DT_TRAIN_QUANTIZE_H

#include <stdatomic.h>

#include "ptq/ptq.h"
#include "train/net/session.h"

/* A net's outputs over pictures, beside those of the float net. */
typedef struct dt_quantize_score {
    bool has;
    dt_score score; /* as the task has it, without the loss */
    bool agrees;   /* some output means a class or flags, which can be the same: */
    int64_t agree; /* pictures whose outputs mean what the float net's do, numbers aside */
    bool paired;    /* the task says of each picture whether it is right: of those */
    int64_t lost, gained; /* right ones of the float net alone, and of this net alone */
    double kl;      /* mean KL divergence of what it says from what the float net says, nats
                     * (autograd/distribution.h); over outputs by the weights of their tasks */
    double sqnr_db; /* of outputs, the least: signal is the float net's */
    double part_kl[DT_GOAL_PARTS], part_sqnr_db[DT_GOAL_PARTS]; /* by part of the goal */
} dt_quantize_score;

enum { DT_QUANTIZE_UNITS = 4096 };
typedef struct dt_quantize_unit {
    char stage[32], unit[96];
    double before, after, undecided;
    int64_t weights, changed;
} dt_quantize_unit;

typedef struct dt_quantize_layer {
    char name[96];
    int bits, x_bits; /* as in dt_ptq_layer_result */
    int64_t weights;
    double sqnr_db;
} dt_quantize_layer;

typedef struct dt_quantize_report {
    int64_t pictures;            /* used */
    const char *measured_on;     /* "test", "val"; NULL: nothing */
    dt_quantize_score plain;     /* the float net */
    dt_quantize_score quantized; /* float arithmetic on the grids */
    dt_quantize_score integer;   /* the integer model, if the net has one */
    char no_integer[512];        /* why it has none */
    bool has_proof;              /* of it: the engine against the reference (integer/prove.h) */
    int64_t proof_cases, proof_differ;
    int unit_count;
    dt_quantize_unit *unit;
    int layer_count;
    dt_quantize_layer *layer;    /* in the order of the net */
    int64_t weights;             /* quantized ones */
    double weight_bits;          /* their mean width */
    int64_t weight_bytes;        /* at their bits, scales (4 bytes each) included */
    double seconds, cpu_seconds; /* of the stages */
} dt_quantize_report;

typedef struct dt_quantize_events {
    /* Before any work, of the net as it was opened: may refuse. */
    dt_status (*ready)(void *arg, const dt_session *s, dt_error *err);
    void (*message)(void *arg, const char *text);
    void (*progress)(void *arg, const char *what, const char *unit, double share, double eta_s);
    void (*unit)(void *arg, const dt_quantize_unit *unit);
    void *arg;
} dt_quantize_events;

typedef struct dt_quantize_params {
    dt_recipe *recipe; /* with a section `ptq` */
    const char *folder;
    int threads;
    const char *isa;
    dt_memory_limit memory;
    bool resume;
    const char *rounding;   /* of the integer model; NULL: the recipe's */
    const atomic_int *stop; /* set from outside: end after the iterations under way; NULL: never */
    dt_quantize_events events;
    const dt_alloc *alloc;
} dt_quantize_params;

/* The session holds the result and is the caller's to close. `out` goes back with
 * dt_quantize_report_fini. */
dt_status dt_quantize(const dt_quantize_params *p, dt_session *out_session, dt_quantize_report *out,
                      dt_error *err) DT_MUST_CHECK;

/* McNemar's 95 % interval of the difference to the float net, in points of the first metric: [2]. */
void dt_quantize_interval(const dt_quantize_score *q, double *out);

void dt_quantize_report_fini(const dt_alloc *alloc, dt_quantize_report *r);

#endif
