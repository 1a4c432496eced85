/* Parameters from and to named tensors. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "export/layout.h"
#include "train/net.h"
#include "train/net_adopt.h"

/* The value's tensor, under its name or the one that published checkpoints use; NULL: none. */
static const dt_named_tensor *find(const dt_tensors *set, const dt_value *v)
{
    const dt_named_tensor *t = dt_tensors_find(set, v->name);
    return t || !v->alias ? t : dt_tensors_find(set, v->alias);
}

static bool expected(const dt_graph *g, const char *name)
{
    for (int i = 0; i < g->value_count; i++)
        if (g->value[i].alias && strcmp(g->value[i].alias, name) == 0) return true;
    return dt_graph_find(g, name) >= 0;
}

/* Tensors that are not of the net: our own checkpoints', and PyTorch's counts of batches. */
static bool is_run_state(const char *name)
{
    static const char counter[] = ".num_batches_tracked";
    size_t length = strlen(name);
    if (length >= sizeof counter && strcmp(name + length - (sizeof counter - 1), counter) == 0)
        return true;
    static const char *const parts[] = { "optimizer/", "dynamics/", "resume/" };
    for (size_t i = 0; i < DT_ARRAY_LEN(parts); i++)
        if (strncmp(name, parts[i], strlen(parts[i])) == 0) return true;
    return false;
}

static dt_status check_shape(const dt_value *v, const dt_named_tensor *t, const char *path,
                             bool native, dt_error *err)
{
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    dt_shape want = native ? v->shape : dt_layout_shape(v);
    /* A scale of one group may be stored as a scalar. */
    bool scalar = t->shape.rank == 0 && dt_shape_count(&want) == 1;
    if (scalar || dt_shape_equal(&t->shape, &want)) return DT_OK;
    return dt_fail(err, DT_ERR_SHAPE, &(dt_where){ .file = path, .key = v->name },
                   "has the shape %s, the model wants %s", dt_shape_print(&t->shape, a),
                   dt_shape_print(&want, b));
}

/* Whether `value` is a parameter of a quantizer that takes its state from another form's. */
static bool is_adopted(const dt_graph *g, const dt_tensors *set, int value)
{
    for (int i = 0; i < g->node_count; i++)
        for (int k = 1; k < g->node[i].in_count; k++)
            if (g->node[i].in[k] == value && dt_net_adopt(g, &g->node[i], set, NULL)) return true;
    return false;
}

/* Whether a name is below one of a quantizer that does so. */
static bool is_source(const dt_graph *g, const dt_tensors *set, const char *name)
{
    for (int i = 0; i < g->node_count; i++) {
        size_t length = strlen(g->node[i].name);
        if (strncmp(name, g->node[i].name, length) == 0 && name[length] == '.' &&
            dt_net_adopt(g, &g->node[i], set, NULL))
            return true;
    }
    return false;
}

/* Whatever is taken must be a number: a net with another one computes nonsense without a word. */
static dt_status check_values(const dt_net *net, const dt_tensors *set, const char *path,
                              dt_error *err)
{
    for (int i = 0; i < net->graph.value_count; i++) {
        const dt_value *v = &net->graph.value[i];
        const dt_named_tensor *t = dt_layout_is_kept(v) ? find(set, v) : NULL;
        if (t) DT_TRY(dt_tensor_check(t, path, v->nonneg, err));
    }
    for (size_t i = 0; i < set->count; i++)
        if (is_source(&net->graph, set, set->item[i].name))
            DT_TRY(dt_tensor_check(&set->item[i], path, false, err));
    return DT_OK;
}

static dt_status check(dt_net *net, const dt_tensors *set, const char *path, bool native,
                       bool allow_missing, dt_net_report *r, dt_error *err)
{
    for (int i = 0; i < net->graph.value_count; i++) {
        const dt_value *v = &net->graph.value[i];
        if (!dt_layout_is_kept(v)) continue;
        const dt_named_tensor *t = find(set, v);
        if (t) {
            DT_TRY(check_shape(v, t, path, native, err));
            r->matched++;
            r->has_quantizers = r->has_quantizers || v->role == DT_ROLE_QUANT;
        } else if (v->role != DT_ROLE_QUANT) {
            if (r->missing < DT_NET_NAMES) r->missing_name[r->missing] = v->name;
            r->missing++;
        }
    }
    for (size_t i = 0; i < set->count; i++) {
        if (expected(&net->graph, set->item[i].name)) continue;
        if (is_run_state(set->item[i].name)) continue;
        if (is_source(&net->graph, set, set->item[i].name)) continue;
        if (r->unexpected < DT_NET_NAMES) r->unexpected_name[r->unexpected] = set->item[i].name;
        r->unexpected++;
    }
    if (r->missing && !allow_missing)
        return dt_fail(
            err, DT_ERR_NOT_FOUND, &(dt_where){ .file = path },
            "has no '%s' (%d of %d tensors are missing); model.allow_missing=true starts "
            "them anew",
            r->missing_name[0], r->missing, r->missing + r->matched);
    for (int i = 0; i < net->graph.node_count; i++)
        r->converted += dt_net_adopt(&net->graph, &net->graph.node[i], set, NULL);
    r->has_quantizers = r->has_quantizers || r->converted;
    /* Some quantizers with state and some without would be a half-read checkpoint. */
    for (int i = 0; r->has_quantizers && i < net->graph.value_count; i++) {
        const dt_value *v = &net->graph.value[i];
        if (!dt_layout_is_kept(v) || v->role != DT_ROLE_QUANT || find(set, v)) continue;
        if (is_adopted(&net->graph, set, i)) continue;
        return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .file = path },
                       "has no '%s' though it has other quantizers", v->name);
    }
    return DT_OK;
}

dt_status dt_net_import(dt_net *net, const dt_tensors *set, const char *path, bool native,
                        bool allow_missing, dt_net_report *out_report, dt_error *err)
{
    dt_net_report r = { 0 };
    DT_TRY(check(net, set, path, native, allow_missing, &r, err));
    DT_TRY(check_values(net, set, path, err));
    int64_t most = 1;
    for (int i = 0; i < net->graph.value_count; i++)
        if (dt_layout_is_kept(&net->graph.value[i]) &&
            dt_shape_count(&net->graph.value[i].shape) > most)
            most = dt_shape_count(&net->graph.value[i].shape);
    float *plain = dt_get_array(NULL, (size_t)most, sizeof *plain, "import");
    if (!plain) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int i = 0; i < net->graph.value_count; i++) {
        const dt_value *v = &net->graph.value[i];
        const dt_named_tensor *t = dt_layout_is_kept(v) ? find(set, v) : NULL;
        if (!t) continue;
        int64_t n = dt_shape_count(&v->shape);
        dt_to_f32(t->dtype, t->data, (size_t)n, plain);
        if (v->layout == DT_LAYOUT_OIHW && !native)
            dt_layout_from_foreign(&v->shape, sizeof(real), plain, net->state.data[i]);
        else
            memcpy(net->state.data[i], plain, (size_t)n * sizeof *plain);
    }
    dt_put(NULL, plain);
    for (int i = 0; i < net->graph.node_count; i++)
        dt_net_adopt(&net->graph, &net->graph.node[i], set, &net->state);
    *out_report = r;
    return DT_OK;
}

dt_status dt_net_export(const dt_net *net, bool native, dt_tensors *set, dt_error *err)
{
    return dt_layout_collect(&net->graph, &net->state, native, set, err);
}
