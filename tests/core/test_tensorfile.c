/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tensorfile.h"

#include <math.h>
#include <stdio.h>

#include "tests/support/run.h"

START_TEST(add_find_and_attributes)
{
    dt_tensors set;
    ck_assert_int_eq(dt_tensors_init(&set, NULL, NULL), DT_OK);
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        ck_assert_int_eq(dt_tensors_add(&set, name, DT_F32, &DT_SHAPE(2, 3), NULL, NULL), DT_OK);
        ((float *)dt_tensors_data(&set, (size_t)i))[5] = (float)i;
    }
    ck_assert_int_eq(dt_tensors_add(&set, "t5", DT_F32, &DT_SHAPE(1), NULL, NULL), DT_ERR_ARG);
    ck_assert_int_eq(dt_tensors_add(&set, "e", DT_F32, &DT_SHAPE(0), NULL, NULL), DT_ERR_SHAPE);
    const dt_named_tensor *t = dt_tensors_find(&set, "t77");
    ck_assert(((const float *)t->data)[5] == 77);
    ck_assert_ptr_null(dt_tensors_find(&set, "t100"));
    ck_assert_int_eq(dt_tensors_set_attr(&set, "k", "1", NULL), DT_OK);
    ck_assert_int_eq(dt_tensors_set_attr(&set, "k", "2", NULL), DT_OK);
    ck_assert_str_eq(dt_tensors_attr(&set, "k"), "2");
    ck_assert_ptr_null(dt_tensors_attr(&set, "none"));
    dt_tensors_fini(&set);
}
END_TEST

static dt_tensors two(float x, const char *first, const char *second, const char *text)
{
    dt_tensors set;
    ck_assert_int_eq(dt_tensors_init(&set, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_tensors_add(&set, first, DT_F32, &DT_SHAPE(2), NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_tensors_add(&set, second, DT_F32, &DT_SHAPE(2), NULL, NULL), DT_OK);
    for (size_t i = 0; i < 2; i++)
        ((float *)dt_tensors_data(&set, i))[1] = set.item[i].name[0] == 'b' ? x : 1;
    if (text) ck_assert_int_eq(dt_tensors_set_attr(&set, "k", text, NULL), DT_OK);
    return set;
}

START_TEST(sets_are_compared_by_bits)
{
    dt_tensors a = two(NAN, "a", "b", "text");
    struct {
        dt_tensors set;
        bool same;
    } other[] = { { two(NAN, "b", "a", "text"), true },
                  { two(0, "a", "b", "text"), false },
                  { two(NAN, "a", "c", "text"), false },
                  { two(NAN, "a", "b", "texts"), false },
                  { two(NAN, "a", "b", NULL), false } };
    for (size_t i = 0; i < DT_ARRAY_LEN(other); i++) {
        ck_assert_msg(dt_tensors_equal(&a, &other[i].set) == other[i].same, "%zu", i);
        ck_assert_msg(dt_tensors_equal(&other[i].set, &a) == other[i].same, "%zu", i);
        dt_tensors_fini(&other[i].set);
    }
    dt_tensors_fini(&a);
}
END_TEST

START_TEST(conversions)
{
    float f[4];
    const uint16_t half[] = { 0x3c00, 0xc000, 0x0001, 0x7c00 }, bf[] = { 0x3f80, 0xc000 };
    dt_to_f32(DT_F16, half, 4, f);
    ck_assert(f[0] == 1 && f[1] == -2 && f[2] == 0x1p-24f && isinf(f[3]));
    dt_to_f32(DT_BF16, bf, 2, f);
    ck_assert(f[0] == 1 && f[1] == -2);
    const int64_t big[] = { -3 };
    dt_to_f32(DT_I64, big, 1, f);
    ck_assert(f[0] == -3);
    const unsigned char odd[5] = { 9, 0, 0, 0x80, 0x3f }; /* 1.0f at an odd address */
    dt_to_f32(DT_F32, odd + 1, 1, f);
    ck_assert(f[0] == 1);
}
END_TEST

START_TEST(all_names_at_once)
{
    dt_tensors set;
    dt_error err;
    const float x[] = { 1, 2, 3 };
    ck_assert_int_eq(dt_tensors_init(&set, NULL, NULL), DT_OK);
    for (int i = 0; i < 3; i++) {
        const char name[] = { (char)('a' + i), 0 };
        ck_assert_int_eq(dt_tensors_add(&set, name, DT_F32, &DT_SHAPE(1), &x[i], NULL), DT_OK);
    }
    const char *const twice[] = { "b", "c", "c" }, *const moved[] = { "b", NULL, "a" };
    ck_assert_int_eq(dt_tensors_rename(&set, twice, "f", &err), DT_ERR_FORMAT);
    ck_assert_str_eq(err.text, "f: c: two tensors have this name");
    ck_assert(set.count == 3 && dt_tensors_find(&set, "a")->data == &x[0]);
    ck_assert_int_eq(dt_tensors_rename(&set, moved, "f", &err), DT_OK);
    ck_assert_uint_eq(set.count, 2);
    ck_assert_ptr_eq(dt_tensors_find(&set, "b")->data, &x[0]);
    ck_assert_ptr_eq(dt_tensors_find(&set, "a")->data, &x[2]);
    ck_assert_ptr_null(dt_tensors_find(&set, "c"));
    ck_assert_int_eq(dt_tensors_add(&set, "c", DT_F32, &DT_SHAPE(1), &x[1], NULL), DT_OK);
    ck_assert_int_eq(dt_tensors_add(&set, "a", DT_F32, &DT_SHAPE(1), &x[1], NULL), DT_ERR_ARG);
    dt_tensors_fini(&set);
}
END_TEST

DT_TEST_MAIN("tensorfile", add_find_and_attributes, sets_are_compared_by_bits, conversions,
             all_names_at_once)
