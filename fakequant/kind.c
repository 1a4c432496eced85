/* Kinds of sites. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fakequant/kind.h"

#include <stdio.h>
#include <string.h>

#include "autograd/query.h"

/* Levels that are looked up are told apart by a number of theirs (FNV-1a). */
static unsigned level_hash(const dt_encode *e)
{
    unsigned hash = 2166136261u;
    for (int i = 0; i <= e->thresholds; i++) {
        float level = (float)e->level[i];
        unsigned char bytes[sizeof level];
        memcpy(bytes, &level, sizeof level);
        for (size_t k = 0; k < sizeof bytes; k++)
            hash = (hash ^ bytes[k]) * 16777619u;
    }
    return hash;
}

void dt_kind_print(const dt_fakequant_conf *c, char text[DT_KIND_TEXT])
{
    const dt_quantizer *q = c->quantizer;
    real params[DT_QUANT_MAX_PARAMS], stats[DT_QUANT_MAX_STATS];
    dt_encode e = { .scale = 1 };
    for (int i = 0; i < DT_QUANT_MAX_PARAMS; i++)
        params[i] = 1;
    for (int i = 0; i < DT_QUANT_MAX_STATS; i++)
        stats[i] = 1;
    q->plan(c->options, &c->site, params, stats, &e);
    int n = snprintf(text, DT_KIND_TEXT, "%s, %d bits %s, %lld group%s, ", q->row.name,
                     c->site.bits, c->site.is_signed ? "signed" : "unsigned",
                     (long long)c->site.groups, c->site.groups == 1 ? "" : "s");
    size_t used = n > 0 ? (size_t)n : 0;
    if (e.thresholds)
        snprintf(text + used, DT_KIND_TEXT - used, "%d levels %08x", e.thresholds + 1,
                 level_hash(&e));
    else
        snprintf(text + used, DT_KIND_TEXT - used, "codes %d..%d%s", (int)e.qmin, (int)e.qmax,
                 q->has_offset && q->has_offset(c->options, &c->site) ? " with an offset" : "");
}

static bool key_of(const dt_node *site, char *key, size_t size)
{
    int n = snprintf(key, size, DT_KIND_PREFIX "%s", site->name);
    return n > 0 && (size_t)n < size;
}

dt_status dt_kind_tell(const dt_graph *g, dt_tensors *set, dt_error *err)
{
    for (int i = 0; i < g->node_count; i++) {
        char key[512], text[DT_KIND_TEXT];
        const dt_fakequant_conf *c = dt_query_quantizer(&g->node[i]);
        if (!c || !key_of(&g->node[i], key, sizeof key)) continue;
        dt_kind_print(c, text);
        DT_TRY(dt_tensors_set_attr(set, key, text, err));
    }
    return DT_OK;
}

bool dt_kind_is_told(const dt_tensors *set)
{
    for (size_t i = 0; i < set->attr_count; i++)
        if (strncmp(set->attr[i].key, DT_KIND_PREFIX, sizeof DT_KIND_PREFIX - 1) == 0) return true;
    return false;
}

/* Between the method, which is first, and the codes: bits, sign, groups. */
static size_t middle_of(const char *kind, const char **out)
{
    const char *from = strchr(kind, ','), *bits = from ? strchr(from + 1, ',') : NULL;
    const char *to = bits ? strchr(bits + 1, ',') : NULL;
    *out = from ? from : kind;
    return to ? (size_t)(to - from) : 0;
}

bool dt_kind_fits(const dt_node *site, const dt_tensors *set, bool converted, char *why,
                  size_t size)
{
    char key[512], here[DT_KIND_TEXT];
    dt_kind_print(site->conf, here);
    const char *there = key_of(site, key, sizeof key) ? dt_tensors_attr(set, key) : NULL;
    if (!there) {
        snprintf(why, size, "nothing there; %s here", here);
        return false;
    }
    snprintf(why, size, "%.*s there; %s here", DT_KIND_TEXT, there, here);
    if (!converted) return strcmp(there, here) == 0;
    const char *a, *b;
    size_t n = middle_of(there, &a);
    return n > 0 && n == middle_of(here, &b) && memcmp(a, b, n) == 0;
}
