/* Functions that a file defines, If and Loop: what is refused, and that few bytes take little. Nets
 * with such nodes are in onnx_nets.py. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_functions.h"

#include "tests/exchange/onnx_make.h"
#include "tests/exchange/wire_make.h"

/* A node of one input and one output. */
static wire node(const char *op, const char *in, const char *out, const char *domain)
{
    wire w = { .size = 0 };
    wire_text(&w, 1, in);
    wire_text(&w, 2, out);
    wire_text(&w, 4, op);
    if (*domain) wire_text(&w, 7, domain);
    return w;
}

/* A picture [1,3,8,8], or rows [1,192]. */
static wire port(const char *name, bool picture)
{
    static const int size[] = { 1, 3, 8, 8 };
    wire shape = { .size = 0 }, tensor = shape, type = shape, w = shape;
    for (int i = 0; i < (picture ? 4 : 2); i++) {
        wire dim = { .size = 0 };
        wire_int(&dim, 1, picture ? size[i] : i ? 192 : 1);
        wire_inside(&shape, 1, &dim);
    }
    wire_int(&tensor, 1, 1);
    wire_inside(&tensor, 2, &shape);
    wire_inside(&type, 1, &tensor);
    wire_text(&w, 1, name);
    wire_inside(&w, 2, &type);
    return w;
}

static wire opset(int version)
{
    wire w = { .size = 0 };
    wire_text(&w, 1, "");
    wire_int(&w, 2, (uint64_t)version);
    return w;
}

/* Function "name" of input a and output b: `calls` nodes of `op`, one behind the other. */
static wire function(const char *name, const char *op, int calls, int version)
{
    const char *domain = strcmp(op, "Relu") == 0 ? "" : "own";
    wire w = { .size = 0 }, set = opset(version);
    char from[16] = "a", to[16];
    wire_text(&w, 1, name);
    wire_text(&w, 4, "a");
    wire_text(&w, 5, "b");
    for (int i = 0; i < calls; i++) {
        snprintf(to, sizeof to, i + 1 == calls ? "b" : "t%d", i);
        wire n = node(op, from, to, domain);
        wire_inside(&w, 7, &n);
        strcpy(from, to);
    }
    wire_inside(&w, 9, &set);
    wire_text(&w, 10, "own");
    return w;
}

/* A file in which `middle` makes z [1,3,8,8] of x, and y are its rows. */
static wire model(const wire *middle, int count, const wire *functions, int function_count)
{
    wire graph = { .size = 0 }, w = graph, in = port("x", true), out = port("y", false),
         set = opset(17), flat = node("Flatten", "z", "y", "");
    for (int i = 0; i < count; i++)
        wire_inside(&graph, 1, &middle[i]);
    wire_inside(&graph, 1, &flat);
    wire_inside(&graph, 11, &in);
    wire_inside(&graph, 12, &out);
    wire_inside(&w, 7, &graph);
    wire_inside(&w, 8, &set);
    for (int i = 0; i < function_count; i++)
        wire_inside(&w, 25, &functions[i]);
    return w;
}

static void expect(const wire *file, const char *words, const char *op, int count)
{
    made t;
    dt_error err = { .text = "" };
    dt_status st = made_open(&t, file->byte, file->size, &err);
    if (words)
        ck_assert_msg(st != DT_OK && strstr(err.text, words), "'%s' has no '%s'", err.text, words);
    else
        ck_assert_msg(st == DT_OK, "%s", err.text);
    if (!words) ck_assert_int_eq(made_count(&t, op), count);
    made_close(&t);
}

START_TEST(functions_are_their_nodes)
{
    wire f[] = { function("twice", "once", 2, 17), function("once", "Relu", 1, 17) };
    wire n = node("twice", "x", "z", "own"), file = model(&n, 1, f, 2);
    expect(&file, NULL, "relu", 2);
    n = node("twice", "x", "z", "others");
    file = model(&n, 1, f, 2);
    expect(&file, "there is no form for this operator of the domain others", "", 0);
}
END_TEST

