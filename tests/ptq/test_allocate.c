/* Widths for a budget: against all assignments of small nets, and against published traces of a
 * ResNet-18 (HAWQ-V3, Yao 2021, arXiv:2011.10680), whose best assignments are known. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "ptq/sensitivity.h"
#include "tests/support/run.h"

enum { LAYERS = 19, FRONT = 4096 };

static const dt_ptq_allocator *allocator(const char *name)
{
    return (const dt_ptq_allocator *)(const void *)dt_table_find(&dt_ptq_allocators, name);
}

static const dt_ptq_resource *resource(const char *name)
{
    return (const dt_ptq_resource *)(const void *)dt_table_find(&dt_ptq_resources, name);
}

/* Both operands at the layer's bits. */
static int64_t square_cost(const dt_ptq_mixed_layer *l, int bits)
{
    return l->macs * bits * bits;
}
static const dt_ptq_resource square = { .cost = square_cost, .unit = "bops", .per_unit = 1 };

static const double trace[LAYERS] = { 6857826, 3162379, 3298575, 1205663, 2222431, 596336, 6931772,
                                      807129,  372905,  530698,  209011,  737569,  210454, 151197,
                                      158041,  78146,   451841,  98745,   72944 };
static const double d8[LAYERS] = { 235, 125, 102, 82,  145, 344,  23,  287, 148, 333,
                                   682, 27,  448, 336, 576, 1130, 102, 947, 532 };
static const double d4[LAYERS] = { 67430,  39691,  33281,  26796,  47277, 105966, 6827,
                                   90942,  48857,  107599, 217546, 8603,  145324, 109651,
                                   187706, 364044, 31572,  296994, 174016 };

typedef struct resnet18 {
    dt_ptq_mixed_layer layer[LAYERS];
    int first[LAYERS]; /* of the layers that a group joins */
    dt_ptq_mixed m;
} resnet18;

static void add(resnet18 *r, int64_t in, int64_t out, int64_t kernel, int64_t side)
{
    int i = r->m.count;
    dt_ptq_mixed_layer *l = &r->layer[r->m.count++];
    *l = (dt_ptq_mixed_layer){ .weights = in * out * kernel * kernel, .chosen = -1 };
    l->macs = l->weights * side * side;
    l->damage[0] = trace[i] * 1e-8 * d4[i] * 1e-4;
    l->damage[1] = trace[i] * 1e-8 * d8[i] * 1e-4;
}

/* A convolution and the one on the skip branch beside it have one width. */
static void join(resnet18 *r, int a, int b)
{
    r->layer[a].weights += r->layer[b].weights;
    r->layer[a].macs += r->layer[b].macs;
    for (int k = 0; k < 2; k++)
        r->layer[a].damage[k] += r->layer[b].damage[k];
    r->layer[b] = (dt_ptq_mixed_layer){ .fixed = true };
}

static void open_resnet18(resnet18 *r)
{
    *r = (resnet18){ .m = { .widths = 2, .width = { 4, 8 } } };
    r->m.layer = r->layer;
    for (int i = 0; i < 4; i++)
        add(r, 64, 64, 3, 56);
    for (int stage = 0; stage < 3; stage++) {
        int64_t in = 64 << stage, out = 2 * in, side = 28 >> stage;
        add(r, in, out, 3, side);
        add(r, out, out, 3, side);
        add(r, in, out, 1, side);
        add(r, out, out, 3, side);
        add(r, out, out, 3, side);
    }
    ck_assert_int_eq(r->m.count, LAYERS);
    join(r, 4, 6);
    join(r, 9, 11);
    join(r, 14, 16);
}

static int64_t at_all(const resnet18 *r, const dt_ptq_resource *of, int choice)
{
    int chosen[LAYERS];
    for (int i = 0; i < LAYERS; i++)
        chosen[i] = choice;
    return dt_ptq_cost(&r->m, of, chosen);
}

