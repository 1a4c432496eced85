/* Records of events, to the byte. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/events.h"

#include <string.h>

#include "core/atomic.h"
#include "core/file.h"
#include "tests/support/run.h"
#include "tests/support/tempdir.h"

static tempdir dir;
static dt_dir held;

static void begin(void)
{
    tempdir_init(&dir, DT_EVENTS_FILE);
    ck_assert_int_eq(dt_dir_hold(&held, dir.folder, NULL), DT_OK);
}

static void end(void)
{
    dt_dir_release(&held);
    tempdir_fini(&dir);
}

static size_t size_of(void)
{
    unsigned char *bytes;
    size_t size;
    ck_assert_int_eq(dt_file_read(NULL, dir.file, 1 << 20, &bytes, &size, NULL), DT_OK);
    dt_put(NULL, bytes);
    return size;
}

static void add(dt_events *e, int64_t step, const char *tag)
{
    dt_event_scalar s = { .value = 0.5 };
    snprintf(s.tag, sizeof s.tag, "%s", tag);
    ck_assert_int_eq(dt_events_add(e, step, &s, 1, NULL), DT_OK);
}

/* RFC 3720, B.4: CRC-32C of 32 zeros is 8a9136aa; the mask is TensorFlow's. */
START_TEST(sums_are_the_published_ones)
{
    const unsigned char zeros[32] = { 0 };
    const uint32_t crc = 0x8a9136aa;
    ck_assert_uint_eq(dt_events_sum(zeros, 32), (crc >> 15 | crc << 17) + 0xa282ead8);
}
END_TEST

START_TEST(a_file_is_cut_back)
{
    dt_events e;
    begin();
    ck_assert_int_eq(dt_events_open(&e, &held, 0, false, "s", NULL), DT_OK);
    size_t empty = size_of();
    add(&e, 10, "s");
    size_t ten = size_of();
    add(&e, 20, "s");
    size_t twenty = size_of();
    add(&e, 20, "epoch");
    size_t epoch = size_of();
    add(&e, 30, "s");
    dt_events_close(&e);
    ck_assert_uint_lt(empty, ten);
    ck_assert_int_eq(dt_events_open(&e, &held, 20, false, "s", NULL), DT_OK);
    dt_events_close(&e);
    ck_assert_uint_eq(size_of(), epoch);
    ck_assert_int_eq(dt_events_open(&e, &held, 20, true, "s", NULL), DT_OK);
    dt_events_close(&e);
    ck_assert_uint_eq(size_of(), twenty);
    ck_assert_int_eq(dt_events_open(&e, &held, 19, false, "s", NULL), DT_OK);
    dt_events_close(&e);
    ck_assert_uint_eq(size_of(), ten);
    end();
}
END_TEST

/* Every bit of a record counts: what follows a damaged one is gone, and nothing else happens. */
START_TEST(damage_is_cut_off)
{
    dt_events e;
    begin();
    ck_assert_int_eq(dt_events_open(&e, &held, 0, false, "s", NULL), DT_OK);
    size_t empty = size_of();
    add(&e, 10, "s");
    size_t ten = size_of();
    add(&e, 20, "s");
    dt_events_close(&e);
    unsigned char *bytes;
    size_t size;
    ck_assert_int_eq(dt_file_read(NULL, dir.file, 1 << 20, &bytes, &size, NULL), DT_OK);
    for (size_t i = empty; i < ten; i++)
        for (int bit = 0; bit < 8; bit += 7) {
            bytes[i] ^= (unsigned char)(1 << bit);
            ck_assert_int_eq(dt_file_write(dir.file, bytes, size, NULL), DT_OK);
            ck_assert_int_eq(dt_events_open(&e, &held, 30, false, "s", NULL), DT_OK);
            dt_events_close(&e);
            ck_assert_uint_eq(size_of(), empty);
            bytes[i] ^= (unsigned char)(1 << bit);
        }
    for (size_t n = ten; n < size; n++) { /* cut short */
        ck_assert_int_eq(dt_file_write(dir.file, bytes, n, NULL), DT_OK);
        ck_assert_int_eq(dt_events_open(&e, &held, 30, false, "s", NULL), DT_OK);
        dt_events_close(&e);
        ck_assert_uint_eq(size_of(), ten);
    }
    dt_put(NULL, bytes);
    end();
}
END_TEST

DT_TEST_MAIN("events", sums_are_the_published_ones, a_file_is_cut_back, damage_is_cut_off)
