/* What inspect says of a network in YAML. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/inspect/inspect_yaml.h"

#include <string.h>

#include "tests/support/run.h"

typedef struct seen {
    int layers;
    int64_t params;
    char last[DT_SHAPE_TEXT];
} seen;

static void on_layer(void *arg, const dt_inspect_layer_row *row)
{
    seen *s = arg;
    s->layers++;
    s->params += row->params;
    dt_shape_print(&row->shape, s->last);
}

START_TEST(the_zoo_is_read)
{
    seen s = { .layers = 0 };
    dt_error err = { .text = "" };
    ck_assert(dt_inspect_is_yaml("a/b.yml"));
    ck_assert(!dt_inspect_is_yaml("a.yaml/b"));
    ck_assert_msg(dt_inspect_yaml(DT_TEST_ROOT "/zoo/resnet8.yaml", on_layer, &s, NULL, &err) ==
                      DT_OK,
                  "%s", err.text);
    ck_assert_int_eq(s.layers, 28);
    ck_assert_int_eq(s.params, 78666);
    ck_assert_str_eq(s.last, "[1,10]");
    ck_assert_int_eq(dt_inspect_yaml("none.yaml", on_layer, &s, NULL, &err), DT_ERR_NOT_FOUND);
}
END_TEST

DT_TEST_MAIN("inspect_yaml", the_zoo_is_read)
