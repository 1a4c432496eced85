/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/comm/threads.h"

enum { MOST = 9, LONG = (1 << 22) + 5 };

typedef struct record {
    int rank;
    char text[61];
} record;

static void gather(dt_comm *c)
{
    record all[MOST];
    memset(all, 0, sizeof all);
    for (int round = 0; round < 3; round++) {
        all[hub_rank].rank = 10 * hub_rank + round;
        snprintf(all[hub_rank].text, sizeof all->text, "from %d", hub_rank);
        HUB_CHECK(dt_comm_gather(c, all, sizeof *all, NULL) == DT_OK);
        for (int i = 0; i < hub.size; i++) {
            char text[20];
            snprintf(text, sizeof text, "from %d", i);
            HUB_CHECK(all[i].rank == 10 * i + round);
            HUB_SAME(all[i].text, text);
        }
        all[(hub_rank + 1) % hub.size].rank = -1;
    }
}

START_TEST(all_get_all_records)
{
    for (int size = 1; size <= MOST; size++)
        hub_run(size, 60, gather);
}
END_TEST

static void broadcast(dt_comm *c)
{
    unsigned char *data = calloc(1, LONG);
    for (int i = 0; hub_rank == 0 && i < LONG; i++)
        data[i] = (unsigned char)(i * 7);
    HUB_CHECK(dt_comm_broadcast(c, data, LONG, NULL) == DT_OK);
    HUB_CHECK(dt_comm_broadcast(c, data, 0, NULL) == DT_OK);
    for (int i = 0; i < LONG; i++)
        HUB_CHECK(data[i] == (unsigned char)(i * 7));
    free(data);
}

START_TEST(all_get_what_rank_0_has)
{
    for (int size = 1; size <= MOST; size += 2)
        hub_run(size, 60, broadcast);
}
END_TEST

/* Rank 1 and those above fail in a way of their own; then all in the same way. */
static void settle(dt_comm *c)
{
    dt_error err = { DT_OK, "" };
    char want[200];
    HUB_CHECK(dt_comm_settle(c, DT_OK, &err) == DT_OK);
    dt_status st = hub_rank == 0 ? DT_OK : dt_fail(&err, DT_ERR_FORMAT, NULL, "bad %d", hub_rank);
    HUB_CHECK(dt_comm_settle(c, st, &err) == DT_ERR_FORMAT);
    snprintf(want, sizeof want, "rank 1 on %s: bad 1", dt_comm_host(c, 1));
    HUB_SAME(err.text, want);
    HUB_CHECK(err.status == DT_ERR_FORMAT);
    st = dt_fail(&err, DT_ERR_RANGE, NULL, "x.yaml:3: no");
    HUB_CHECK(dt_comm_settle(c, st, &err) == DT_ERR_RANGE);
    HUB_SAME(err.text, "x.yaml:3: no");
    HUB_CHECK(dt_comm_settle(c, DT_OK, &err) == DT_OK); /* nothing of it is left */
}

START_TEST(all_fail_with_the_lowest_rank)
{
    for (int size = 2; size <= MOST; size += 3)
        hub_run(size, 60, settle);
}
END_TEST

DT_TEST_MAIN("gather", all_get_all_records, all_get_what_rank_0_has, all_fail_with_the_lowest_rank)