/* Which layers have 8 bits, as a set of bits, at half way between all at 4 and all at 8. */
static unsigned choose(const char *name, const dt_ptq_resource *of, double *out_damage)
{
    resnet18 r;
    dt_error err = { .status = DT_OK };
    unsigned eight = 0;
    open_resnet18(&r);
    int64_t budget = (at_all(&r, of, 0) + at_all(&r, of, 1)) / 2;
    ck_assert_msg(allocator(name)->choose(&r.m, of, budget, NULL, 0, NULL, &err) == DT_OK, "%s",
                  err.text);
    ck_assert(dt_ptq_cost(&r.m, of, NULL) <= budget);
    for (int i = 0; i < LAYERS; i++)
        if (!r.layer[i].fixed && r.layer[i].chosen == 1) eight |= 1u << i;
    *out_damage = dt_ptq_damage(&r.m, NULL);
    return eight;
}

static unsigned set_of(const int *list, int n)
{
    unsigned set = 0;
    for (int i = 0; i < n; i++)
        set |= 1u << list[i];
    return set;
}

START_TEST(the_best_of_a_published_net)
{
    /* Without 6, 11 and 16, which go with 4, 9 and 14. */
    static const int bytes[] = { 0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 14 };
    static const int bops[] = { 0, 1, 2, 4, 5, 7, 9, 10 };
    double damage;
    int chosen[LAYERS] = { 0 };
    resnet18 r;
    open_resnet18(&r);
    ck_assert_double_eq_tol(dt_ptq_damage(&r.m, chosen), 1.307713, 1e-5);
    for (int i = 0; i < LAYERS; i++)
        chosen[i] = 1;
    ck_assert_double_eq_tol(dt_ptq_damage(&r.m, chosen), .004257874, 1e-8);
    ck_assert_uint_eq(choose("pareto", resource("bytes"), &damage), set_of(bytes, 13));
    ck_assert_double_eq_tol(damage, .074505930, 1e-8);
    ck_assert_uint_eq(choose("pareto", &square, &damage), set_of(bops, 8));
    ck_assert_double_eq_tol(damage, .215689323, 1e-8);
    choose("greedy", &square, &damage);
    ck_assert_double_eq_tol(damage, .217222636, 1e-8);
}
END_TEST

enum { SMALL = 6, WIDTHS = 3 };

static void random_net(dt_rng *rng, dt_ptq_mixed *m, dt_ptq_mixed_layer *layer)
{
    *m = (dt_ptq_mixed){ .count = SMALL, .widths = WIDTHS, .width = { 2, 4, 8 }, .layer = layer };
    for (int i = 0; i < SMALL; i++) {
        double at = 1 + 10 * dt_rng_uniform(rng);
        layer[i] = (dt_ptq_mixed_layer){ .weights = 1 + dt_rng_below(rng, 500), .chosen = -1 };
        layer[i].fixed = i == 2;
        for (int k = 0; k < WIDTHS; k++, at *= 0.1 + 0.5 * dt_rng_uniform(rng))
            layer[i].damage[k] = at;
    }
}

/* The front and its end are those of all assignments, budget by budget. */
START_TEST(pareto_is_exact)
{
    dt_rng rng;
    dt_rng_open(&rng, 7, DT_RNG_TEST, 0, 0);
    for (int n = 0; n < 30; n++) {
        dt_ptq_mixed m;
        dt_ptq_mixed_layer layer[SMALL];
        dt_ptq_point front[FRONT];
        int points;
        random_net(&rng, &m, layer);
        const dt_ptq_resource *bits = resource("bits");
        int64_t all = 1, budget = 3000 + dt_rng_below(&rng, 12000);
        for (int i = 0; i < SMALL; i++)
            all *= WIDTHS;
        dt_status st = allocator("pareto")->choose(&m, bits, budget, front, FRONT, &points, NULL);
        double best = INFINITY;
        for (int64_t a = 0; a < all; a++) {
            int chosen[SMALL];
            int64_t rest = a;
            for (int i = 0; i < SMALL; i++, rest /= WIDTHS)
                chosen[i] = (int)(rest % WIDTHS);
            if (dt_ptq_cost(&m, bits, chosen) > budget) continue;
            best = fmin(best, dt_ptq_damage(&m, chosen));
            /* Some point of the front is no worse in both. */
            bool met = false;
            for (int p = 0; p < points && !met; p++)
                met = front[p].cost <= dt_ptq_cost(&m, bits, chosen) &&
                      front[p].damage <= dt_ptq_damage(&m, chosen) + 1e-12;
            ck_assert(met);
        }
        ck_assert_int_eq(st == DT_OK, isfinite(best));
        if (st != DT_OK) continue;
        ck_assert_double_eq_tol(dt_ptq_damage(&m, NULL), best, 1e-12);
        ck_assert_int_le(dt_ptq_cost(&m, bits, NULL), budget);
        ck_assert_int_eq(layer[2].chosen, -1);
        for (int p = 1; p < points; p++)
            ck_assert(front[p].cost > front[p - 1].cost && front[p].damage < front[p - 1].damage);
        double exact = dt_ptq_damage(&m, NULL);
        ck_assert_int_eq(allocator("greedy")->choose(&m, bits, budget, NULL, 0, NULL, NULL), DT_OK);
        ck_assert(dt_ptq_damage(&m, NULL) >= exact - 1e-12);
        ck_assert_int_le(dt_ptq_cost(&m, bits, NULL), budget);
    }
}
END_TEST

