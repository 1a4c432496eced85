/* What a transport does: messages between the ranks of a run, and nothing else. How sums are taken,
 * who waits for whom and for how long is comm.h's, above it.
 *
 * The table is also what the module detent-mpi.so gives, which is built apart from the program, so
 * it knows C types only and is refused unless its version is the program's. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_COMM_LINK_H
#define DT_COMM_LINK_H

#include <stdbool.h>
#include <stddef.h>

enum { DT_LINK_VERSION = 1, DT_LINK_MAX_BYTES = 1 << 28 };

typedef struct dt_link_calls {
    int version;
    size_t self_bytes, request_bytes; /* memory that the caller lends; nothing else is taken */
    /* Joins the ranks that were started together; `self` is zero. False, and why in `text`: that
     * failed. */
    bool (*open)(void *self, int *out_rank, int *out_size, char *text, size_t size);
    /* Memory of requests 0..count-1, of which the first `had` are as they were in the memory of
     * before. A request is a message under way, named by the caller; it is free again when `test`
     * has said so. */
    void (*lend)(void *self, void *requests, int had, int count);
    /* Begin a message of at most DT_LINK_MAX_BYTES; `data` stays until it is done. Those with one
     * peer and tag arrive in order. False, and why in `text`: it cannot be. */
    bool (*send)(void *self, int request, int peer, int tag, const void *data, size_t bytes,
                 char *text, size_t size);
    bool (*receive)(void *self, int request, int peer, int tag, void *data, size_t bytes,
                    char *text, size_t size);
    /* 1: the request is done, or was never begun; 0: not yet; -1: it failed, why in `text`. Never
     * waits. */
    int (*test)(void *self, int request, char *text, size_t size);
    /* Takes an empty message with this tag from whoever sent one; -1: none is there. */
    int (*take)(void *self, int tag);
    /* Leaves together with the others, after the last message. */
    void (*close)(void *self);
    /* Ends the processes of all ranks, with this exit code. */
    void (*end_all)(void *self, int code);
} dt_link_calls;

/* The symbol of the module. */
#define DT_LINK_SYMBOL "dt_link_mpi"

#endif
