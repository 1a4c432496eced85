/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/section.h"

#include <string.h>

#include "tests/support/run.h"

static const char *const document = "a: 1\nm: {x: 2}\nl: [p, {q: 3}]\n";

/* The document after one override, or the message. */
static void after(const char *override, const char *want)
{
    dt_arena *arena = dt_arena_new(NULL, "test");
    dt_yaml_node *root;
    dt_error err;
    char *text = NULL;
    ck_assert_int_eq(dt_yaml_parse(arena, "r", document, strlen(document), &root, NULL), DT_OK);
    if (dt_override_apply(arena, root, override, &err) == DT_OK) {
        ck_assert_int_eq(dt_yaml_print(NULL, root, NULL, &text, NULL), DT_OK);
        ck_assert_str_eq(text, want);
        dt_put(NULL, text);
    } else {
        ck_assert_str_eq(err.text, want);
    }
    dt_arena_free(arena);
}

START_TEST(changes)
{
    after("a=5", "a: 5\nm:\n  x: 2\nl:\n- p\n- q: 3\n");
    after("m.x=[1, 2]", "a: 1\nm:\n  x: [1, 2]\nl:\n- p\n- q: 3\n");
    after("m={}", "a: 1\nm: {}\nl:\n- p\n- q: 3\n");
    after("l=[]", "a: 1\nm:\n  x: 2\nl: []\n");
    after("l.1.q=w", "a: 1\nm:\n  x: 2\nl:\n- p\n- q: w\n");
    after("l.0=z", "a: 1\nm:\n  x: 2\nl:\n- z\n- q: 3\n");
    after("l.2.n=1", "a: 1\nm:\n  x: 2\nl:\n- p\n- q: 3\n- n: 1\n");
    after("l.2=end", "a: 1\nm:\n  x: 2\nl:\n- p\n- q: 3\n- end\n");
    after("new.deep.key=v=w", "a: 1\nm:\n  x: 2\nl:\n- p\n- q: 3\nnew:\n  deep:\n    key: v=w\n");
    after("a=", "a: ''\nm:\n  x: 2\nl:\n- p\n- q: 3\n");
}
END_TEST

START_TEST(refusals)
{
    after("lr", "command line: 'lr' is not of the form key.path=value");
    after("=1", "command line: '=1' is not of the form key.path=value");
    after("a..b=1", "command line: a..b: is no dotted key");
    after("m..b=1", "command line: m..b: is no dotted key");
    after("m.=1", "command line: m.: is no dotted key");
    after("a.b=1", "command line: a.b: 'a' is a single value; override it as a whole");
    after("l.x=1", "command line: l.x: 'l' is a list; 'x' is no number");
    after("l.3=1", "command line: l.3: 'l' has 2 elements; 3 is outside 0..2");
    after(
        "l.99999999999999999999=1",
        "command line: l.99999999999999999999: 'l' is a list; '99999999999999999999' is no number");
    after(
        "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.A.B.C.D.E.F.G.H=1",
        "command line: a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.A.B.C.D.E.F.G.H: 'a' is "
        "a single value; override it as a whole");
    after(
        "n.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.A.B.C.D.E.F.G.H=1",
        "command line: n.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.A.B.C.D.E.F.G.H: is no "
        "dotted key");
}
END_TEST

/* Which keys are texts is not known yet: a value that is no YAML stays, with the reason. */
START_TEST(values_as_they_stand)
{
    static const char *const values[][3] = {
        { "a #2", "a", NULL },
        { "'q'", "q", NULL },
        { "", "", NULL },
        { "*x", "*x", "YAML aliases are refused; put a text that starts with * in quotes" },
        { "[1", "[1", "no YAML: did not find expected ',' or ']', while parsing a flow sequence" },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(values); i++) {
        dt_arena *arena = dt_arena_new(NULL, "test");
        dt_yaml_node *root;
        char text[64];
        snprintf(text, sizeof text, "m.x=%s", values[i][0]);
        ck_assert_int_eq(dt_yaml_parse(arena, "r", document, strlen(document), &root, NULL), DT_OK);
        ck_assert_int_eq(dt_override_apply(arena, root, text, NULL), DT_OK);
        const dt_yaml_node *x = dt_yaml_find(dt_yaml_find(root, "m"), "x");
        ck_assert_str_eq(dt_yaml_text(x), values[i][0]);
        ck_assert_str_eq(x->text, values[i][1]);
        ck_assert_pstr_eq(x->fault, values[i][2]);
        dt_error err;
        dt_status st = dt_node_fail(x, DT_ERR_RANGE, &err, "is odd");
        ck_assert_int_eq(st, values[i][2] ? DT_ERR_FORMAT : DT_ERR_RANGE);
        ck_assert_ptr_nonnull(strstr(err.text, values[i][2] ? values[i][2] : "m.x: is odd"));
        dt_arena_free(arena);
    }
}
END_TEST

START_TEST(place_is_the_command_line)
{
    dt_arena *arena = dt_arena_new(NULL, "test");
    dt_yaml_node *root;
    char path[DT_YAML_PATH];
    ck_assert_int_eq(dt_yaml_parse(arena, "r", document, strlen(document), &root, NULL), DT_OK);
    ck_assert_int_eq(dt_override_apply(arena, root, "n.o={p: 1}", NULL), DT_OK);
    const dt_yaml_node *n = dt_yaml_find(root, "n"), *o = dt_yaml_find(n, "o");
    const dt_yaml_node *p = dt_yaml_find(o, "p");
    ck_assert_str_eq(p->text, "1");
    dt_where where = dt_yaml_where(p, path);
    ck_assert_str_eq(where.file, "command line");
    ck_assert_str_eq(where.key, "n.o.p");
    ck_assert(where.line == 0 && n->line == 0 && root->line == 1);
    dt_arena_free(arena);
}
END_TEST

DT_TEST_MAIN("override", changes, refusals, values_as_they_stand, place_is_the_command_line)
