/* The module detent-mpi.so: messages by MPI. Point-to-point only: in what order MPI_Allreduce adds
 * is not ours. Called by one thread. Nothing is allocated here but by MPI. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <mpi.h>
#include <stdio.h>

#include "comm/link.h"

typedef struct link {
    MPI_Comm comm;
    MPI_Request *request; /* lent */
} link;

static bool failed(int code, char *text, size_t size)
{
    char why[MPI_MAX_ERROR_STRING] = "";
    int n = 0;
    if (code == MPI_SUCCESS) return false;
    MPI_Error_string(code, why, &n);
    snprintf(text, size, "%s", why);
    return true;
}

static bool join(void *self, int *out_rank, int *out_size, char *text, size_t size)
{
    int is_there = 0, provided;
    link *l = self;
    MPI_Initialized(&is_there);
    if (!is_there &&
        failed(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided), text, size))
        return false;
    if (failed(MPI_Comm_dup(MPI_COMM_WORLD, &l->comm), text, size)) return false;
    MPI_Comm_set_errhandler(l->comm, MPI_ERRORS_RETURN);
    MPI_Comm_rank(l->comm, out_rank);
    MPI_Comm_size(l->comm, out_size);
    return true;
}

static void lend(void *self, void *requests, int had, int count)
{
    link *l = self;
    l->request = requests;
    for (int i = had; i < count; i++)
        l->request[i] = MPI_REQUEST_NULL;
}

static bool send_to(void *self, int request, int peer, int tag, const void *data, size_t bytes,
                    char *text, size_t size)
{
    link *l = self;
    return !failed(MPI_Isend(data, (int)bytes, MPI_BYTE, peer, tag, l->comm, &l->request[request]),
                   text, size);
}

static bool receive_from(void *self, int request, int peer, int tag, void *data, size_t bytes,
                         char *text, size_t size)
{
    link *l = self;
    return !failed(MPI_Irecv(data, (int)bytes, MPI_BYTE, peer, tag, l->comm, &l->request[request]),
                   text, size);
}

static int test(void *self, int request, char *text, size_t size)
{
    link *l = self;
    int done = 0;
    if (failed(MPI_Test(&l->request[request], &done, MPI_STATUS_IGNORE), text, size)) return -1;
    return done;
}

static int take(void *self, int tag)
{
    link *l = self;
    int is_there = 0;
    char nothing;
    MPI_Status status;
    if (MPI_Iprobe(MPI_ANY_SOURCE, tag, l->comm, &is_there, &status) != MPI_SUCCESS || !is_there)
        return -1;
    int peer = status.MPI_SOURCE;
    if (MPI_Recv(&nothing, 0, MPI_BYTE, peer, tag, l->comm, MPI_STATUS_IGNORE) != MPI_SUCCESS)
        return -1;
    return peer;
}

static void leave(void *self)
{
    link *l = self;
    int is_over = 0;
    MPI_Comm_free(&l->comm);
    MPI_Finalized(&is_over);
    if (!is_over) MPI_Finalize();
}

static void end_all(void *self, int code)
{
    link *l = self;
    MPI_Abort(l->comm, code);
}

extern const dt_link_calls dt_link_mpi;
const dt_link_calls dt_link_mpi = {
    .version = DT_LINK_VERSION,
    .self_bytes = sizeof(link),
    .request_bytes = sizeof(MPI_Request),
    .open = join,
    .lend = lend,
    .send = send_to,
    .receive = receive_from,
    .test = test,
    .take = take,
    .close = leave,
    .end_all = end_all,
};
