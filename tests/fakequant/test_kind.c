/* What files say of a site, and what of it must agree. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fakequant/kind.h"

#include <string.h>

#include "tests/support/nets.h"

#define NET(weights, activations)                                                                  \
    "{model: {name: smallcnn}, data: {name: builtin}, quant: {placement: paper, weights: "         \
    "{method: " weights "}, activations: {method: " activations "}, first: {weights: 8, "          \
    "activations: 8}}}"
#define LSQ NET("lsq, bits: 4", "lsq, bits: 4")

/* How many sites of `to` are what `from` says of them; `converted` for all. */
static int fitting(const char *from, const char *to, bool converted, int *out_sites)
{
    test_net a, b;
    dt_tensors set;
    char why[512];
    int fits = 0;
    test_net_open(&a, from, false);
    test_net_open(&b, to, false);
    ck_assert_int_eq(dt_tensors_init(&set, NULL, NULL), DT_OK);
    ck_assert(!dt_kind_is_told(&set));
    ck_assert_int_eq(dt_kind_tell(&a.net.graph, &set, NULL), DT_OK);
    ck_assert(dt_kind_is_told(&set));
    *out_sites = 0;
    for (int i = 0; i < b.net.graph.node_count; i++) {
        const dt_node *n = &b.net.graph.node[i];
        if (!n->op->quantizes || n->in_count < 2) continue;
        ++*out_sites;
        bool same = dt_kind_fits(n, &set, converted, why, sizeof why);
        ck_assert_msg(same || strstr(why, " there; ") != NULL, "%s", why);
        fits += same;
    }
    dt_tensors_fini(&set);
    test_net_close(&a);
    test_net_close(&b);
    return fits;
}

START_TEST(what_a_scale_belongs_to)
{
    static const struct {
        const char *to;
        int fits; /* of 12 sites; -1: all; those of the first and last layer are of 8 bits
                     everywhere */
    } cases[] = {
        { LSQ, -1 },
        { NET("lsq, bits: 4, init: mse, grad_scale: none", "lsq, bits: 4, ste: ewgs"), -1 },
        { NET("lsq, bits: 8", "lsq, bits: 8"), 4 },
        { NET("lsq, bits: 4, granularity: channel", "lsq, bits: 4"), 6 },
        { NET("lsq, bits: 4, narrow: yes", "lsq, bits: 4"), 8 },
        { NET("lsqplus, bits: 4", "lsqplus, bits: 4"), 0 },
    };
    int sites;
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        int fits = fitting(LSQ, cases[i].to, false, &sites);
        ck_assert_msg(fits == (cases[i].fits < 0 ? sites : cases[i].fits), "case %zu: %d of %d", i,
                      fits, sites);
    }
    /* an offset, and levels that are looked up */
    ck_assert_int_lt(fitting(NET("lsq, bits: 4", "lsqplus, bits: 4, config: signed"),
                             NET("lsq, bits: 4", "lsqplus, bits: 4, config: signed_offset"), false,
                             &sites),
                     sites);
}
END_TEST

START_TEST(forms_are_read_at_the_same_bits)
{
    int sites;
    int same = fitting(NET("lsq, bits: 4", "asymmetric, bits: 4"),
                       NET("lsq, bits: 4", "lsqplus, bits: 4"), true, &sites);
    ck_assert_int_eq(same, sites);
    ck_assert_int_lt(fitting(NET("lsq, bits: 4", "asymmetric, bits: 6"),
                             NET("lsq, bits: 4", "lsqplus, bits: 4"), true, &sites),
                     sites);
}
END_TEST

/* A net whose quantizers have no parameters says what they are, too: it counts as quantized. */
START_TEST(quantizers_without_parameters_are_told)
{
    int sites;
    static const char dorefa[] =
        "{model: {name: smallcnn}, data: {name: builtin}, quant: {placement: paper, weights: "
        "{method: dorefa, bits: 4}, activations: {method: dorefa, bits: 4}, first: none, last: "
        "none}}";
    ck_assert_int_eq(fitting(dorefa, dorefa, false, &sites), 0);
    ck_assert_int_eq(sites, 0);
}
END_TEST

DT_TEST_MAIN("kind", what_a_scale_belongs_to, quantizers_without_parameters_are_told,
             forms_are_read_at_the_same_bits)
