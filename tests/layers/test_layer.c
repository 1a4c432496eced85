/* The table of layers: rows and operations by name. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/layer.h"

#include <string.h>

#include "tests/support/run.h"

static void count(void *arg, const dt_layer_kind *kind)
{
    dt_layer_kind found;
    ck_assert_msg(dt_layer_find(kind->name, NULL, &found, NULL) == DT_OK, "%s", kind->name);
    ck_assert_ptr_eq(found.opts, kind->opts);
    ck_assert(kind->in_min >= 1 && kind->in_max >= kind->in_min);
    ck_assert((kind->layer == NULL) != (kind->op == NULL));
    ++*(int *)arg;
}

START_TEST(every_layer_is_found_by_its_name)
{
    int n = 0;
    dt_layer_each(count, &n);
    ck_assert_int_gt(n, 25);
}
END_TEST

START_TEST(other_words_are_refused_with_the_nearest)
{
    dt_layer_kind kind;
    dt_error err;
    ck_assert_int_eq(dt_layer_find("hardswish", NULL, &kind, &err), DT_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "did you mean 'hard_swish'?"));
    /* Parts of quantization and of fused graphs are no layers. */
    ck_assert_int_eq(dt_layer_find("conv2d_codes", NULL, &kind, &err), DT_ERR_NOT_FOUND);
    ck_assert_int_eq(dt_layer_find("fold_norm", NULL, &kind, &err), DT_ERR_NOT_FOUND);
    ck_assert_int_eq(dt_layer_find("softmax_ce", NULL, &kind, &err), DT_ERR_NOT_FOUND);
}
END_TEST

DT_TEST_MAIN("layer", every_layer_is_found_by_its_name, other_words_are_refused_with_the_nearest)
