/* What a file of tensors holds. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/inspect/inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/quantizer.h"
#include "exchange/exporter.h"
#include "exchange/import.h"
#include "train/inspect/inspect_activations.h"
#include "train/net/budget.h"
#include "train/run/checkpoint.h"
#include "train/run/hold.h"
#include "train/store/container.h"

bool dt_inspect_is_model(const char *name)
{
    return !dt_container_has_prefix(name, "optimizer/") &&
           !dt_container_has_prefix(name, "dynamics/") && !dt_container_has_prefix(name, "resume/");
}

static bool keep_model(const char *name, const void *context)
{
    (void)context;
    return dt_inspect_is_model(name);
}

dt_status dt_inspect_open(const char *path, const dt_memory_limit *limit, const dt_alloc *a,
                          dt_inspection *out, dt_error *err)
{
    unsigned char *bytes;
    dt_inspection in = { .native = false };
    if (limit) DT_TRY(dt_budget_check_file(path, limit, err));
    DT_TRY(dt_file_read(a, path, DT_IMPORT_MAX_BYTES, &bytes, &in.bytes, err));
    dt_status st = dt_import_bytes(path, bytes, in.bytes, a, &in.set, err);
    const dt_importer *importer = st == DT_OK ? dt_importer_of(bytes, in.bytes) : NULL;
    in.format = importer ? importer->row.name : NULL;
    in.is_graph = importer && importer->is_graph;
    in.native = dt_container_probe(bytes, in.bytes);
    dt_put(a, bytes);
    DT_TRY(st);
    st = dt_container_sha256(&in.set, keep_model, NULL, in.sha256, err);
    if (st == DT_OK)
        *out = in;
    else
        dt_tensors_fini(&in.set);
    return st;
}

void dt_inspect_close(dt_inspection *inspection)
{
    dt_tensors_fini(&inspection->set);
}

dt_inspect_site dt_inspect_site_of(const dt_state *state, const dt_node *node,
                                   const dt_inspect_fit *fit)
{
    const dt_fakequant_conf *c = node->conf;
    const dt_quantizer *q = c->quantizer;
    dt_inspect_site site = { .name = node->name,
                             .method = q->row.name,
                             .bits = c->site.bits,
                             .is_signed = c->site.is_signed,
                             .weight = c->site.weight,
                             .groups = c->site.groups };
    /* Statistics of a transform exist only while the net runs: such a grid is not told. */
    for (int64_t k = 0; k < c->site.groups; k++)
        site.at_floor += dt_hold_group_at_floor(node, state, k);
    bool fixed = q->grid && !dt_quant_transforms(q, &c->site);
    for (int64_t k = 0; fixed && k < c->site.groups; k++) {
        real params[DT_QUANT_MAX_PARAMS];
        dt_grid grid;
        for (int i = 0; i < q->param_count; i++)
            params[i] = state->data[node->in[1 + i]][k];
        if (!q->grid(c->options, &c->site, params, NULL, &grid)) break;
        if (k == 0) {
            site.qmin = grid.qmin;
            site.qmax = grid.qmax;
            site.low = grid.scale * (grid.qmin - grid.zero_point);
            site.high = grid.scale * (grid.qmax - grid.zero_point);
        }
        site.scale_low = k && site.scale_low < grid.scale ? site.scale_low : grid.scale;
        site.scale_high = k && site.scale_high > grid.scale ? site.scale_high : grid.scale;
        site.has_grid = true;
    }
    site.measured = fit->count > 0 && fit->has_grid;
    if (site.measured) {
        site.clipped = (double)fit->clipped / (double)fit->count;
        site.sqnr_db = dt_inspect_sqnr(fit);
        site.bin = fit->bin;
    }
    return site;
}

static void tell_site(const dt_session *s, const dt_node *node, const dt_inspect_fit *fit,
                      dt_inspect_fn fn, void *arg)
{
    const dt_inspect_site site = dt_inspect_site_of(&s->net.state, node, fit);
    fn(arg, &site);
}

static dt_status tell_layers(const dt_session *s, const dt_graph *g,
                             const dt_inspect_events *events, dt_error *err)
{
    for (int i = 0; events->layer && i < g->node_count; i++) {
        dt_inspect_layer l;
        if (!g->node[i].op->product) continue;
        DT_TRY(dt_inspect_layer_of(g, &s->net.state, &g->node[i], s->alloc, &l, err));
        events->layer(events->arg, &l);
    }
    return DT_OK;
}

