/* Which quantizers keep what a file has for them: that of model.init, or the one that the model is
 * read from. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "autograd/query.h"
#include "fakequant/kind.h"
#include "train/net/session.h"

static bool has_params(const dt_node *node)
{
    return dt_query_params(node) > 0;
}

/* Written by an older build in a phase of other bits than the recipe's. */
static bool is_of_other_bits(const dt_tensors *set)
{
    return dt_tensors_attr(set, "run.weight_bits") || dt_tensors_attr(set, "run.activation_bits");
}

static bool keeps(const dt_session *s, const dt_node *site, char *why, size_t size)
{
    bool converted, told = dt_kind_is_told(&s->init);
    if (!dt_net_has_site(&s->net.graph, site, &s->init, &converted)) {
        if (dt_kind_fits(site, &s->init, false, why, size) || !told)
            snprintf(why, size, "the file has not all of its parameters");
        return false;
    }
    if (told) return dt_kind_fits(site, &s->init, converted, why, size);
    snprintf(why, size, "the file is of a phase with other bits");
    return !is_of_other_bits(&s->init);
}

dt_status dt_session_judge(dt_session *s, const dt_graph *g, bool calibrate, dt_error *err)
{
    char why[2 * DT_KIND_TEXT + 32];
    int anew = 0;
    s->kept = 0;
    s->net.anew = dt_arena_get(s->net.graph.arena, (size_t)s->net.graph.value_count + 1);
    if (!s->net.anew) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    bool has = s->report.has_quantizers && !calibrate;
    bool given = s->net.given && !calibrate;
    for (int i = 0; i < g->node_count; i++) {
        if (!has_params(&g->node[i])) continue;
        bool kept = given || (has && keeps(s, &g->node[i], why, sizeof why));
        s->net.anew[g->node[i].in[1]] = !kept;
        s->kept += kept;
        anew += !kept;
    }
    /* Quantizers without parameters are as ready as the file's net was quantized. */
    bool told = !calibrate && dt_kind_is_told(&s->init);
    s->quantizers_ready = anew == 0 && (s->kept || told || !dt_net_is_quantized(&s->net));
    return dt_net_check_ranges(g, &s->net.state, s->net.anew, s->recipe->model.init, err);
}

int dt_session_anew(const dt_session *s, const dt_graph *g, char *text, size_t size)
{
    char why[2 * DT_KIND_TEXT + 32];
    int n = 0;
    text[0] = '\0';
    for (int i = 0; i < g->node_count; i++) {
        if (!has_params(&g->node[i]) || !s->net.anew[g->node[i].in[1]]) continue;
        if (n++) continue;
        snprintf(text, size, "'%s'", g->node[i].name);
        if (s->report.has_quantizers && !keeps(s, &g->node[i], why, sizeof why))
            snprintf(text, size, "'%s' (%s)", g->node[i].name, why);
    }
    return n;
}

void dt_session_tell_sites(const dt_session *s, const dt_graph *g,
                           void (*say)(void *arg, const char *text), void *arg)
{
    char why[2 * DT_KIND_TEXT + 32], text[sizeof why + 512];
    if (!say || !s->report.has_quantizers || !s->net.anew) return;
    if (!dt_kind_is_told(&s->init) && s->kept)
        say(arg, "  the file does not say what bits its quantizers had: taken as the recipe's");
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *site = &g->node[i];
        if (!has_params(site) || !s->net.anew[site->in[1]]) continue;
        bool asked = keeps(s, site, why, sizeof why); /* and yet it does not: --calibrate */
        snprintf(text, sizeof text, "  '%s' starts anew from data%s%s", site->name,
                 asked ? "" : ": ", asked ? "" : why);
        say(arg, text);
    }
}
