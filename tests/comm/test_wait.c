/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "tests/comm/threads.h"

static atomic_int told;

/* Rank 1 sleeps over the limit; rank 2 waits for rank 1, and the others for rank 2. */
static void fall_silent(dt_comm *c)
{
    int first, x = 0;
    dt_error err;
    char want[100];
    HUB_CHECK(dt_comm_reserve(c, 1, &first, NULL) == DT_OK);
    if (hub_rank == 1) {
        nanosleep(&(struct timespec){ .tv_sec = 3 }, NULL);
        return;
    }
    HUB_CHECK(dt_comm_receive(c, first, hub_rank == 2 ? 1 : 2, 77, &x, sizeof x, &err) == DT_OK);
    HUB_CHECK(dt_comm_wait(c, first, 1, &err) == DT_ERR_IO);
    snprintf(want, sizeof want, "rank 1 on %s: has been silent for 0.4 s", dt_comm_host(c, 1));
    HUB_SAME(err.text, want);
    HUB_CHECK(dt_comm_is_lost(c));
    if (dt_comm_tells(c)) atomic_fetch_add(&told, 1 + 100 * hub_rank);
    HUB_CHECK(dt_comm_wait(c, first, 1, &err) == DT_ERR_IO);    /* for good */
    HUB_CHECK(dt_comm_settle(c, DT_ERR_IO, &err) == DT_ERR_IO); /* waits for nobody */
}

START_TEST(the_silent_rank_is_named_by_one)
{
    hub_run(4, 0.4, fall_silent);
    ck_assert_int_eq(atomic_load(&told), 1);
}
END_TEST

/* Slower than half the limit is not silent. */
static void be_slow(dt_comm *c)
{
    int all[2] = { 0 };
    if (hub_rank == 1) nanosleep(&(struct timespec){ .tv_nsec = 600000000 }, NULL);
    all[hub_rank] = 1;
    HUB_CHECK(dt_comm_gather(c, all, sizeof *all, NULL) == DT_OK);
    HUB_CHECK(all[0] && all[1]);
    HUB_CHECK(dt_comm_traffic_of(c).waited >= (hub_rank == 0 ? 0.4 : 0));
}

START_TEST(a_slow_rank_is_waited_for)
{
    hub_run(2, 2, be_slow);
}
END_TEST

DT_TEST_MAIN("wait", the_silent_rank_is_named_by_one, a_slow_rank_is_waited_for)
