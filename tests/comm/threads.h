/* A transport between threads of one process, whose messages come late and in any order that the
 * rules allow; and the start of a rank in each thread. Ranks can be made silent. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_COMM_THREADS_H
#define DT_TESTS_COMM_THREADS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "comm/comm.h"
#include "tests/support/run.h"

enum { HUB_RANKS = 12 };

typedef struct hub_message {
    struct hub_message *next;
    int tag, delay; /* looks that do not see it yet */
    size_t bytes;
    unsigned char data[];
} hub_message;

typedef struct hub_request {
    bool waits;
    int64_t number; /* in the order in which they were begun */
    int peer, tag;
    void *data;
    size_t bytes;
} hub_request;

static struct {
    pthread_mutex_t lock;
    hub_message *first[HUB_RANKS][HUB_RANKS], *last[HUB_RANKS][HUB_RANKS]; /* [to][from] */
    int size;
    unsigned random;
    atomic_int closed, ended;
} hub;

static _Thread_local int hub_rank;

/* Check's own assertions are for one thread only. */
static atomic_int hub_wrong;
#define HUB_CHECK(what)                                                                            \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            printf("%s:%d: rank %d: not so: %s\n", __FILE__, __LINE__, hub_rank, #what);           \
            atomic_fetch_add(&hub_wrong, 1);                                                       \
        }                                                                                          \
    } while (0)
#define HUB_SAME(a, b) HUB_CHECK(strcmp((a), (b)) == 0)

typedef struct hub_self {
    hub_request *request;
    int rank, requests;
    int64_t begun;
} hub_self;

static bool hub_open(void *self, int *out_rank, int *out_size, char *text, size_t size)
{
    (void)text;
    (void)size;
    ((hub_self *)self)->rank = hub_rank;
    *out_rank = hub_rank;
    *out_size = hub.size;
    return true;
}

static void hub_lend(void *self, void *requests, int had, int count)
{
    hub_self *s = self;
    s->request = requests;
    s->requests = count;
    for (int i = had; i < count; i++)
        s->request[i] = (hub_request){ .waits = false };
}

static bool hub_send(void *self, int request, int peer, int tag, const void *data, size_t bytes,
                     char *text, size_t size)
{
    hub_self *s = self;
    (void)text;
    (void)size;
    hub_message *m = malloc(sizeof *m + bytes);
    *m = (hub_message){ .tag = tag, .bytes = bytes };
    memcpy(m->data, data, bytes);
    pthread_mutex_lock(&hub.lock);
    hub.random = hub.random * 1103515245u + 12345u;
    m->delay = (int)(hub.random >> 16 & 7);
    hub_message **last = &hub.last[peer][s->rank];
    if (*last)
        (*last)->next = m;
    else
        hub.first[peer][s->rank] = m;
    *last = m;
    pthread_mutex_unlock(&hub.lock);
    s->request[request].waits = false;
    return true;
}

static bool hub_receive(void *self, int request, int peer, int tag, void *data, size_t bytes,
                        char *text, size_t size)
{
    (void)text;
    (void)size;
    hub_self *s = self;
    s->request[request] = (hub_request){ true, s->begun++, peer, tag, data, bytes };
    return true;
}

/* The first message from `peer` with the tag, if it may be seen; locked. */
static hub_message *hub_find(int to, int peer, int tag)
{
    hub_message **at = &hub.first[to][peer], *before = NULL;
    while (*at && (*at)->tag != tag) {
        before = *at;
        at = &(*at)->next;
    }
    hub_message *m = *at;
    if (!m || m->delay-- > 0) return NULL;
    *at = m->next;
    if (hub.last[to][peer] == m) hub.last[to][peer] = before;
    return m;
}

static int hub_test(void *self, int request, char *text, size_t size)
{
    hub_self *s = self;
    hub_request *r = &s->request[request];
    (void)text;
    (void)size;
    if (!r->waits) return 1;
    for (int i = 0; i < s->requests; i++) {
        const hub_request *o = &s->request[i];
        if (o->waits && o->peer == r->peer && o->tag == r->tag && o->number < r->number) return 0;
    }
    pthread_mutex_lock(&hub.lock);
    hub_message *m = hub_find(s->rank, r->peer, r->tag);
    pthread_mutex_unlock(&hub.lock);
    if (!m) return 0;
    HUB_CHECK(m->bytes == r->bytes);
    memcpy(r->data, m->data, m->bytes < r->bytes ? m->bytes : r->bytes);
    free(m);
    r->waits = false;
    return 1;
}

static int hub_take(void *self, int tag)
{
    hub_self *s = self;
    for (int i = 0; i < hub.size; i++) {
        pthread_mutex_lock(&hub.lock);
        hub_message *m = hub_find(s->rank, i, tag);
        pthread_mutex_unlock(&hub.lock);
        free(m);
        if (m) return i;
    }
    return -1;
}

static void hub_close(void *self)
{
    (void)self;
    atomic_fetch_add(&hub.closed, 1);
}

static void hub_end_all(void *self, int code)
{
    (void)self;
    atomic_store(&hub.ended, code);
}

static const dt_link_calls hub_calls = {
    .version = DT_LINK_VERSION,
    .self_bytes = sizeof(hub_self),
    .request_bytes = sizeof(hub_request),
    .open = hub_open,
    .lend = hub_lend,
    .send = hub_send,
    .receive = hub_receive,
    .test = hub_test,
    .take = hub_take,
    .close = hub_close,
    .end_all = hub_end_all,
};

typedef struct hub_start {
    int rank;
    double seconds;
    void (*body)(dt_comm *c);
} hub_start;

static void *hub_main(void *arg)
{
    const hub_start *start = arg;
    dt_comm *c;
    dt_error err;
    hub_rank = start->rank;
    const dt_comm_params p = { .seconds = start->seconds };
    HUB_CHECK(dt_comm_open_link(&p, &hub_calls, &c, &err) == DT_OK);
    start->body(c);
    dt_comm_close(c);
    return NULL;
}

/* Runs `body` as each of `size` ranks. */
static inline void hub_run(int size, double seconds, void (*body)(dt_comm *c))
{
    pthread_t thread[HUB_RANKS];
    hub_start start[HUB_RANKS];
    memset(&hub, 0, sizeof hub);
    pthread_mutex_init(&hub.lock, NULL);
    hub.size = size;
    hub.random = (unsigned)size;
    for (int i = 0; i < size; i++) {
        start[i] = (hub_start){ i, seconds, body };
        ck_assert_int_eq(pthread_create(&thread[i], NULL, hub_main, &start[i]), 0);
    }
    for (int i = 0; i < size; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < size; i++)
        for (int k = 0; k < size; k++)
            for (hub_message *m = hub.first[i][k], *next; m; m = next) {
                next = m->next;
                free(m);
            }
    pthread_mutex_destroy(&hub.lock);
    ck_assert_int_eq(atomic_load(&hub_wrong), 0);
}

#endif
