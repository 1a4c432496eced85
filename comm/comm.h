/* The processes that train one net together: ranks 0..size-1, each on some host. Everything here is
 * done by all ranks in the same order, and what comes out is the same bits on all of them, whatever
 * the timing was.
 *
 * A run in one process has no dt_comm: every function takes NULL for it, and then does nothing.
 *
 * Errors. What goes wrong on one rank is told to all of them by dt_comm_settle, so that all end in
 * the same way and rank 0 alone says why. A rank that is gone, or silent for longer than the limit,
 * makes the calls of all others fail; then dt_comm_is_lost holds, nothing more can be settled, and
 * the only way on is dt_comm_end_all. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_COMM_COMM_H
#define DT_COMM_COMM_H

#include "comm/link.h"
#include "core/alloc.h"
#include "core/opt.h"

enum { DT_COMM_HOST = 64, DT_COMM_SECONDS = 600 };

typedef struct dt_comm_params {
    const char *name; /* row of the table; NULL: "none" */
    /* Files that hold the row's transport, tried in this order; NULL ends the list. */
    const char *const *modules;
    double seconds; /* how long a silent rank is waited for; 0: DT_COMM_SECONDS */
    const dt_alloc *alloc;
} dt_comm_params;

typedef struct dt_comm dt_comm; /* belongs to one thread */

/* A row: where its calls come from. `out_calls` NULL: there is one rank only. */
typedef struct dt_comm_row {
    dt_row row; /* must be first */
    dt_status (*find)(const dt_comm_params *p, const dt_link_calls **out_calls, dt_error *err);
} dt_comm_row;
extern const dt_table dt_comm_rows;

/* NULL in `out` where the row has one rank only. Collective, as all that follows. */
dt_status dt_comm_open(const dt_comm_params *p, dt_comm **out, dt_error *err) DT_MUST_CHECK;
/* The same over calls of the caller's, for tests. */
dt_status dt_comm_open_link(const dt_comm_params *p, const dt_link_calls *calls, dt_comm **out,
                            dt_error *err) DT_MUST_CHECK;
void dt_comm_close(dt_comm *c);

int dt_comm_rank(const dt_comm *c); /* NULL: 0 */
int dt_comm_size(const dt_comm *c); /* NULL: 1 */
/* Ranks on this rank's host, itself among them. */
int dt_comm_here(const dt_comm *c);
const char *dt_comm_host(const dt_comm *c, int rank);

/* records: [size][bytes], of which each rank has filled its own; then all have all. */
dt_status dt_comm_gather(dt_comm *c, void *records, size_t bytes, dt_error *err) DT_MUST_CHECK;
/* From rank 0 to all. */
dt_status dt_comm_broadcast(dt_comm *c, void *data, size_t bytes, dt_error *err) DT_MUST_CHECK;
/* All ranks say how they fare. If one has failed all get the error of the lowest such rank, which
 * names it and its host; but where all have the same text it stays as it is. `err` holds the text
 * of `st` and may not be NULL. */
dt_status dt_comm_settle(dt_comm *c, dt_status st, dt_error *err) DT_MUST_CHECK;

/* A rank did not answer, or the transport failed. */
bool dt_comm_is_lost(const dt_comm *c);
/* Whether this rank tells errors to people: rank 0, or the lowest one that is there. */
bool dt_comm_tells(const dt_comm *c);
/* Ends the processes of all ranks; may return. */
void dt_comm_end_all(dt_comm *c, int code);

/* What this rank has sent, and how long it has waited. */
typedef struct dt_comm_traffic {
    int64_t bytes, messages;
    double waited; /* seconds */
} dt_comm_traffic;
dt_comm_traffic dt_comm_traffic_of(const dt_comm *c);

/* ---- for what is built on it ---- */

/* Requests of its own for a user that lives as long as c, from *out_first on. */
dt_status dt_comm_reserve(dt_comm *c, int count, int *out_first, dt_error *err) DT_MUST_CHECK;
enum { DT_TAG_GATHER = 1, DT_TAG_ASK, DT_TAG_ANSWER, DT_TAG_REDUCE };
dt_status dt_comm_send(dt_comm *c, int request, int peer, int tag, const void *data, size_t bytes,
                       dt_error *err) DT_MUST_CHECK;
dt_status dt_comm_receive(dt_comm *c, int request, int peer, int tag, void *data, size_t bytes,
                          dt_error *err) DT_MUST_CHECK;
/* Whether requests first..first+count-1 are done. */
dt_status dt_comm_test(dt_comm *c, int first, int count, bool *out_done,
                       dt_error *err) DT_MUST_CHECK;
/* Waits until they are, or for the limit. */
dt_status dt_comm_wait(dt_comm *c, int first, int count, dt_error *err) DT_MUST_CHECK;
/* The same for anything: `poll` moves it on and tells whether it is done. */
typedef dt_status (*dt_comm_poll)(void *arg, bool *out_done, dt_error *err);
dt_status dt_comm_wait_for(dt_comm *c, dt_comm_poll poll, void *arg, dt_error *err) DT_MUST_CHECK;
double dt_comm_now(void); /* seconds, for what is to be measured */

#endif
