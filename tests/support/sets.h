/* A small set of tensors of every type, and comparing sets. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_SUPPORT_SETS_H
#define DT_TESTS_SUPPORT_SETS_H

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "core/tensorfile.h"

static inline size_t set_bytes(const dt_named_tensor *t)
{
    return (size_t)dt_shape_count(&t->shape) * dt_dtype_size(t->dtype);
}

/* One tensor of each type with bytes that are never the same, a scalar, and two texts. */
static inline void set_make(dt_tensors *set)
{
    ck_assert_int_eq(dt_tensors_init(set, NULL, NULL), DT_OK);
    unsigned char next = 1;
    for (int d = DT_F32; d <= DT_BOOL; d++) {
        char name[32];
        snprintf(name, sizeof name, "layer%d.0.%s", d % 3, dt_dtype_name((dt_dtype)d));
        ck_assert_int_eq(dt_tensors_add(set, name, (dt_dtype)d, &DT_SHAPE(1, 2, 3), NULL, NULL),
                         DT_OK);
        unsigned char *data = dt_tensors_data(set, set->count - 1);
        for (size_t i = 0; i < 6 * dt_dtype_size((dt_dtype)d); i++)
            data[i] = d == DT_BOOL ? i % 2 : next++;
    }
    const dt_shape scalar = { .rank = 0 };
    ck_assert_int_eq(dt_tensors_add(set, "scalar", DT_F32, &scalar, NULL, NULL), DT_OK);
    *(float *)dt_tensors_data(set, set->count - 1) = 7.5f;
    ck_assert_int_eq(dt_tensors_set_attr(set, "epoch", "12", NULL), DT_OK);
    ck_assert_int_eq(dt_tensors_set_attr(set, "recipe", "model: {name: \"x\"}\n\xc3\xa9", NULL),
                     DT_OK);
}

/* Same names, types, shapes, bytes and texts; the order of tensors only if `ordered`. */
static inline void set_expect_equal(const dt_tensors *a, const dt_tensors *b, bool ordered)
{
    ck_assert_uint_eq(a->count, b->count);
    ck_assert_uint_eq(a->attr_count, b->attr_count);
    for (size_t i = 0; i < a->count; i++) {
        const dt_named_tensor *x = &a->item[i], *y = dt_tensors_find(b, x->name);
        ck_assert_msg(y != NULL, "no '%s'", x->name);
        if (ordered) ck_assert_ptr_eq(y, &b->item[i]);
        ck_assert_int_eq(x->dtype, y->dtype);
        ck_assert(dt_shape_equal(&x->shape, &y->shape));
        ck_assert_mem_eq(x->data, y->data, set_bytes(x));
    }
    for (size_t i = 0; i < a->attr_count; i++) {
        const char *value = dt_tensors_attr(b, a->attr[i].key);
        ck_assert_msg(value != NULL, "no '%s'", a->attr[i].key);
        ck_assert_str_eq(value, a->attr[i].value);
    }
}

#endif
