/* Parameters from and to named tensors. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "autograd/query.h"
#include "core/glob.h"
#include "exchange/layout.h"
#include "train/net/net.h"
#include "train/net/net_convert.h"

/* Scales of other groups are of another quantizer. One of one group may be stored as a scalar. */
static bool same_groups(const dt_value *v, const dt_named_tensor *t)
{
    bool scalar = t->shape.rank == 0 && dt_shape_count(&v->shape) == 1;
    return scalar || dt_shape_equal(&t->shape, &v->shape);
}

/* The value's tensor, under its name or the one that published checkpoints use; NULL: none. */
static const dt_named_tensor *find(const dt_tensors *set, const dt_value *v)
{
    const dt_named_tensor *t = dt_tensors_find(set, v->name);
    if (!t && v->alias) t = dt_tensors_find(set, v->alias);
    return t && v->role == DT_ROLE_QUANT && !same_groups(v, t) ? NULL : t;
}

static bool expected(const dt_graph *g, const char *name)
{
    for (int i = 0; i < g->value_count; i++)
        if (g->value[i].alias && strcmp(g->value[i].alias, name) == 0) return true;
    return dt_graph_find(g, name) >= 0;
}

static bool matches(const dt_opt_words *patterns, const char *name)
{
    for (int i = 0; patterns && i < patterns->count; i++)
        if (dt_glob_match(patterns->value[i], name)) return true;
    return false;
}

static bool fits(const dt_value *v, const dt_named_tensor *t, bool native)
{
    dt_shape want = native ? v->shape : dt_layout_shape(v);
    /* A scale of one group may be stored as a scalar; a convolution of one pixel is a linear layer,
     * whose weight [O,I] others keep as [O,I,1,1]. */
    bool scalar = t->shape.rank == 0 && dt_shape_count(&want) == 1;
    dt_shape has = t->shape;
    while (!native && has.rank > want.rank && has.dim[has.rank - 1] == 1)
        has.rank--;
    return scalar || dt_shape_equal(&has, &want);
}

/* Does the value stay as it is, whatever the file has? */
static bool stays(const dt_net_file *f, const dt_value *v)
{
    const dt_named_tensor *t = find(f->set, v);
    return matches(f->reinit, v->name) && !(f->native && t && fits(v, t, true));
}

/* The tensor that a value takes; NULL: none. */
static const dt_named_tensor *taken(const dt_net_file *f, const dt_value *v)
{
    return dt_layout_is_kept(v) && !stays(f, v) ? find(f->set, v) : NULL;
}

static dt_status check_shape(const dt_value *v, const dt_named_tensor *t, const char *path,
                             bool native, dt_error *err)
{
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    dt_shape want = native ? v->shape : dt_layout_shape(v);
    const char *dot = strrchr(v->name, '.');
    if (fits(v, t, native)) return DT_OK;
    return dt_fail(err, DT_ERR_SHAPE, &(dt_where){ .file = path, .key = v->name },
                   "has the shape %s, the model wants %s; model.reinit=%.*s.* starts it anew",
                   dt_shape_print(&t->shape, a), dt_shape_print(&want, b),
                   dot ? (int)(dot - v->name) : 0, v->name);
}

/* Whether `value` is a parameter of a quantizer that takes its state from another form's. */
static bool is_converted(const dt_graph *g, const dt_tensors *set, int value)
{
    for (int i = 0; i < g->node_count; i++)
        for (int k = 1; k <= dt_query_params(&g->node[i]); k++)
            if (g->node[i].in[k] == value && dt_net_convert(g, &g->node[i], set, NULL)) return true;
    return false;
}

/* The site that a name is below of, NULL: none. */
static const dt_node *site_of(const dt_graph *g, const char *name)
{
    for (int i = 0; i < g->node_count; i++) {
        size_t length = strlen(g->node[i].name);
        if (strncmp(name, g->node[i].name, length) == 0 && name[length] == '.' &&
            g->node[i].op->quantizes)
            return &g->node[i];
    }
    return NULL;
}

/* Whatever is taken must be a number: a net with another one computes nonsense without a word. */
static dt_status check_values(const dt_net *net, const dt_net_file *f, dt_error *err)
{
    const dt_graph *g = &net->graph;
    for (int i = 0; i < g->value_count; i++) {
        const dt_value *v = &g->value[i];
        const dt_named_tensor *t = taken(f, v);
        if (t) DT_TRY(dt_tensor_check(t, f->path, v->nonneg, err));
    }
    for (size_t i = 0; i < f->set->count; i++) {
        const dt_node *site = site_of(g, f->set->item[i].name);
        if (site && dt_net_convert(g, site, f->set, NULL))
            DT_TRY(dt_tensor_check(&f->set->item[i], f->path, false, err));
    }
    return DT_OK;
}

bool dt_net_has_site(const dt_graph *g, const dt_node *site, const dt_tensors *set,
                     bool *out_converted)
{
    *out_converted = dt_net_convert(g, site, set, NULL);
    for (int i = 1; !*out_converted && i <= dt_query_params(site); i++)
        if (!find(set, &g->value[site->in[i]])) return false;
    return true;
}

