/* Any number of ranks: each gets its range from every other one, adds, and gives the sum to all. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "comm/reduce.h"

/* Range `rank` of a bucket begins here, in elements. */
static int64_t begin_of(const dt_reduce_bucket *b, int rank, int size)
{
    return b->n * rank / size;
}

static int64_t count_of(const dt_reduce_bucket *b, int rank, int size)
{
    return begin_of(b, rank + 1, size) - begin_of(b, rank, size);
}

static bool fits(int size)
{
    return size >= 1;
}

static int requests(int size)
{
    return 2 * (size - 1);
}

static int64_t inbox(int64_t n, int rank, int size)
{
    const dt_reduce_bucket b = { .n = n };
    return count_of(&b, rank, size) * size;
}

static int rounds(int size)
{
    (void)size;
    return 2; /* scatter, gather */
}

static dt_status start(dt_reduce *r, dt_reduce_bucket *b, dt_error *err)
{
    int rank = dt_comm_rank(r->comm), size = dt_comm_size(r->comm), tag = DT_TAG_REDUCE;
    real *all = r->packed + b->at, *own = all + begin_of(b, rank, size);
    int64_t n = count_of(b, rank, size);
    tag += (int)(b - r->bucket);
    b->used = 0;
    for (int k = 1; k < size; k++) { /* nobody is everyone's first */
        int to = (rank + k) % size, from = (rank + size - k) % size;
        int64_t m = count_of(b, from, size);
        bool scatter = b->round == 0;
        DT_TRY(dt_comm_receive(r->comm, b->request + b->used++, from, tag,
                               scatter ? b->inbox + from * n : all + begin_of(b, from, size),
                               (size_t)(scatter ? n : m) * sizeof(real), err));
        DT_TRY(dt_comm_send(r->comm, b->request + b->used++, to, tag,
                            scatter ? all + begin_of(b, to, size) : own,
                            (size_t)(scatter ? count_of(b, to, size) : n) * sizeof(real), err));
    }
    return DT_OK;
}

static void end(dt_reduce *r, dt_reduce_bucket *b)
{
    int rank = dt_comm_rank(r->comm), size = dt_comm_size(r->comm);
    int64_t n = count_of(b, rank, size);
    size_t bytes = (size_t)n * sizeof(real);
    real *own = r->packed + b->at + begin_of(b, rank, size);
    if (b->round > 0) return;
    memcpy(b->inbox + rank * n, own, bytes);
    for (int far = 1; far < size; far *= 2)
        for (int i = 0; i + far < size; i += 2 * far) {
            real *to = b->inbox + i * n;
            const real *from = b->inbox + (i + far) * n;
            for (int64_t k = 0; k < n; k++)
                to[k] = to[k] + from[k];
        }
    memcpy(own, b->inbox, bytes);
}

const dt_reduce_way dt_reduce_direct = { fits, requests, inbox, rounds, start, end };
