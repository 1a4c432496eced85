/* Opening, and messages as they go to the transport. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "comm/comm.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "comm/comm_state.h"

#define DT_COMM(name) extern const dt_comm_row dt_comm_##name;
#include "comm/comm.def"
#undef DT_COMM

#define DT_COMM(name) &dt_comm_##name.row,
static const dt_row *const rows[] = {
#include "comm/comm.def"
    NULL,
};
#undef DT_COMM

const dt_table dt_comm_rows = { "way to communicate", rows };

enum { WHY = 256, GATHER_REQUESTS = 4 };

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to communicate");
}

dt_status dt_comm_lose(dt_comm *c, dt_error *err, const char *fmt, ...)
{
    char text[WHY + 200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    c->lost = true;
    return dt_fail(err, DT_ERR_IO, NULL, "%s", text);
}

dt_status dt_comm_reserve(dt_comm *c, int count, int *out_first, dt_error *err)
{
    size_t bytes = c->calls->request_bytes;
    int all = c->request_count + count;
    void *more = dt_get_array(c->alloc, (size_t)all, bytes, "communication");
    if (!more) return no_memory(err);
    if (c->requests) memcpy(more, c->requests, (size_t)c->request_count * bytes);
    c->calls->lend(c->self, more, c->request_count, all);
    dt_put(c->alloc, c->requests);
    c->requests = more;
    *out_first = c->request_count;
    c->request_count = all;
    return DT_OK;
}

dt_status dt_comm_send(dt_comm *c, int request, int peer, int tag, const void *data, size_t bytes,
                       dt_error *err)
{
    char why[WHY];
    c->traffic.bytes += (int64_t)bytes;
    c->traffic.messages++;
    if (c->calls->send(c->self, request, peer, tag, data, bytes, why, sizeof why)) return DT_OK;
    return dt_comm_lose(c, err, "rank %d on %s: cannot be sent to: %s", peer, c->host[peer], why);
}

dt_status dt_comm_receive(dt_comm *c, int request, int peer, int tag, void *data, size_t bytes,
                          dt_error *err)
{
    char why[WHY];
    if (c->calls->receive(c->self, request, peer, tag, data, bytes, why, sizeof why)) return DT_OK;
    return dt_comm_lose(c, err, "rank %d on %s: cannot be received from: %s", peer, c->host[peer],
                        why);
}

dt_status dt_comm_test(dt_comm *c, int first, int count, bool *out_done, dt_error *err)
{
    char why[WHY];
    *out_done = true;
    for (int i = first; i < first + count; i++) {
        int done = c->calls->test(c->self, i, why, sizeof why);
        if (done < 0)
            return dt_comm_lose(c, err, "rank %d on %s: a message failed: %s", c->rank,
                                c->host[c->rank], why);
        *out_done = *out_done && done;
    }
    return DT_OK;
}

/* Who is where. */
static dt_status meet(dt_comm *c, dt_error *err)
{
    char *own = c->host[c->rank];
    if (gethostname(own, DT_COMM_HOST) != 0) snprintf(own, DT_COMM_HOST, "?");
    own[DT_COMM_HOST - 1] = '\0';
    DT_TRY(dt_comm_gather(c, c->host, DT_COMM_HOST, err));
    for (int i = 0; i < c->size; i++)
        c->here += strcmp(c->host[i], own) == 0;
    return DT_OK;
}

static dt_status set_up(dt_comm *c, dt_error *err)
{
    size_t n = (size_t)c->size;
    c->host = dt_get_array(c->alloc, n, sizeof *c->host, "communication");
    c->answered = dt_get_array(c->alloc, n, sizeof *c->answered, "communication");
    c->texts = dt_get_array(c->alloc, n, sizeof(dt_error), "communication");
    if (!c->host || !c->answered || !c->texts) return no_memory(err);
    for (int i = 0; i < c->size; i++)
        snprintf(c->host[i], DT_COMM_HOST, "an unknown host");
    DT_TRY(dt_comm_reserve(c, GATHER_REQUESTS, &c->gather_first, err));
    DT_TRY(dt_comm_reserve(c, 2 * c->size, &c->ask_first, err));
    return meet(c, err);
}

dt_status dt_comm_open_link(const dt_comm_params *p, const dt_link_calls *calls, dt_comm **out,
                            dt_error *err)
{
    char why[WHY];
    dt_comm *c = dt_get(p->alloc, sizeof *c, "communication");
    if (!c) return no_memory(err);
    *c = (dt_comm){ .calls = calls, .alloc = p->alloc, .seconds = p->seconds };
    if (!(c->seconds > 0)) c->seconds = DT_COMM_SECONDS;
    c->self = dt_get(p->alloc, calls->self_bytes, "communication");
    if (!c->self) {
        dt_put(p->alloc, c);
        return no_memory(err);
    }
    if (!calls->open(c->self, &c->rank, &c->size, why, sizeof why)) {
        dt_put(p->alloc, c->self);
        dt_put(p->alloc, c);
        return dt_fail(err, DT_ERR_IO, NULL, "the ranks cannot be joined: %s", why);
    }
    dt_status st = set_up(c, err);
    if (st == DT_OK)
        *out = c;
    else
        dt_comm_close(c);
    return st;
}

dt_status dt_comm_open(const dt_comm_params *p, dt_comm **out, dt_error *err)
{
    const dt_row *row;
    const dt_link_calls *calls;
    *out = NULL;
    DT_TRY(dt_table_get(&dt_comm_rows, p->name ? p->name : "none", &(dt_where){ .key = "comm" },
                        &row, err));
    DT_TRY(((const dt_comm_row *)(const void *)row)->find(p, &calls, err));
    return calls ? dt_comm_open_link(p, calls, out, err) : DT_OK;
}

void dt_comm_close(dt_comm *c)
{
    if (!c) return;
    const dt_alloc *a = c->alloc;
    if (!c->lost) c->calls->close(c->self);
    dt_put(a, c->texts);
    dt_put(a, c->answered);
    dt_put(a, c->host);
    dt_put(a, c->requests);
    dt_put(a, c->self);
    dt_put(a, c);
}

int dt_comm_rank(const dt_comm *c)
{
    return c ? c->rank : 0;
}

int dt_comm_size(const dt_comm *c)
{
    return c ? c->size : 1;
}

int dt_comm_here(const dt_comm *c)
{
    return c ? c->here : 1;
}

const char *dt_comm_host(const dt_comm *c, int rank)
{
    return c ? c->host[rank] : "this host";
}

bool dt_comm_is_lost(const dt_comm *c)
{
    return c && c->lost;
}

bool dt_comm_tells(const dt_comm *c)
{
    return !c || c->rank == c->tells;
}

void dt_comm_end_all(dt_comm *c, int code)
{
    if (c) c->calls->end_all(c->self, code);
}

dt_comm_traffic dt_comm_traffic_of(const dt_comm *c)
{
    return c ? c->traffic : (dt_comm_traffic){ 0 };
}