/* Parameters of the net that the file has or lacks, and their shapes. */
static dt_status match(const dt_net *net, const dt_net_file *f, dt_net_report *r, int *out_weights,
                       dt_error *err)
{
    for (int i = 0; i < net->graph.value_count; i++) {
        const dt_value *v = &net->graph.value[i];
        if (!dt_layout_is_kept(v)) continue;
        const dt_named_tensor *t = taken(f, v);
        if (stays(f, v)) {
            r->reinit += v->role != DT_ROLE_QUANT;
        } else if (t) {
            DT_TRY(check_shape(v, t, f->path, f->native, err));
            r->matched++;
            *out_weights += v->role != DT_ROLE_QUANT;
            r->has_quantizers = r->has_quantizers || v->role == DT_ROLE_QUANT;
        } else if (v->role != DT_ROLE_QUANT) {
            if (r->missing < DT_NET_NAMES) r->missing_name[r->missing] = v->name;
            r->missing++;
        }
    }
    return DT_OK;
}

/* What the file has and the net has not, in `r`; the first of them that are not allowed as text.
 * Returns how many those are. */
static int list_unexpected(const dt_net *net, const dt_net_file *f, dt_net_report *r, char *text,
                           size_t size)
{
    enum { NAMED = 3 };
    int refused = 0;
    size_t used = 0;
    for (size_t i = 0; i < f->set->count; i++) {
        const char *name = f->set->item[i].name;
        if (expected(&net->graph, name) || dt_import_is_beside(f->importer, name)) continue;
        if (site_of(&net->graph, name)) continue; /* of another form */
        if (matches(f->reinit, name)) continue;
        if (r->unexpected < DT_NET_NAMES) r->unexpected_name[r->unexpected] = name;
        r->unexpected++;
        if (matches(f->allow, name)) continue;
        if (refused++ < NAMED && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s'%.80s'", used ? ", " : "", name);
    }
    if (refused > NAMED && used < size) snprintf(text + used, size - used, ", ...");
    return refused;
}

/* Is it a file of this net? */
static dt_status check_names(const dt_net *net, const dt_net_file *f, int weights, dt_net_report *r,
                             dt_error *err)
{
    const dt_where where = { .file = f->path, .key = f->key };
    char names[300] = "";
    int refused = list_unexpected(net, f, r, names, sizeof names), all = weights + r->missing;
    if (4 * weights < all)
        return dt_fail(err, DT_ERR_NOT_FOUND, &where,
                       "has %d of the net's %d tensors, so it is of another net or names them "
                       "otherwise: no '%s'%s%s",
                       weights, all, r->missing_name[0], refused ? ", but " : "", names);
    if (r->missing && !f->allow_missing)
        return dt_fail(err, DT_ERR_NOT_FOUND, &where,
                       "has no '%s' (%d of %d tensors are missing)%s%s", r->missing_name[0],
                       r->missing, all, f->missing_advice ? "; " : "",
                       f->missing_advice ? f->missing_advice : "");
    if (!refused) return DT_OK;
    return dt_fail(err, DT_ERR_NOT_FOUND, &where, "has %d tensor%s that the net has not: %s%s%s",
                   refused, refused == 1 ? "" : "s", names, f->unexpected_advice ? "; " : "",
                   f->unexpected_advice ? f->unexpected_advice : "");
}

static dt_status check(const dt_net *net, const dt_net_file *f, dt_net_report *r, dt_error *err)
{
    const dt_graph *g = &net->graph;
    int weights = 0;
    DT_TRY(match(net, f, r, &weights, err));
    DT_TRY(check_names(net, f, weights, r, err));
    for (int i = 0; i < g->node_count; i++)
        r->converted += dt_net_convert(g, &g->node[i], f->set, NULL);
    r->has_quantizers = r->has_quantizers || r->converted;
    for (int i = 0; r->has_quantizers && i < g->value_count; i++) {
        const dt_value *v = &g->value[i];
        if (!dt_layout_is_kept(v) || v->role != DT_ROLE_QUANT || find(f->set, v)) continue;
        if (is_converted(g, f->set, i)) continue;
        if (!r->quantizers_missing++) r->missing_quantizer = v->name;
    }
    return check_values(net, f, err);
}

dt_status dt_net_import(dt_net *net, const dt_net_file *f, dt_net_report *out_report, dt_error *err)
{
    dt_net_report r = { 0 };
    DT_TRY(check(net, f, &r, err));
    int64_t most = 1;
    for (int i = 0; i < net->graph.value_count; i++)
        if (dt_layout_is_kept(&net->graph.value[i]) &&
            dt_shape_count(&net->graph.value[i].shape) > most)
            most = dt_shape_count(&net->graph.value[i].shape);
    float *plain = dt_get_array(NULL, (size_t)most, sizeof *plain, "import");
    if (!plain) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int i = 0; i < net->graph.value_count; i++) {
        const dt_value *v = &net->graph.value[i];
        const dt_named_tensor *t = taken(f, v);
        if (!t) continue;
        int64_t n = dt_shape_count(&v->shape);
        dt_to_f32(t->dtype, t->data, (size_t)n, plain);
        if (v->layout == DT_LAYOUT_OIHW && !f->native)
            dt_layout_from_foreign(&v->shape, sizeof(real), plain, net->state.data[i]);
        else
            memcpy(net->state.data[i], plain, (size_t)n * sizeof *plain);
    }
    dt_put(NULL, plain);
    for (int i = 0; i < net->graph.node_count; i++)
        dt_net_convert(&net->graph, &net->graph.node[i], f->set, &net->state);
    *out_report = r;
    return DT_OK;
}

dt_status dt_net_export(const dt_net *net, bool native, dt_tensors *set, dt_error *err)
{
    return dt_layout_collect(&net->graph, &net->state, native, set, err);
}
