/* Timing of sums among ranks: what a transport and its network give a step. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "comm/reduce.h"
#include "train/bench/bench.h"
#include "train/net/budget.h"

enum { MOST_ROUNDS = 1000 };

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One sum of all parts, begun by all ranks at the same time. */
static dt_status one_round(dt_reduce *r, real *data, double *out_ms, dt_error *err)
{
    DT_TRY(dt_comm_settle(r->comm, DT_OK, err));
    double start = dt_comm_now();
    dt_reduce_begin(r);
    for (int i = 0; i < r->part_count; i++)
        DT_TRY(dt_reduce_ready(r, i, data + r->part[i].at, err));
    DT_TRY(dt_reduce_finish(r, err));
    *out_ms = 1e3 * (dt_comm_now() - start);
    return DT_OK;
}

static dt_status time_rounds(dt_reduce *r, real *data, int rounds, dt_bench_ranks_result *out,
                             dt_error *err)
{
    double ms[MOST_ROUNDS];
    DT_TRY(one_round(r, data, ms, err)); /* connections are made */
    int64_t before = 0;
    for (int i = 0; i < rounds; i++) {
        DT_TRY(one_round(r, data, &ms[i], err));
        if (i == 0) before = dt_comm_traffic_of(r->comm).bytes;
    }
    qsort(ms, (size_t)rounds, sizeof *ms, compare);
    *out = (dt_bench_ranks_result){ .elements = r->elements, .buckets = r->bucket_count };
    out->ms = ms[rounds / 2];
    if (rounds > 1) out->bytes = (dt_comm_traffic_of(r->comm).bytes - before) / (rounds - 1);
    return DT_OK;
}

/* As parts of a net: each about half a bucket. */
static dt_status open_parts(dt_comm *comm, int64_t elements, const dt_alloc *a, dt_reduce *r,
                            real **out_data, dt_error *err)
{
    enum { PART = DT_REDUCE_BUCKET / 2 };
    int parts = (int)((elements + PART - 1) / PART);
    int64_t *counts = dt_get_array(a, (size_t)parts, sizeof *counts, "bench");
    *out_data = dt_get_array(a, (size_t)elements, sizeof **out_data, "bench");
    for (int i = 0; counts && i < parts; i++)
        counts[i] = i < parts - 1 ? PART : elements - (int64_t)(parts - 1) * PART;
    dt_status st = counts && *out_data ? dt_reduce_init(r, comm, counts, parts, a, err)
                                       : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    dt_put(a, counts);
    return st;
}

dt_status dt_bench_ranks(dt_comm *comm, int64_t elements, int rounds, const dt_memory_limit *limit,
                         dt_bench_ranks_result *out, dt_error *err)
{
    dt_reduce r;
    dt_capped held;
    real *data = NULL;
    if (dt_comm_size(comm) == 1)
        return dt_fail(err, DT_ERR_ARG, NULL,
                       "bench ranks wants several, such as mpirun -n 2 detent bench ranks");
    if (elements < 1 || rounds < 1 || rounds > MOST_ROUNDS)
        return dt_fail(err, DT_ERR_RANGE, NULL, "dt_bench_ranks: bad argument");
    dt_budget_hold(&held, limit);
    dt_status st = open_parts(comm, elements, &held.alloc, &r, &data, err);
    if (st != DT_OK) {
        dt_put(&held.alloc, data);
        data = NULL;
        st = dt_budget_held(&held, st, limit, "bench ranks", "fewer numbers need less", err);
    }
    dt_status all = dt_comm_settle(comm, st, err);
    if (all == DT_OK) all = dt_comm_settle(comm, time_rounds(&r, data, rounds, out, err), err);
    if (st == DT_OK) dt_reduce_fini(&r);
    dt_put(&held.alloc, data);
    return all;
}
