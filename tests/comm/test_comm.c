/* SPDX-License-Identifier: Apache-2.0 */
#include "comm/comm.h"

#include "tests/comm/threads.h"

START_TEST(one_process_needs_none)
{
    dt_comm *c = (dt_comm *)&hub;
    dt_error err;
    ck_assert_int_eq(dt_comm_open(&(dt_comm_params){ .name = NULL }, &c, &err), DT_OK);
    ck_assert_ptr_null(c);
    ck_assert_int_eq(dt_comm_rank(c), 0);
    ck_assert_int_eq(dt_comm_size(c), 1);
    ck_assert_int_eq(dt_comm_here(c), 1);
    ck_assert(dt_comm_tells(c) && !dt_comm_is_lost(c));
    int x = 7;
    ck_assert_int_eq(dt_comm_gather(c, &x, sizeof x, &err), DT_OK);
    ck_assert_int_eq(dt_comm_broadcast(c, &x, sizeof x, &err), DT_OK);
    ck_assert_int_eq(x, 7);
    dt_fail(&err, DT_ERR_IO, NULL, "as it was");
    ck_assert_int_eq(dt_comm_settle(c, DT_ERR_IO, &err), DT_ERR_IO);
    ck_assert_str_eq(err.text, "as it was");
    ck_assert_int_eq(dt_comm_traffic_of(c).bytes, 0);
    dt_comm_end_all(c, 1);
    dt_comm_close(c);
}
END_TEST

START_TEST(what_cannot_be_had_is_refused)
{
    dt_comm *c;
    dt_error err;
    ck_assert_int_eq(dt_comm_open(&(dt_comm_params){ .name = "mpy" }, &c, &err), DT_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "did you mean 'mpi'?"));
    const char *const nowhere[] = { "/nowhere/a.so", "/nowhere/b.so", NULL };
    ck_assert_int_eq(dt_comm_open(&(dt_comm_params){ .name = "mpi", .modules = nowhere }, &c, &err),
                     DT_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/a.so, /nowhere/b.so"));
    ck_assert_ptr_nonnull(strstr(err.text, "libopenmpi-dev"));
    const char *const none[] = { "/proc/self/maps", NULL };
    ck_assert_int_eq(dt_comm_open(&(dt_comm_params){ .name = "mpi", .modules = none }, &c, &err),
                     DT_ERR_IO);
}
END_TEST

static void who(dt_comm *c)
{
    HUB_CHECK(dt_comm_rank(c) == hub_rank);
    HUB_CHECK(dt_comm_size(c) == hub.size);
    HUB_CHECK(dt_comm_here(c) == hub.size);
    for (int i = 0; i < hub.size; i++)
        HUB_SAME(dt_comm_host(c, i), dt_comm_host(c, 0));
    HUB_CHECK((int)strlen(dt_comm_host(c, 0)) > 0);
    HUB_CHECK(dt_comm_tells(c) == (hub_rank == 0));
}

START_TEST(ranks_know_each_other)
{
    for (int size = 1; size <= 5; size++) {
        hub_run(size, 60, who);
        ck_assert_int_eq(atomic_load(&hub.closed), size);
    }
}
END_TEST

/* Requests keep what they are when there is room for more. */
static void grow(dt_comm *c)
{
    int first, more, got = 0, sent = 41 + hub_rank, peer = 1 - hub_rank;
    HUB_CHECK(dt_comm_reserve(c, 2, &first, NULL) == DT_OK);
    HUB_CHECK(dt_comm_receive(c, first, peer, 99, &got, sizeof got, NULL) == DT_OK);
    HUB_CHECK(dt_comm_reserve(c, 50, &more, NULL) == DT_OK);
    HUB_CHECK(more == first + 2);
    HUB_CHECK(dt_comm_send(c, more + 49, peer, 99, &sent, sizeof sent, NULL) == DT_OK);
    HUB_CHECK(dt_comm_wait(c, first, 52, NULL) == DT_OK);
    HUB_CHECK(got == 41 + peer);
    HUB_CHECK(dt_comm_traffic_of(c).bytes >= (int64_t)sizeof sent);
}

START_TEST(requests_stay_when_there_are_more)
{
    hub_run(2, 60, grow);
}
END_TEST

DT_TEST_MAIN("comm", one_process_needs_none, what_cannot_be_had_is_refused, ranks_know_each_other,
             requests_stay_when_there_are_more)
