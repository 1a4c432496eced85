/* A file of 5,000 nodes is a graph within 2 seconds of a processor, with names of their own and
 * with one name for all: nothing in the reader looks at every node for each. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "tests/exchange/onnx_make.h"

enum { NODES = 5000, SECONDS = 2 };

/* Units of 1x1 convolution, Relu, sum and a Reshape that changes nothing, behind each other. */
static dt_onnx *deep(void)
{
    dt_onnx *m = make_open();
    char from[32] = "x", to[4][32];
    static const int64_t same[] = { 0, 3, 8, 8 };
    make_wholes(m, "same", 4, same);
    for (int i = 0; i < NODES / 4; i++) {
        char weight[32];
        snprintf(weight, sizeof weight, "w%d", i);
        make_reals(m, weight, DT_SHAPE(3, 3, 1, 1));
        for (int k = 0; k < 4; k++)
            snprintf(to[k], sizeof to[k], "v%d_%d", i, k);
        make_node(m, "Conv", to[0], NULL, from, weight, NULL, NULL);
        make_node(m, "Relu", to[1], NULL, to[0], NULL, NULL, NULL);
        make_node(m, "Add", to[2], NULL, from, to[1], NULL, NULL);
        make_node(m, "Reshape", to[3], NULL, to[2], "same", NULL, NULL);
        strcpy(from, to[3]);
    }
    make_node(m, "Flatten", "y", NULL, from, NULL, NULL, NULL);
    return m;
}

START_TEST(five_thousand_nodes_are_a_graph_in_two_seconds)
{
    made t;
    size_t size;
    dt_error err = { .text = "" };
    unsigned char *bytes = make_close(deep(), 192, &size);
    clock_t before = clock();
    ck_assert_msg(made_open(&t, bytes, size, &err) == DT_OK, "%s", err.text);
    double seconds = (double)(clock() - before) / CLOCKS_PER_SEC;
    ck_assert_int_eq(made_count(&t, "conv2d"), NODES / 4);
    ck_assert_int_eq(made_count(&t, "add"), NODES / 4);
    ck_assert_msg(seconds < SECONDS, "%.2f seconds", seconds);
    made_close(&t);
    dt_put(NULL, bytes);
}
END_TEST

DT_TEST_MAIN("onnx_large", five_thousand_nodes_are_a_graph_in_two_seconds)