/* Three layers at two widths, pair terms between the harms of the lower one (T22 of CLADO's
 * matrix): alone 0 and 2 are the best to lower, together 0 and 1 are. */
START_TEST(swaps_see_pairs)
{
    static const double alone[3] = { .10, .12, .09 },
                        both[3][3] = { { 0, -.08, .02 }, { -.08, 0, .05 }, { .02, .05, 0 } };
    double pair[36] = { 0 };
    dt_ptq_mixed_layer layer[3];
    dt_ptq_mixed m = { .count = 3, .widths = 2, .width = { 4, 8 }, .layer = layer, .pair = pair };
    for (int i = 0; i < 3; i++) {
        layer[i] = (dt_ptq_mixed_layer){ .weights = 100, .chosen = -1, .damage = { alone[i], 0 } };
        for (int j = 0; j < 3; j++)
            pair[(2 * i) * 6 + 2 * j] = both[i][j];
    }
    const int64_t budget = 100 * (4 + 4 + 8);
    ck_assert_int_eq(allocator("pareto")->choose(&m, resource("bits"), budget, NULL, 0, NULL, NULL),
                     DT_OK);
    ck_assert_double_eq_tol(dt_ptq_damage(&m, NULL), .21, 1e-12);
    ck_assert_int_eq(allocator("swap")->choose(&m, resource("bits"), budget, NULL, 0, NULL, NULL),
                     DT_OK);
    ck_assert_double_eq_tol(dt_ptq_damage(&m, NULL), .14, 1e-12);
    ck_assert(layer[0].chosen == 0 && layer[1].chosen == 0 && layer[2].chosen == 1);
}
END_TEST

/* With pairs: never worse than the front of what layers do alone, within the budget, and a local
 * optimum. The best of all is told by exhaustive search, which it mostly is. */
START_TEST(swaps_against_all_assignments)
{
    dt_rng rng;
    int best_found = 0;
    enum { NETS = 30 };
    dt_rng_open(&rng, 8, DT_RNG_TEST, 0, 0);
    for (int n = 0; n < NETS; n++) {
        dt_ptq_mixed m;
        dt_ptq_mixed_layer layer[SMALL];
        double pair[SMALL * WIDTHS * SMALL * WIDTHS] = { 0 };
        random_net(&rng, &m, layer);
        m.pair = pair;
        for (int a = 0; a < SMALL * WIDTHS; a++)
            for (int b = 0; b < a - a % WIDTHS; b++)
                pair[a * SMALL * WIDTHS + b] = pair[b * SMALL * WIDTHS + a] =
                    4 * dt_rng_uniform(&rng) - 2;
        const dt_ptq_resource *bits = resource("bits");
        int64_t all = 1, budget = 8000 + dt_rng_below(&rng, 6000);
        for (int i = 0; i < SMALL; i++)
            all *= WIDTHS;
        if (allocator("pareto")->choose(&m, bits, budget, NULL, 0, NULL, NULL) != DT_OK) continue;
        double front = dt_ptq_damage(&m, NULL), best = INFINITY;
        ck_assert_int_eq(allocator("swap")->choose(&m, bits, budget, NULL, 0, NULL, NULL), DT_OK);
        double found = dt_ptq_damage(&m, NULL);
        ck_assert(found <= front && dt_ptq_cost(&m, bits, NULL) <= budget);
        for (int64_t a = 0; a < all; a++) {
            int chosen[SMALL];
            int64_t rest = a;
            for (int i = 0; i < SMALL; i++, rest /= WIDTHS)
                chosen[i] = (int)(rest % WIDTHS);
            if (dt_ptq_cost(&m, bits, chosen) <= budget)
                best = fmin(best, dt_ptq_damage(&m, chosen));
        }
        ck_assert(found >= best - 1e-12);
        best_found += found <= best + 1e-12;
    }
    ck_assert_int_gt(best_found, NETS / 2);
}
END_TEST

