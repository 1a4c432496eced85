/* Sums over the ranks: of every element what the ranks hold, added in a balanced binary tree over
 * the rank, the first p of n ranks and the rest, p being the largest power of two below n. Where
 * each rank holds the sum of a subtree of a larger tree, as dt_accumulate makes it, the result is
 * that of the larger tree.
 *
 * The elements lie in parts, such as the gradients of parameters, which get ready one after
 * another. Parts are collected in buckets; one whose parts are all ready is cut into ranges, of
 * which ranks add up one each, and then give it to all. Meanwhile the caller goes on, and lets
 * messages move between its own pieces of work (dt_reduce_poll). The order of sums is that of the
 * tree, whatever arrives first.
 *
 * A rank sends 2 (size - 1) / size of the elements' bytes, in 2 log2(size) messages a bucket where
 * that is a whole number, else 2 (size - 1). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_COMM_REDUCE_H
#define DT_COMM_REDUCE_H

#include "comm/comm.h"

enum { DT_REDUCE_BUCKET = 1 << 17 /* elements that fill one; it ends with the part behind them */ };

typedef struct dt_reduce_part {
    int64_t n, at; /* elements; where they are in `packed` */
    real *data;    /* of this step; NULL: not ready, or nothing is there */
    int bucket;
} dt_reduce_part;

typedef struct dt_reduce_bucket {
    int64_t at, n;     /* in `packed` */
    real *inbox;       /* what arrives to be added */
    int first, parts;  /* its parts */
    int missing;       /* of them that are not ready */
    int round;         /* under way; -1: not begun */
    int request, used; /* the first of its own, and how many the round has */
    bool done;
} dt_reduce_bucket;

typedef struct dt_reduce {
    dt_comm *comm;
    const struct dt_reduce_way *way;
    dt_reduce_part *part;
    dt_reduce_bucket *bucket;
    int part_count, bucket_count;
    real *packed; /* [elements of all parts] */
    int64_t elements;
    size_t bytes; /* of its memory */
    double began; /* when the step's first bucket did; 0: none yet */
    /* Over all steps: seconds from there to the end, and those of them that were waited for. */
    double busy, waited;
    dt_arena *arena;
} dt_reduce;

/* `counts` [parts]: elements of each, in the order in which they will be ready. Nothing is sent. */
dt_status dt_reduce_init(dt_reduce *r, dt_comm *c, const int64_t *counts, int parts,
                         const dt_alloc *a, dt_error *err) DT_MUST_CHECK;
void dt_reduce_fini(dt_reduce *r);

/* In a step, on all ranks in the same order: begin, each part once, finish. */
void dt_reduce_begin(dt_reduce *r);
/* `data` [n] holds this rank's sum and gets that of all, by dt_reduce_finish at the latest. NULL:
 * nothing is to be added of this part in this step. */
dt_status dt_reduce_ready(dt_reduce *r, int part, real *data, dt_error *err) DT_MUST_CHECK;
/* Lets messages move; never waits. */
dt_status dt_reduce_poll(dt_reduce *r, dt_error *err) DT_MUST_CHECK;
dt_status dt_reduce_finish(dt_reduce *r, dt_error *err) DT_MUST_CHECK;

/* How a bucket's sums travel, in rounds. Which of them is used does not change a bit. */
typedef struct dt_reduce_way {
    bool (*fits)(int size);
    int (*requests)(int size);
    int64_t (*inbox)(int64_t n, int rank, int size); /* elements */
    int (*rounds)(int size);
    dt_status (*start)(dt_reduce *r, dt_reduce_bucket *b, dt_error *err);
    void (*end)(dt_reduce *r, dt_reduce_bucket *b);
} dt_reduce_way;
extern const dt_reduce_way dt_reduce_halving, dt_reduce_direct;

#endif