START_TEST(an_output_that_is_an_input_is_passed_on)
{
    wire f = { .size = 0 }, n = node("same", "x", "z", "own");
    wire_text(&f, 1, "same");
    wire_text(&f, 4, "a");
    wire_text(&f, 5, "a");
    wire_text(&f, 10, "own");
    wire file = model(&n, 1, &f, 1);
    expect(&file, NULL, "relu", 0);
    wire_text(&n, 1, "x");
    file = model(&n, 1, &f, 1);
    expect(&file, "more inputs or outputs than the function", "", 0);
}
END_TEST

START_TEST(functions_of_other_opsets_and_in_themselves_are_refused)
{
    wire f = function("f", "Relu", 1, 13), n = node("f", "x", "z", "own");
    wire file = model(&n, 1, &f, 1);
    expect(&file, "of another opset", "", 0);
    f = function("f", "f", 1, 17);
    file = model(&n, 1, &f, 1);
    expect(&file, "f: is a function in 16 others", "", 0);
}
END_TEST

START_TEST(a_few_bytes_are_no_million_nodes)
{
    static const char *const name[] = { "f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7" };
    wire f[8], n = node("f7", "x", "z", "own");
    for (int i = 0; i < 8; i++)
        f[i] = function(name[i], i ? name[i - 1] : "Relu", 12, 17);
    wire file = model(&n, 1, f, 8);
    expect(&file, "calls functions more often than is read", "", 0);
}
END_TEST

/* A graph [inputs] of nodes, as the attribute `name`. */
static wire body(const char *name, const char *const *in, const char *const *out, const wire *nodes,
                 int count)
{
    wire graph = { .size = 0 }, w = graph;
    for (int i = 0; i < count; i++)
        wire_inside(&graph, 1, &nodes[i]);
    for (; in && *in; in++) {
        wire p = { .size = 0 };
        wire_text(&p, 1, *in);
        wire_inside(&graph, 11, &p);
    }
    for (; *out; out++) {
        wire p = { .size = 0 };
        wire_text(&p, 1, *out);
        wire_inside(&graph, 12, &p);
    }
    wire_text(&w, 1, name);
    wire_inside(&w, 6, &graph);
    wire_int(&w, 20, 5);
    return w;
}

START_TEST(conditions_have_to_be_constant)
{
    const char *const out[] = { "r", NULL };
    wire relu = node("Relu", "x", "r", ""), n = node("If", "x", "z", "");
    wire then = body("then_branch", NULL, out, &relu, 1),
         other = body("else_branch", NULL, out, &relu, 1);
    wire_inside(&n, 5, &then);
    wire_inside(&n, 5, &other);
    wire file = model(&n, 1, NULL, 0);
    expect(&file, "its condition is computed", "", 0);
    n = node("Relu", "x", "z", "");
    wire_inside(&n, 5, &then);
    file = model(&n, 1, NULL, 0);
    expect(&file, "attributes that are not read", "", 0);
}
END_TEST

START_TEST(loops_that_never_end_are_refused)
{
    const char *const in[] = { "i", "go", "s", NULL }, *const out[] = { "go", "t", NULL };
    wire relu = node("Relu", "s", "t", ""), n = node("Loop", "", "z", "");
    wire turns = body("body", in, out, &relu, 1);
    wire_text(&n, 1, "");
    wire_text(&n, 1, "x");
    wire_inside(&n, 5, &turns);
    wire file = model(&n, 1, NULL, 0);
    expect(&file, "more than 65536 nodes", "", 0);
}
END_TEST

START_TEST(graphs_deep_in_each_other_are_refused)
{
    const char *const out[] = { "z", NULL };
    wire n = node("Relu", "x", "z", "");
    for (int i = 0; i < 17; i++) {
        wire then = body("then_branch", NULL, out, &n, 1);
        n = node("If", "x", "z", "");
        wire_inside(&n, 5, &then);
    }
    wire file = model(&n, 1, NULL, 0);
    expect(&file, "deeper than 16", "", 0);
}
END_TEST

DT_TEST_MAIN("onnx_functions", functions_are_their_nodes, an_output_that_is_an_input_is_passed_on,
             functions_of_other_opsets_and_in_themselves_are_refused,
             a_few_bytes_are_no_million_nodes, conditions_have_to_be_constant,
             loops_that_never_end_are_refused, graphs_deep_in_each_other_are_refused)
