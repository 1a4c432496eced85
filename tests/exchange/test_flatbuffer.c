/* Flatbuffers, read back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/tflite/flatbuffer.h"

#include "tests/exchange/fb_read.h"
#include "tests/support/failalloc.h"
#include "tests/support/run.h"

/* A root with numbers of every size, two tables in a vector, a string and aligned vectors. */
static dt_fb_object *sample(dt_fb *b)
{
    dt_fb_object *root = dt_fb_table(b), *items[2];
    for (int i = 0; i < 2; i++) {
        items[i] = dt_fb_table(b);
        dt_fb_set(items[i], 3, 4, 100 + i);
        dt_fb_set_object(items[i], 0, dt_fb_vector(b, "abcde", 5, 1, 16));
    }
    dt_fb_set(root, 0, 1, -3);
    dt_fb_set(root, 2, 8, INT64_C(-5000000000));
    dt_fb_set(root, 3, 2, 700);
    dt_fb_set(root, 4, 4, -70000);
    dt_fb_set_object(root, 5, dt_fb_objects(b, items, 2));
    dt_fb_set_object(root, 6, dt_fb_string(b, "name"));
    dt_fb_set_object(root, 7, dt_fb_vector(b, (const int64_t[]){ 1, -2, 3 }, 3, 8, 8));
    dt_fb_set_object(root, 8, dt_fb_vector(b, NULL, 0, 4, 4));
    return root;
}

START_TEST(what_was_written_is_read)
{
    unsigned char *bytes;
    fb_file f;
    dt_fb *b = dt_fb_new(NULL);
    ck_assert_ptr_nonnull(b);
    ck_assert_int_eq(dt_fb_pack(b, sample(b), "TEST", &bytes, &f.size, NULL), DT_OK);
    f.bytes = bytes;
    ck_assert_mem_eq(bytes + 4, "TEST", 4);
    size_t root = fb_root(f);
    ck_assert_uint_eq(root % 8, 0);
    ck_assert_int_eq(fb_get(f, root, 0, 1), -3);
    ck_assert_uint_eq(fb_field(f, root, 1), 0);
    ck_assert_int_eq(fb_get(f, root, 2, 8), INT64_C(-5000000000));
    ck_assert_int_eq(fb_get(f, root, 3, 2), 700);
    ck_assert_int_eq(fb_get(f, root, 4, 4), -70000);
    ck_assert_uint_eq(fb_field(f, root, 9), 0);
    size_t list = fb_object(f, root, 5);
    ck_assert_uint_eq(fb_count(f, list), 2);
    for (size_t i = 0; i < 2; i++) {
        size_t item = fb_item(f, list, i), data = fb_object(f, item, 0);
        ck_assert_int_eq(fb_get(f, item, 3, 4), 100 + (int)i);
        ck_assert_uint_eq(fb_count(f, data), 5);
        ck_assert_uint_eq((data + 4) % 16, 0);
        ck_assert_mem_eq(bytes + data + 4, "abcde", 5);
    }
    ck_assert_str_eq(fb_text(f, fb_object(f, root, 6)), "name");
    size_t wide = fb_object(f, root, 7);
    ck_assert_uint_eq((wide + 4) % 8, 0);
    ck_assert_int_eq(fb_number(f, wide + 4 + 8, 8), -2);
    ck_assert_uint_eq(fb_count(f, fb_object(f, root, 8)), 0);
    dt_put(NULL, bytes);
    dt_fb_free(b);
}
END_TEST

START_TEST(memory_may_run_out_anywhere)
{
    failalloc fail;
    dt_status st = DT_ERR_NOMEM;
    for (size_t at = 1; st == DT_ERR_NOMEM; at++) {
        unsigned char *bytes = NULL;
        size_t size;
        failalloc_init(&fail, at);
        dt_fb *b = dt_fb_new(&fail.alloc);
        if (b) st = dt_fb_pack(b, sample(b), "TEST", &bytes, &size, NULL);
        dt_put(&fail.alloc, bytes);
        dt_fb_free(b);
        ck_assert_uint_eq(fail.live, 0);
    }
    ck_assert_int_eq(st, DT_OK);
}
END_TEST

DT_TEST_MAIN("flatbuffer", what_was_written_is_read, memory_may_run_out_anywhere)
