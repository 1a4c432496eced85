/* Waiting for messages, with a limit. When it is over, the silent rank is found by asking: ranks
 * that wait themselves answer, so who does not is the one that all wait for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <time.h>

#include "comm/comm_state.h"

enum {
    SPINS = 200,       /* tests before the processor is given to others between two */
    NAP = 50,          /* microseconds */
    LOOKS = 64,        /* naps between two looks for questions */
    ANSWER_LIMIT = 10, /* seconds that an answer may take, at most */
};

double dt_comm_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* An empty message; where the last one has not gone yet none is sent. Failing is no news here. */
static void tell(dt_comm *c, int request, int peer, int tag)
{
    char why[64];
    if (c->calls->test(c->self, request, why, sizeof why) == 1)
        (void)c->calls->send(c->self, request, peer, tag, c->answered, 0, why, sizeof why);
}

static void answer(dt_comm *c)
{
    for (int peer; (peer = c->calls->take(c->self, DT_TAG_ASK)) >= 0;)
        tell(c, c->ask_first + c->size + peer, peer, DT_TAG_ANSWER);
}

static void nap(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = NAP * 1000L }, NULL);
}

typedef struct waiting {
    dt_comm_poll poll;
    void *arg;
    double until;
} waiting;

/* Until it is done or the time is over. */
static dt_status wait_some(dt_comm *c, const waiting *w, bool *out_done, dt_error *err)
{
    for (int64_t i = 0;; i++) {
        DT_TRY(w->poll(w->arg, out_done, err));
        if (*out_done) return DT_OK;
        if (i < SPINS) continue;
        nap();
        if (i % LOOKS) continue;
        answer(c);
        for (int peer; (peer = c->calls->take(c->self, DT_TAG_ANSWER)) >= 0;)
            c->answered[peer] = true;
        if (dt_comm_now() > w->until) return DT_OK;
    }
}

static double answer_seconds(const dt_comm *c)
{
    return c->seconds < ANSWER_LIMIT ? c->seconds : ANSWER_LIMIT;
}

/* Asks all; those who have not answered in time are silent. */
static dt_status ask(dt_comm *c, const waiting *w, bool *out_done, dt_error *err)
{
    waiting some = *w;
    some.until = dt_comm_now() + answer_seconds(c);
    memset(c->answered, 0, (size_t)c->size * sizeof *c->answered);
    c->answered[c->rank] = true;
    for (int i = 0; i < c->size; i++)
        if (i != c->rank) tell(c, c->ask_first + i, i, DT_TAG_ASK);
    return wait_some(c, &some, out_done, err);
}

/* Names the lowest silent rank. All others come here at about the same time: the lowest of them
 * tells it, and ends the rest while they sleep. */
static dt_status silent(dt_comm *c, dt_error *err)
{
    int who = 0;
    while (who < c->size && c->answered[who])
        who++;
    c->tells = 0;
    while (!c->answered[c->tells])
        c->tells++;
    for (double until = dt_comm_now() + answer_seconds(c);
         c->rank != c->tells && dt_comm_now() < until;)
        nap();
    if (who == c->size)
        return dt_comm_lose(c, err, "rank %d on %s: waited %g s though all ranks answer", c->rank,
                            c->host[c->rank], 2 * c->seconds);
    return dt_comm_lose(c, err, "rank %d on %s: has been silent for %g s", who, c->host[who],
                        c->seconds);
}

static bool all_answered(const dt_comm *c)
{
    for (int i = 0; i < c->size; i++)
        if (!c->answered[i]) return false;
    return true;
}

dt_status dt_comm_wait_for(dt_comm *c, dt_comm_poll poll, void *arg, dt_error *err)
{
    bool done = false;
    double start = dt_comm_now();
    dt_status st = DT_OK;
    if (c->lost) return dt_fail(err, DT_ERR_IO, NULL, "the ranks are lost");
    for (int tries = 0; st == DT_OK && !done && tries < 2; tries++) {
        const waiting w = { poll, arg, dt_comm_now() + c->seconds };
        st = wait_some(c, &w, &done, err);
        if (st == DT_OK && !done) st = ask(c, &w, &done, err);
        if (st == DT_OK && !done && !all_answered(c)) break;
    }
    c->traffic.waited += dt_comm_now() - start;
    return st == DT_OK && !done ? silent(c, err) : st;
}

typedef struct requests {
    dt_comm *c;
    int first, count;
} requests;

static dt_status poll_requests(void *arg, bool *out_done, dt_error *err)
{
    const requests *r = arg;
    return dt_comm_test(r->c, r->first, r->count, out_done, err);
}

dt_status dt_comm_wait(dt_comm *c, int first, int count, dt_error *err)
{
    requests r = { c, first, count };
    return dt_comm_wait_for(c, poll_requests, &r, err);
}
