/* A power of two of ranks: recursive halving, then the same way back (Rabenseifner 2004). Round i
 * of the first half is with the rank whose number differs in bit i: both hold the sums of 2^i ranks
 * over one window of the elements, each gives half of it away and adds the other. So neighbours add
 * first, as the tree does. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "comm/reduce.h"

static bool fits(int size)
{
    return size > 0 && (size & (size - 1)) == 0;
}

static int requests(int size)
{
    (void)size;
    return 2;
}

static int64_t inbox(int64_t n, int rank, int size)
{
    (void)rank;
    (void)size;
    return n - n / 2;
}

static int bits(int size)
{
    int i = 0;
    while (1 << i < size)
        i++;
    return i;
}

static int rounds(int size)
{
    return 2 * bits(size);
}

/* What a rank keeps of the window of round i, and what the other one does. */
typedef struct halves {
    int64_t keep, keep_count, give, give_count;
} halves;

static halves halves_of(const dt_reduce_bucket *b, int rank, int round)
{
    halves h = { .keep = 0, .keep_count = b->n };
    for (int i = 0; i <= round; i++) {
        int64_t low = h.keep_count / 2, high = h.keep_count - low, at = h.keep;
        if (rank >> i & 1)
            h = (halves){ at + low, high, at, low };
        else
            h = (halves){ at, low, at + low, high };
    }
    return h;
}

static int bit_of(const dt_reduce *r, const dt_reduce_bucket *b)
{
    int n = bits(dt_comm_size(r->comm));
    return b->round < n ? b->round : 2 * n - 1 - b->round;
}

static bool goes_back(const dt_reduce *r, const dt_reduce_bucket *b)
{
    return b->round >= bits(dt_comm_size(r->comm));
}

static dt_status start(dt_reduce *r, dt_reduce_bucket *b, dt_error *err)
{
    int rank = dt_comm_rank(r->comm), i = bit_of(r, b), peer = rank ^ 1 << i;
    int tag = DT_TAG_REDUCE + (int)(b - r->bucket);
    real *all = r->packed + b->at;
    bool back = goes_back(r, b);
    halves h = halves_of(b, rank, i);
    int64_t in = back ? h.give_count : h.keep_count, out = back ? h.keep_count : h.give_count;
    b->used = 2;
    DT_TRY(dt_comm_receive(r->comm, b->request, peer, tag, back ? all + h.give : b->inbox,
                           (size_t)in * sizeof(real), err));
    return dt_comm_send(r->comm, b->request + 1, peer, tag, all + (back ? h.keep : h.give),
                        (size_t)out * sizeof(real), err);
}

static void end(dt_reduce *r, dt_reduce_bucket *b)
{
    int rank = dt_comm_rank(r->comm), i = bit_of(r, b);
    const halves h = halves_of(b, rank, i);
    real *own = r->packed + b->at + h.keep;
    const real *other = b->inbox;
    if (goes_back(r, b)) return;
    for (int64_t k = 0; k < h.keep_count; k++)
        own[k] = rank >> i & 1 ? other[k] + own[k] : own[k] + other[k];
}

const dt_reduce_way dt_reduce_halving = { fits, requests, inbox, rounds, start, end };
