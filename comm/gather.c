/* What all ranks tell each other. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "comm/comm_state.h"

/* `count` records from `first` on, modulo the number of ranks: in two pieces where that wraps. */
typedef struct piece {
    int first, count;
} piece;

static int cut(const dt_comm *c, int first, int count, piece out[2])
{
    int one = first + count <= c->size ? count : c->size - first;
    out[0] = (piece){ first, one };
    out[1] = (piece){ 0, count - one };
    return count > one ? 2 : 1;
}

/* Round `have` of Bruck's allgather: this rank holds the records of `have` ranks from its own on,
 * gives as many as are wanted to the rank that far below it, and gets the next from above. */
static dt_status pass_on(dt_comm *c, unsigned char *records, size_t bytes, int have, dt_error *err)
{
    int count = have < c->size - have ? have : c->size - have, request = c->gather_first;
    int to = (c->rank + c->size - have) % c->size, from = (c->rank + have) % c->size;
    piece get[2], give[2];
    int gets = cut(c, from, count, get), gives = cut(c, c->rank, count, give);
    for (int i = 0; i < gets; i++)
        DT_TRY(dt_comm_receive(c, request++, from, DT_TAG_GATHER,
                               records + (size_t)get[i].first * bytes, (size_t)get[i].count * bytes,
                               err));
    for (int i = 0; i < gives; i++)
        DT_TRY(dt_comm_send(c, request++, to, DT_TAG_GATHER,
                            records + (size_t)give[i].first * bytes, (size_t)give[i].count * bytes,
                            err));
    return dt_comm_wait(c, c->gather_first, request - c->gather_first, err);
}

dt_status dt_comm_gather(dt_comm *c, void *records, size_t bytes, dt_error *err)
{
    for (int have = 1; c && have < c->size; have *= 2)
        DT_TRY(pass_on(c, records, bytes, have, err));
    return DT_OK;
}

/* A binomial tree: in the round of `step` those below it give to those that far above them. */
static dt_status spread(dt_comm *c, unsigned char *data, size_t bytes, dt_error *err)
{
    int step = 1, request = c->gather_first;
    for (; step < c->size; step *= 2) {
        if (c->rank < step && c->rank + step < c->size)
            DT_TRY(dt_comm_send(c, request, c->rank + step, DT_TAG_GATHER, data, bytes, err));
        else if (c->rank >= step && c->rank < 2 * step)
            DT_TRY(dt_comm_receive(c, request, c->rank - step, DT_TAG_GATHER, data, bytes, err));
        else
            continue;
        DT_TRY(dt_comm_wait(c, request, 1, err));
    }
    return DT_OK;
}

dt_status dt_comm_broadcast(dt_comm *c, void *data, size_t bytes, dt_error *err)
{
    enum { MOST = 1 << 22 };
    for (size_t at = 0; c && at < bytes; at += MOST)
        DT_TRY(spread(c, (unsigned char *)data + at, bytes - at < MOST ? bytes - at : MOST, err));
    return DT_OK;
}

static bool all_say_the_same(const dt_comm *c, const dt_error *texts)
{
    for (int i = 0; i < c->size; i++)
        if (texts[i].status != texts[0].status || strcmp(texts[i].text, texts[0].text) != 0)
            return false;
    return true;
}

dt_status dt_comm_settle(dt_comm *c, dt_status st, dt_error *err)
{
    int who = 0;
    if (!c || c->lost) return st;
    dt_error *texts = c->texts;
    memset(&texts[c->rank], 0, sizeof *texts);
    if (st != DT_OK) {
        texts[c->rank] = *err;
        texts[c->rank].status = st;
    }
    DT_TRY(dt_comm_gather(c, texts, sizeof *texts, err));
    while (who < c->size && texts[who].status == DT_OK)
        who++;
    if (who == c->size) return DT_OK;
    texts[who].text[sizeof texts->text - 1] = '\0';
    if (all_say_the_same(c, texts)) return dt_fail(err, texts->status, NULL, "%s", texts->text);
    return dt_fail(err, texts[who].status, NULL, "rank %d on %s: %s", who, c->host[who],
                   texts[who].text);
}