static dt_status measure_and_tell(dt_session *s, const dt_graph *g, const dt_inspect_events *events,
                                  dt_error *err)
{
    dt_inspect_fit *fit = dt_get_array(s->alloc, (size_t)g->node_count + 1, sizeof *fit, "inspect");
    if (!fit) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to look at activations");
    dt_status st = DT_OK;
    if (events->pictures) st = dt_inspect_activations(s, g, events->pictures, fit, err);
    for (int i = 0; st == DT_OK && i < g->node_count; i++)
        if (g->node[i].op->quantizes) tell_site(s, &g->node[i], &fit[i], events->site, events->arg);
    dt_put(s->alloc, fit);
    return st;
}

static int bits_attr(const dt_tensors *set, const char *key)
{
    const char *text = dt_tensors_attr(set, key);
    long bits = text ? strtol(text, NULL, 10) : 0;
    return bits >= 1 && bits <= 32 ? (int)bits : 0;
}

static dt_status tell_all(dt_session *s, const dt_graph *g, const dt_inspection *in,
                          const char *path, const dt_inspect_events *events, dt_error *err)
{
    DT_TRY(measure_and_tell(s, g, events, err));
    DT_TRY(dt_checkpoint_dynamics(path, &in->set, &s->dynamics, err));
    if (s->dynamics.count) dt_weights_bind(&s->dynamics.weights, g, false);
    if (events->dynamics) dt_dynamics_report(&s->dynamics, events->dynamics, events->arg);
    return tell_layers(s, g, events, err);
}

/* With the quantizers of the phase that the checkpoint was saved in. */
static dt_status tell_net(dt_session *s, const dt_inspection *in, const char *path,
                          const dt_inspect_events *events, dt_error *err)
{
    const dt_recipe_phase phase = { .weight_bits = bits_attr(&in->set, "run.weight_bits"),
                                    .activation_bits = bits_attr(&in->set, "run.activation_bits") };
    dt_graph of_phase;
    if (!phase.weight_bits && !phase.activation_bits)
        return tell_all(s, &s->net.graph, in, path, events, err);
    DT_TRY(dt_net_phase(&s->net, &phase, s->alloc, &of_phase, err));
    dt_status st = tell_all(s, &of_phase, in, path, events, err);
    dt_graph_fini(&of_phase);
    return st;
}

/* What looking takes beside the session, one after the other. */
static dt_status count_rest(void *arg, dt_session *s, const char **out_key, dt_error *err)
{
    const dt_inspect_events *events = arg;
    const dt_graph *g = &s->net.graph;
    size_t most = 3 * (size_t)dt_inspect_largest(g, DT_VALUE_PARAM);
    if (events->pictures) most += DT_INSPECT_BATCH * (size_t)dt_inspect_largest(g, DT_VALUE_NODE);
    *out_key = "";
    real *room = dt_get_array(s->alloc, most + 1, sizeof *room, "inspection");
    dt_put(s->alloc, room);
    return room ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
}

/* A net that was quantized without training has the recipe's dynamics, but no state of them. */
static bool has_dynamics(const dt_tensors *set)
{
    for (size_t i = 0; i < set->count; i++)
        if (dt_container_has_prefix(set->item[i].name, "dynamics/")) return true;
    return false;
}

static dt_status tell_sites(dt_recipe *recipe, const dt_inspection *in, const char *path,
                            const dt_inspect_events *events, size_t *out_params, dt_error *err)
{
    dt_session s;
    const dt_session_params p = { .recipe = recipe,
                                  .need = DT_NEED_TEST,
                                  .no_data = events->pictures == 0,
                                  .dynamics = events->dynamics && has_dynamics(&in->set),
                                  .memory = events->memory,
                                  .eval_batch = events->pictures ? DT_INSPECT_BATCH : 0,
                                  .eval_key = "",
                                  .rest = count_rest,
                                  .rest_arg = (void *)(uintptr_t)events };
    if (strlen(path) >= sizeof recipe->model.init)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = path }, "the name is too long");
    snprintf(recipe->model.init, sizeof recipe->model.init, "%s", path);
    recipe->model.init_key[0] = '\0'; /* of the file that the run began with */
    DT_TRY(dt_session_open(&s, &p, err));
    *out_params = s.net.state.param_count;
    dt_status st = tell_net(&s, in, path, events, err);
    dt_session_close(&s);
    return st;
}

dt_status dt_inspect_sites(const dt_inspection *inspection, const char *path,
                           const dt_inspect_events *events, size_t *out_params, dt_error *err)
{
    dt_recipe *recipe;
    const char *text = dt_tensors_attr(&inspection->set, "recipe");
    if (!inspection->native || !text)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = path }, "has no recipe");
    const dt_recipe_params p = { .tables = &dt_tables,
                                 .path = path,
                                 .text = text,
                                 .overrides = events->overrides,
                                 .override_count = events->override_count };
    DT_TRY(dt_recipe_read(&p, &recipe, err));
    dt_status st = tell_sites(recipe, inspection, path, events, out_params, err);
    dt_recipe_free(recipe);
    return st;
}
