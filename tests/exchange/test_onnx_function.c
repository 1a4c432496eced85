/* Functions as ONNX operators: what programs give, and which make no sense. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/onnx_walker.h"

#include "core/opt.h"
#include "tests/support/run.h"

typedef struct conf {
    double alpha;
    int width;
} conf;
static const dt_opt opts[] = {
    DT_OPT_FLOAT(conf, alpha, 2, 0, 9, "for tests"),
    DT_OPT_INT(conf, width, 1, 1, 9, "for tests"),
    DT_OPT_END,
};

START_TEST(programs)
{
    static const struct {
        const char *text;
        int nodes; /* 0: refused */
    } cases[] = {
        { "x Sigmoid", 1 },
        { "x x Sigmoid Mul", 2 },
        { "x 3 Add 0 6 Clip", 2 },
        { "x Elu:alpha", 1 },
        { "x alpha Mul", 1 },
        { "x x Softplus Tanh Mul", 3 },
        { "", 0 },
        { "x", 0 },
        { "Mul", 0 },
        { "x Mul", 0 },
        { "x beta Mul", 0 },
        { "x Elu:width", 0 },
        { "x x Sigmoid", 0 },
        { "x x x x x Mul", 0 },
        { "x 1 Clip", 0 },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        const dt_op op = { .name = "test", .onnx = cases[i].text, .opts = opts };
        const conf c = { 2, 1 };
        dt_onnx *m = dt_onnx_new(NULL);
        dt_export_report r = { 0 };
        const char *y = dt_onnx_function(m, "node", &op, &c, "in", "out");
        ck_assert_msg((y != NULL) == (cases[i].nodes > 0), "'%s'", cases[i].text);
        dt_onnx_describe(m, &r);
        int nodes = 0;
        for (size_t k = 0; k < (size_t)r.part_count; k++)
            nodes += r.part[k].count;
        ck_assert_msg(!y || nodes == cases[i].nodes, "'%s': %d nodes", cases[i].text, nodes);
        dt_onnx_free(m);
    }
}
END_TEST

/* Every operation that names operators names some that make sense. */
START_TEST(programs_of_operations)
{
    int count = 0;
    for (const dt_op *const *op = dt_ops; *op; op++) {
        if (!(*op)->onnx && !(*op)->onnx_of) continue;
        for (const dt_op_example *e = (*op)->examples; e->in_count; e++) {
            dt_onnx *m = dt_onnx_new(NULL);
            ck_assert_msg(dt_onnx_function(m, "node", *op, e->conf, "in", "out"), "%s",
                          (*op)->name);
            dt_onnx_free(m);
        }
        count++;
    }
    ck_assert_int_ge(count, 15);
}
END_TEST

DT_TEST_MAIN("onnx_function", programs, programs_of_operations)