/* Times of a table are what widths cost; bad tables name their line or what is missing. */
START_TEST(latency_is_that_of_the_table)
{
    static const char good[] = "layer,weight bits,input bits,microseconds\n"
                               "a,4,8,1.5\na,8,8,3\nb,4,8,10\r\nb,8,8,11.25\nb,8,4,1\nc,8,8,2";
    static const struct {
        const char *text, *said;
    } bad[] = {
        { "a,4,8,1\na,8\n", "line 2" },
        { "a,4,8,1\na,4,8,2\n", "a second time for 'a' at 4 and 8 bits" },
        { "a,4,8,-1\n", "are not in 0..1e9" },
        { "a,4,8,nan\n", "are not in 0..1e9" },
        { "a,4,8,1\na,8,8,2\nb,4,8,1\n", "has no time of 'b' with weights of 8 and inputs of 8" },
        { "", "has no time of 'a'" },
        { "a,4,8,1\n,,,\n", "line 2" },
        { "a,4,8,1\na,8,8,1 x\n", "line 2" },
    };
    dt_ptq_mixed_layer layer[3] = { { .name = "a", .x_bits = 8, .weights = 1 },
                                    { .name = "b", .x_bits = 8, .weights = 1 },
                                    { .name = "c", .x_bits = 8, .fixed = true } };
    dt_ptq_mixed m = { .count = 3, .widths = 2, .width = { 4, 8 }, .layer = layer };
    dt_error err = { .status = DT_OK };
    ck_assert_msg(dt_ptq_latency_parse("t.csv", good, &m, &err) == DT_OK, "%s", err.text);
    ck_assert_int_eq(dt_ptq_cost(&m, resource("latency"), (int[]){ 1, 0, 0 }), 3000 + 10000);
    ck_assert_int_eq(dt_ptq_cost(&m, resource("latency"), (int[]){ 0, 1, 0 }), 1500 + 11250);
    for (size_t i = 0; i < DT_ARRAY_LEN(bad); i++) {
        ck_assert_int_ne(dt_ptq_latency_parse("t.csv", bad[i].text, &m, &err), DT_OK);
        ck_assert_msg(strstr(err.text, bad[i].said) && strstr(err.text, "t.csv"), "%s", err.text);
    }
}
END_TEST

START_TEST(impossible_budgets_are_told)
{
    resnet18 r;
    dt_error err = { .status = DT_OK };
    open_resnet18(&r);
    for (const dt_row *const *row = dt_ptq_allocators.rows; *row; row++) {
        ck_assert_int_eq(
            allocator((*row)->name)->choose(&r.m, resource("bytes"), 1000, NULL, 0, NULL, &err),
            DT_ERR_RANGE);
        ck_assert_msg(strstr(err.text, "1000 bytes is below the least possible, 5.57"), "%s",
                      err.text);
    }
}
END_TEST

DT_TEST_MAIN("allocate", the_best_of_a_published_net, pareto_is_exact, swaps_see_pairs,
             swaps_against_all_assignments, latency_is_that_of_the_table,
             impossible_budgets_are_told)
