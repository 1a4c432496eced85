/* What the files of this folder share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_COMM_COMM_STATE_H
#define DT_COMM_COMM_STATE_H

#include "comm/comm.h"

struct dt_comm {
    const dt_link_calls *calls;
    void *self;     /* [calls->self_bytes] */
    void *requests; /* [request_count][calls->request_bytes] */
    int request_count;
    int rank, size, here;
    char (*host)[DT_COMM_HOST]; /* [size] */
    bool *answered;             /* [size] */
    bool lost;
    int tells;        /* the rank that tells errors */
    double seconds;   /* the limit */
    int gather_first; /* requests of dt_comm_gather */
    int ask_first;    /* [size] each of questions and answers */
    void *texts;      /* [size] of dt_comm_settle */
    dt_comm_traffic traffic;
    const dt_alloc *alloc;
};

/* Fails for good: this rank tells it if it is the lowest of those that are there. */
dt_status dt_comm_lose(dt_comm *c, dt_error *err, const char *fmt, ...) DT_PRINTF(3, 4);

#endif
