/* Slots in an arena: what lives at the same time lies apart, what does not shares memory. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/plan.h"
#include "core/rng.h"
#include "tests/support/run.h"

enum { MANY = 200 };

static size_t place(dt_slot *slot, int count)
{
    size_t bytes = 0;
    dt_error err = { .status = DT_OK };
    dt_arena *arena = dt_arena_new(NULL, "test");
    ck_assert_ptr_nonnull(arena);
    ck_assert_int_eq(dt_slots_place(slot, count, arena, &bytes, &err), DT_OK);
    dt_arena_free(arena);
    return bytes;
}

START_TEST(lifetimes_that_do_not_meet_share)
{
    dt_slot slot[] = { { .first = 0, .last = 1, .bytes = 128 },
                       { .first = 1, .last = 2, .bytes = 64 },
                       { .first = 2, .last = 3, .bytes = 128 },
                       { .first = 0, .last = 3, .bytes = 64 } };
    ck_assert_uint_eq(place(slot, 4), 256);
    ck_assert_uint_eq(slot[0].offset, 0);
    ck_assert_uint_eq(slot[2].offset, 0);
    ck_assert_uint_eq(slot[1].offset, 128);
    ck_assert_uint_eq(slot[3].offset, 192);
    ck_assert_uint_eq(place(slot, 0), 0);
}
END_TEST

START_TEST(drawn_slots_never_overlap)
{
    static dt_slot slot[MANY];
    dt_rng rng;
    dt_rng_open(&rng, 1, DT_RNG_TEST, 0, 0);
    size_t sum = 0;
    for (int i = 0; i < MANY; i++) {
        int first = (int)dt_rng_below(&rng, 100);
        slot[i] = (dt_slot){ .first = first,
                             .last = first + (int)dt_rng_below(&rng, 20),
                             .bytes = DT_ALIGN * (1 + dt_rng_below(&rng, 1000)) };
        sum += slot[i].bytes;
    }
    size_t bytes = place(slot, MANY);
    ck_assert_uint_lt(bytes, sum / 2);
    for (int i = 0; i < MANY; i++) {
        const dt_slot *a = &slot[i];
        ck_assert_uint_le(a->offset + a->bytes, bytes);
        for (int j = 0; j < i; j++) {
            const dt_slot *b = &slot[j];
            bool apart = a->offset >= b->offset + b->bytes || b->offset >= a->offset + a->bytes;
            ck_assert(apart || a->last < b->first || b->last < a->first);
        }
    }
}
END_TEST

DT_TEST_MAIN("plan_place", lifetimes_that_do_not_meet_share, drawn_slots_never_overlap)
