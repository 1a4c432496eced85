/* Every row of the quantizer table, in every configuration that it lists, at every width, for
 * weights and both kinds of activation; without what the row refuses. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_SUPPORT_QUANT_ROWS_H
#define DT_TESTS_SUPPORT_QUANT_ROWS_H

#include <stdio.h>
#include <string.h>

#include "core/compiler.h"
#include "fakequant/quantizers.h"
#include "tests/support/run.h"

enum { QUANT_OPTIONS = 1024 };

/* Conditions that the loop under way has looked at. */
static long quant_rows_checked __attribute__((unused));

/* For loops over values: Check writes a message to a file at every assertion that it evaluates. */
#define QUANT_HOLDS(condition, ...)                                                                \
    do {                                                                                           \
        quant_rows_checked++;                                                                      \
        if (!(condition)) ck_abort_msg(__VA_ARGS__);                                               \
    } while (0)

typedef struct quant_setup {
    const dt_quantizer *q;
    const dt_quant_case *claims;
    _Alignas(16) unsigned char options[QUANT_OPTIONS];
    dt_quant_site site; /* bits, is_signed, weight */
    char name[160];
} quant_setup;

/* "key=value key=value" over the defaults. */
static inline void quant_read_options(const dt_quantizer *q, const char *text, void *conf)
{
    char copy[256], *rest = copy, *word;
    dt_error err;
    ck_assert_uint_le(q->row.conf_size, QUANT_OPTIONS);
    dt_opt_defaults(q->row.opts, conf);
    snprintf(copy, sizeof copy, "%s", text);
    while ((word = strtok_r(rest, " ", &rest))) {
        char *value = strchr(word, '=');
        ck_assert_msg(value != NULL, "%s: '%s' is no key=value", q->row.name, word);
        *value++ = '\0';
        const dt_opt *opt = dt_opt_find(q->row.opts, word);
        ck_assert_msg(opt != NULL, "%s has no option '%s'", q->row.name, word);
        ck_assert_msg(dt_opt_set(opt, conf, value, NULL, &err) == DT_OK, "%s", err.text);
    }
}

/* An option that is a factor of parameter gradients, not part of a derivative, is turned off. */
static inline void quant_no_factor(const dt_quantizer *q, void *options)
{
    const dt_opt *factor = dt_opt_find(q->row.opts, "grad_scale");
    if (factor && dt_opt_set(factor, options, "none", NULL, NULL) != DT_OK)
        ck_abort_msg("%s: grad_scale has no none", q->row.name);
}

/* 0..2: unsigned activation, signed activation, weight. False: the row refuses. */
static inline bool quant_setup_of(quant_setup *s, const dt_quantizer *q,
                                  const dt_quant_case *claims, int bits, int kind)
{
    *s = (quant_setup){ .q = q, .claims = claims };
    quant_read_options(q, claims->conf, s->options);
    s->site =
        (dt_quant_site){ .bits = bits, .is_signed = kind > 0, .weight = kind > 1, .groups = 1 };
    snprintf(s->name, sizeof s->name, "%s %s %d bits %s %s", q->row.name, claims->conf, bits,
             kind ? "signed" : "unsigned", kind > 1 ? "weight" : "activation");
    return !q->check || q->check(s->options, &s->site, NULL) == DT_OK;
}

static inline void quant_for_all(void (*check)(const quant_setup *))
{
    static const dt_quant_case plain[] = { { .conf = "" }, { .conf = NULL } };
    int rows = 0;
    for (const dt_row *const *r = dt_quantizers.rows; *r; r++) {
        const dt_quantizer *q = dt_quantizer_of(*r);
        if (!q->plan) continue;
        rows++;
        for (const dt_quant_case *c = q->cases ? q->cases : plain; c->conf; c++) {
            int runs = 0;
            int least = c->least_bits > q->min_bits ? c->least_bits : q->min_bits;
            for (int bits = least; bits <= q->max_bits; bits++)
                for (int kind = 0; kind < 3; kind++) {
                    quant_setup s;
                    if (!quant_setup_of(&s, q, c, bits, kind)) continue;
                    check(&s);
                    runs++;
                }
            ck_assert_msg(runs > 0, "%s %s: refuses everything", q->row.name, c->conf);
        }
    }
    ck_assert_int_ge(rows, 1);
}

#endif
