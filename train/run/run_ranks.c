/* What the ranks of a run must have in common, and rank 0's state for all. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "data/list_hash.h"
#include "kernels/gemm.h"
#include "train/run/run_state.h"

/* What bits depend on, beside what is spread. */
enum { WORDS = 7, WORD = 112 };
typedef struct badge {
    char word[WORDS][WORD];
} badge;
static const char *const names[WORDS] = {
    "build",       "recipe",  "data set", "kernel tier", "kernels for dense products",
    "fused graph", "teacher",
};

static dt_status fill(const dt_run *r, badge *b, dt_error *err)
{
    char data[DT_SHA256_HEX];
    DT_TRY(dt_data_list_hash(r->s.data, r->p->alloc, data, err));
    char blas[DT_GEMM_NAME];
    dt_gemm_name(&r->s.kernels.gemm, blas, sizeof blas);
    const char *const words[WORDS] = {
        r->p->build ? r->p->build : "",
        r->s.recipe->hash,
        data,
        r->s.kernels.isa,
        blas,
        r->p->plain ? "no" : "yes",
        r->s.teacher.enabled ? r->s.teacher.sha256 : "",
    };
    for (int i = 0; i < WORDS; i++)
        snprintf(b->word[i], WORD, "%s", words[i]);
    return DT_OK;
}

/* The first rank that differs from rank 0; all ranks find the same. */
static dt_status compare(const dt_comm *c, badge *all, dt_error *err)
{
    for (int k = 1; k < dt_comm_size(c); k++)
        for (int i = 0; i < WORDS; i++) {
            all[0].word[i][WORD - 1] = all[k].word[i][WORD - 1] = '\0';
            if (strcmp(all[k].word[i], all[0].word[i]) == 0) continue;
            return dt_fail(err, DT_ERR_ARG, NULL,
                           "rank %d on %s: has another %s (%.64s) than rank 0 on %s (%.64s)", k,
                           dt_comm_host(c, k), names[i], all[k].word[i], dt_comm_host(c, 0),
                           all[0].word[i]);
        }
    return DT_OK;
}

dt_status dt_run_meet(dt_run *r, dt_error *err)
{
    dt_comm *c = r->p->comm;
    size_t size = (size_t)dt_comm_size(c);
    if (size == 1) return DT_OK;
    badge *all = dt_get_array(r->p->alloc, size, sizeof *all, "communication");
    dt_status st = all ? fill(r, &all[dt_comm_rank(c)], err)
                       : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to compare the ranks");
    st = dt_comm_settle(c, st, err);
    if (st == DT_OK) st = dt_comm_gather(c, all, sizeof *all, err);
    if (st == DT_OK) st = compare(c, all, err);
    dt_put(r->p->alloc, all);
    return st;
}

static dt_status spread_values(dt_run *r, dt_error *err)
{
    const dt_graph *g = &r->s.net.graph;
    dt_comm *c = r->p->comm;
    for (int v = 0; v < g->value_count; v++) {
        size_t bytes = (size_t)dt_shape_count(&g->value[v].shape) * sizeof(real);
        if (r->s.net.state.data[v])
            DT_TRY(dt_comm_broadcast(c, r->s.net.state.data[v], bytes, err));
        for (int k = 0; k < DT_OPTIMIZER_STATES; k++)
            if (r->optim.buffer[k][v])
                DT_TRY(dt_comm_broadcast(c, r->optim.buffer[k][v], bytes, err));
    }
    for (int i = 0; i < r->s.dynamics.tensor_count; i++) {
        const dt_dynamics_tensor *t = &r->s.dynamics.tensor[i];
        DT_TRY(
            dt_comm_broadcast(c, t->data, (size_t)dt_shape_count(&t->shape) * sizeof(real), err));
    }
    return DT_OK;
}

dt_status dt_run_spread(dt_run *r, dt_error *err)
{
    dt_comm *c = r->p->comm;
    const dt_graph *sites = r->at.sites; /* this process's own */
    if (dt_comm_size(c) == 1) return DT_OK;
    DT_TRY(dt_comm_broadcast(c, &r->at, sizeof r->at, err));
    r->at.sites = sites;
    DT_TRY(dt_comm_broadcast(c, &r->s.quantizers_ready, sizeof r->s.quantizers_ready, err));
    r->s.dynamics.fresh = false;
    return spread_values(r, err);
}
