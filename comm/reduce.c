/* Buckets and their rounds. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "comm/reduce.h"

#include <string.h>

static const dt_reduce_way *const ways[] = { &dt_reduce_halving, &dt_reduce_direct };

/* Parts go into a bucket until it is full. */
static void fill_buckets(dt_reduce *r, const int64_t *counts)
{
    dt_reduce_bucket *b = NULL;
    for (int i = 0; i < r->part_count; i++) {
        if (!b || b->n >= DT_REDUCE_BUCKET) {
            b = &r->bucket[r->bucket_count++];
            b->at = r->elements;
            b->first = i;
        }
        r->part[i] = (dt_reduce_part){ counts[i], r->elements, NULL, r->bucket_count - 1 };
        b->n += counts[i];
        b->parts++;
        r->elements += counts[i];
    }
}

static bool get(dt_reduce *r, void *out, int64_t n, size_t size)
{
    void *memory = dt_arena_get(r->arena, (size_t)n * size + 1);
    memcpy(out, &memory, sizeof memory);
    r->bytes += (size_t)n * size;
    return memory != NULL;
}

static dt_status open_buckets(dt_reduce *r, dt_error *err)
{
    int rank = dt_comm_rank(r->comm), size = dt_comm_size(r->comm), i = 0;
    while (!ways[i]->fits(size))
        i++;
    r->way = ways[i];
    for (dt_reduce_bucket *b = r->bucket; b < r->bucket + r->bucket_count; b++) {
        if (!get(r, &b->inbox, r->way->inbox(b->n, rank, size), sizeof(real)))
            return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the sums of the ranks");
        DT_TRY(dt_comm_reserve(r->comm, r->way->requests(size), &b->request, err));
    }
    return DT_OK;
}

dt_status dt_reduce_init(dt_reduce *r, dt_comm *c, const int64_t *counts, int parts,
                         const dt_alloc *a, dt_error *err)
{
    *r = (dt_reduce){ .part_count = parts };
    if (dt_comm_size(c) == 1) return DT_OK;
    r->comm = c;
    r->arena = dt_arena_new(a, "communication");
    bool ok = r->arena && get(r, &r->part, parts, sizeof *r->part) &&
              get(r, &r->bucket, parts, sizeof *r->bucket);
    if (ok) fill_buckets(r, counts);
    ok = ok && get(r, &r->packed, r->elements, sizeof(real));
    dt_status st = ok ? open_buckets(r, err)
                      : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the sums of the ranks");
    if (st != DT_OK) dt_reduce_fini(r);
    return st;
}

void dt_reduce_fini(dt_reduce *r)
{
    dt_arena_free(r->arena);
    *r = (dt_reduce){ 0 };
}

void dt_reduce_begin(dt_reduce *r)
{
    r->began = 0;
    for (int i = 0; i < r->bucket_count; i++) {
        dt_reduce_bucket *b = &r->bucket[i];
        b->missing = b->parts;
        b->round = -1;
        b->done = false;
    }
}

static dt_status start(dt_reduce *r, dt_reduce_bucket *b, dt_error *err)
{
    for (int i = b->first; i < b->first + b->parts; i++) {
        const dt_reduce_part *p = &r->part[i];
        size_t bytes = (size_t)p->n * sizeof(real);
        if (p->data)
            memcpy(r->packed + p->at, p->data, bytes);
        else
            memset(r->packed + p->at, 0, bytes);
    }
    if (r->began == 0) r->began = dt_comm_now();
    b->round = 0;
    return r->way->start(r, b, err);
}

static void take_out(dt_reduce *r, dt_reduce_bucket *b)
{
    for (int i = b->first; i < b->first + b->parts; i++) {
        const dt_reduce_part *p = &r->part[i];
        if (p->data) memcpy(p->data, r->packed + p->at, (size_t)p->n * sizeof(real));
    }
    b->done = true;
}

/* As many rounds as have ended. */
static dt_status move_on(dt_reduce *r, dt_reduce_bucket *b, dt_error *err)
{
    while (b->round >= 0 && !b->done) {
        bool done;
        DT_TRY(dt_comm_test(r->comm, b->request, b->used, &done, err));
        if (!done) return DT_OK;
        r->way->end(r, b);
        if (++b->round < r->way->rounds(dt_comm_size(r->comm)))
            DT_TRY(r->way->start(r, b, err));
        else
            take_out(r, b);
    }
    return DT_OK;
}

dt_status dt_reduce_poll(dt_reduce *r, dt_error *err)
{
    for (int i = 0; i < r->bucket_count; i++)
        DT_TRY(move_on(r, &r->bucket[i], err));
    return DT_OK;
}

dt_status dt_reduce_ready(dt_reduce *r, int part, real *data, dt_error *err)
{
    if (!r->comm) return DT_OK;
    dt_reduce_bucket *b = &r->bucket[r->part[part].bucket];
    r->part[part].data = data;
    if (--b->missing > 0) return DT_OK;
    DT_TRY(start(r, b, err));
    return dt_reduce_poll(r, err);
}

static dt_status poll_all(void *arg, bool *out_done, dt_error *err)
{
    dt_reduce *r = arg;
    DT_TRY(dt_reduce_poll(r, err));
    *out_done = true;
    for (int i = 0; i < r->bucket_count; i++)
        *out_done = *out_done && r->bucket[i].done;
    return DT_OK;
}

dt_status dt_reduce_finish(dt_reduce *r, dt_error *err)
{
    if (!r->comm || !r->bucket_count) return DT_OK;
    double start = dt_comm_now();
    DT_TRY(dt_comm_wait_for(r->comm, poll_all, r, err));
    double end = dt_comm_now();
    r->busy += end - r->began;
    r->waited += end - start;
    return DT_OK;
}
