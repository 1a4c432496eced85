/* Reconstruction of a unit. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/recon.h"

#include <math.h>
#include <string.h>

#include "autograd/fuse.h"
#include "autograd/op_either.h"
#include "autograd/query.h"
#include "autograd/rewrite.h"
#include "core/rng.h"
#include "core/thread.h"

#define DT_PTQ_VARIABLE(name) extern const dt_ptq_variable dt_ptq_var_##name;
#include "ptq/variables.def"
#undef DT_PTQ_VARIABLE

static const dt_row *const rows[] = {
#define DT_PTQ_VARIABLE(name) &dt_ptq_var_##name.row,
#include "ptq/variables.def"
#undef DT_PTQ_VARIABLE
    NULL,
};
const dt_table dt_ptq_variables = { "variable", rows };

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a unit");
}

/* ---- the unit's graph ---- */

/* Behind a quantizer: its value or the one that it quantized, at random. */
static dt_status put_dropped(dt_rewrite *r, const dt_node *node)
{
    const dt_ptq_recon *of = r->arg;
    const dt_either_conf conf = { of->conf->drop };
    const int in[] = { r->value[node->in[0]], node->out[0] };
    int out;
    DT_TRY(dt_rewrite_put(r, node));
    DT_TRY(dt_graph_node(r->out, "either", node->name, &conf, in, 2, &out, r->err));
    r->value[node->out[0]] = out;
    return DT_OK;
}

static bool places_weights(const dt_ptq_recon *r)
{
    for (int i = 0; i < r->variable_count; i++)
        if (r->variable[i].row->place) return true;
    return false;
}

static dt_status visit(dt_rewrite *r, int i)
{
    const dt_ptq_recon *of = r->arg;
    const dt_node *node = &r->source->node[i];
    const dt_fakequant_conf *c = dt_query_quantizer(node);
    if (!of->unit->inside[i]) return dt_rewrite_put(r, node);
    bool leaves = c && c->site.weight && places_weights(of);
    if (leaves || node->op->identity_in_eval) {
        dt_rewrite_stand_for(r, node->out[0], node->in[0]);
        return DT_OK;
    }
    if (c && !c->site.weight && of->conf->drop > 0) return put_dropped(r, node);
    return dt_rewrite_put(r, node);
}

static dt_status make_plan(dt_ptq_recon *r, dt_error *err)
{
    const dt_ptq_params *p = r->q->p;
    int keep[DT_GRAPH_PORTS + 1] = { r->unit->out };
    const int givens = dt_ptq_given(r->q, r->unit->in, keep + 1);
    bool *frozen;
    DT_TRY(dt_graph_rewrite(r->q->g, visit, r, p->alloc, &r->graph, err));
    DT_TRY(dt_fuse(&r->graph, keep, givens + 1, &r->fused, p->alloc, err));
    frozen = dt_ptq_memory(r, (size_t)r->fused.value_count);
    if (!frozen) return no_memory(err);
    for (int v = 0; v < r->fused.value_count; v++)
        frozen[v] = v >= r->q->g->value_count || !r->wanted[v];
    DT_TRY(dt_plan_init(&r->plan,
                        &(dt_plan_request){ .graph = &r->fused,
                                            .kernels = p->kernels,
                                            .mode = DT_MODE_TRAIN,
                                            .norms = DT_NORMS_RUNNING,
                                            .batch = r->batch,
                                            .threads = p->threads,
                                            .outputs = &r->unit->out,
                                            .output_count = 1,
                                            .given = keep + 1,
                                            .given_count = givens,
                                            .seeds = &r->unit->out,
                                            .seed_count = 1,
                                            .frozen = frozen },
                        p->alloc, err));
    return dt_exec_init(&r->exec, &r->plan, p->state, p->kernels, NULL, p->alloc, err);
}

/* ---- start ---- */

static dt_status find_weights(dt_ptq_recon *r, dt_error *err)
{
    const dt_graph *g = r->q->g;
    r->weight = dt_ptq_memory(r, sizeof *r->weight * (size_t)g->node_count);
    r->wanted = dt_ptq_memory(r, (size_t)g->value_count);
    if (!r->weight || !r->wanted) return no_memory(err);
    for (int i = 0; i < g->node_count; i++)
        if (r->unit->inside[i] && dt_ptq_weight_of(r->q, &g->node[i], &r->weight[r->weight_count]))
            r->weight_count++;
    return DT_OK;
}

static dt_status open_variables(dt_ptq_recon *r, dt_error *err)
{
    const dt_opt_words *words = &r->conf->variables;
    for (int i = 0; i < words->count; i++) {
        const dt_row *row;
        DT_TRY(dt_table_get(&dt_ptq_variables, words->value[i],
                            &(dt_where){ .key = "reconstruct.variables" }, &row, err));
        dt_ptq_moving *m = &r->variable[r->variable_count++];
        m->row = (const dt_ptq_variable *)(const void *)row;
        m->r = r;
    }
    for (int i = 0; i < r->variable_count; i++) {
        dt_ptq_moving *m = &r->variable[i];
        m->state = dt_ptq_memory(r, m->row->state_size);
        if (!m->state) return no_memory(err);
        DT_TRY(m->row->open(m, err));
    }
    return DT_OK;
}

/* Inputs of both nets and the float one's output. */
static dt_status read_values(dt_ptq_recon *r, dt_error *err)
{
    dt_ptq *q = r->q;
    DT_TRY(dt_ptq_advance(q, r->unit->border, err));
    DT_TRY(dt_ptq_get(q, r->unit->in, &r->quant, err));
    DT_TRY(dt_ptq_get(q, r->unit->in, &r->plain, err));
    DT_TRY(dt_ptq_get(q, r->unit->out, &r->target, err));
    DT_TRY(dt_ptq_read(q, r->unit->in, r->quant, r->plain, err));
    return dt_ptq_collect(q,
                          &(dt_ptq_pass){ .plain = true,
                                          .from = r->unit->in,
                                          .data = r->plain,
                                          .want = &r->unit->out,
                                          .want_count = 1,
                                          .to = &r->target },
                          err);
}

static dt_status get_batch(dt_ptq_recon *r, dt_error *err)
{
    size_t in = (size_t)(r->batch * dt_ptq_features(r->q, r->unit->in));
    size_t out = (size_t)(r->batch * dt_ptq_features(r->q, r->unit->out));
    r->x = dt_ptq_memory(r, in * sizeof(real));
    r->t = dt_ptq_memory(r, out * sizeof(real));
    r->dy = dt_ptq_memory(r, out * sizeof(real));
    r->picture = dt_ptq_memory(r, sizeof *r->picture * (size_t)r->batch);
    return r->x && r->t && r->dy && r->picture ? DT_OK : no_memory(err);
}

static void close(dt_ptq_recon *r)
{
    dt_ptq_losses_close(r);
    dt_exec_fini(&r->exec);
    dt_plan_fini(&r->plan);
    dt_graph_fini(&r->fused);
    dt_graph_fini(&r->graph);
    dt_ptq_put(r->q, r->quant);
    dt_ptq_put(r->q, r->plain);
    dt_ptq_put(r->q, r->target);
    dt_arena_free(r->arena);
}

int64_t dt_ptq_channels(const dt_ptq_recon *r)
{
    const dt_shape *s = &r->q->g->value[r->unit->out].shape;
    return s->dim[s->rank - 1];
}

/* Of all pictures, so many at a time as losses can take. */
static double measure_all(dt_ptq_recon *r, const real *y)
{
    const int64_t n = dt_ptq_features(r->q, r->unit->out), count = r->q->p->count;
    double sum = 0;
    for (int64_t first = 0; first < count; first += r->batch) {
        const int64_t left = count - first;
        dt_ptq_outputs o = { .pictures = left < r->batch ? left : r->batch,
                             .picture = r->picture,
                             .y = y + first * n,
                             .t = r->target + first * n };
        for (int64_t i = 0; i < o.pictures; i++)
            r->picture[i] = first + i;
        sum += (double)o.pictures * dt_ptq_losses_measure(r, &o, NULL);
    }
    return sum / (double)count;
}

dt_status dt_ptq_recon_measure(dt_ptq_recon *r, double *out, dt_error *err)
{
    dt_ptq *q = r->q;
    real *y;
    DT_TRY(dt_ptq_get(q, r->unit->out, &y, err));
    dt_status st = dt_ptq_collect(q,
                                  &(dt_ptq_pass){ .from = r->unit->in,
                                                  .data = r->quant,
                                                  .want = &r->unit->out,
                                                  .want_count = 1,
                                                  .to = &y },
                                  err);
    if (st == DT_OK) *out = measure_all(r, y);
    dt_ptq_put(q, y);
    return st;
}

/* ---- iterations ---- */

/* One picture's input: of the quantized net, of the float one, or an element of either. */
static void fill_input(const dt_ptq_recon *r, int64_t picture, int64_t n, dt_rng *rng, real *to)
{
    const real *a = r->quant + picture * n, *b = r->plain + picture * n;
    const uint32_t limit = (uint32_t)(r->conf->share * 256 + 0.5);
    if (r->conf->input != DT_PTQ_MIX) {
        memcpy(to, r->conf->input == DT_PTQ_QUANT ? a : b, sizeof *to * (size_t)n);
        return;
    }
    for (int64_t i = 0; i < n; i += 4) {
        uint32_t bits = dt_rng_u32(rng);
        for (int64_t k = i; k < n && k < i + 4; k++, bits >>= 8) {
            real u = a[k], v = b[k]; /* both are read: the choice is no branch then */
            to[k] = (bits & 255) < limit ? v : u;
        }
    }
}

/* The pictures of an iteration, drawn with replacement; each with numbers of its own. */
static void fill_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    dt_ptq_recon *r = arg;
    const dt_ptq *q = r->q;
    const uint32_t name = dt_hash_name(r->unit->name);
    const int64_t in = dt_ptq_features(q, r->unit->in), out = dt_ptq_features(q, r->unit->out);
    dt_rng rng;
    dt_rng_open(&rng, q->p->seed, DT_RNG_MIX, name, (uint64_t)(r->step * r->batch + i));
    int64_t picture = r->picture[i] = dt_rng_below(&rng, (uint32_t)q->p->count);
    fill_input(r, picture, in, &rng, r->x + i * in);
    memcpy(r->t + i * out, r->target + picture * out, sizeof(real) * (size_t)out);
}

static dt_status iterate(dt_ptq_recon *r, dt_error *err)
{
    const dt_ptq *q = r->q;
    const size_t n = (size_t)(r->batch * dt_ptq_features(q, r->unit->out));
    dt_parallel(q->p->threads, r->batch, fill_task, r);
    for (int i = 0; i < r->variable_count; i++)
        if (r->variable[i].row->place) r->variable[i].row->place(&r->variable[i]);
    r->exec.seed = q->p->seed;
    r->exec.step = r->step;
    dt_ptq_feed(q, &r->exec, r->unit->in, r->x);
    DT_TRY(dt_exec_forward(&r->exec, err));
    const dt_ptq_outputs o = { r->batch, r->picture, dt_exec_value(&r->exec, r->unit->out), r->t };
    memset(r->dy, 0, n * sizeof *r->dy);
    double loss = dt_ptq_losses_measure(r, &o, r->dy);
    if (!isfinite(loss))
        return dt_fail(err, DT_ERR_NUMERIC, &(dt_where){ .key = r->unit->name },
                       "the loss of iteration %lld is %g; take smaller rates", (long long)r->step,
                       loss);
    dt_exec_set_gradient(&r->exec, r->unit->out, r->dy);
    dt_exec_backward(&r->exec);
    for (int i = 0; i < r->variable_count; i++)
        r->variable[i].row->step(&r->variable[i]);
    return DT_OK;
}

enum { TELL = 25 }; /* iterations between two words about progress */

static dt_status iterate_all(dt_ptq_recon *r, dt_error *err)
{
    const int total = r->conf->iterations;
    for (r->step = 0; r->step < total; r->step++) {
        r->progress = (double)r->step / total;
        if (r->step % TELL == 0) DT_TRY(dt_ptq_tell(r->q, r->unit->name, r->progress, err));
        DT_TRY(iterate(r, err));
    }
    return DT_OK;
}

/* ---- undoing what made it worse ---- */

/* Parameters of the unit, one after another: out of the state, or back. */
static void copy_parameters(const dt_ptq_recon *r, real *kept, bool back)
{
    const dt_graph *g = r->q->g;
    for (int v = 0; v < g->value_count; v++) {
        size_t n = (size_t)dt_ptq_features(r->q, v);
        real *now = r->q->p->state->data[v];
        if (!r->wanted[v] || !now) continue;
        memcpy(back ? now : kept, back ? kept : now, n * sizeof(real));
        kept += n;
    }
}

static real *keep_parameters(dt_ptq_recon *r)
{
    size_t n = 0;
    for (int v = 0; v < r->q->g->value_count; v++)
        if (r->wanted[v]) n += (size_t)dt_ptq_features(r->q, v);
    real *kept = dt_ptq_memory(r, n * sizeof(real));
    if (kept) copy_parameters(r, kept, false);
    return kept;
}

static void settle_weights(dt_ptq_recon *r)
{
    for (int i = 0; i < r->weight_count; i++)
        dt_ptq_round_nearest(r->q, &r->weight[i], r->q->p->state->data[r->weight[i].value]);
}

static dt_status finish(dt_ptq_recon *r, const real *kept, dt_ptq_result *out, dt_error *err)
{
    for (int i = 0; i < r->variable_count; i++)
        if (r->variable[i].row->finish) r->variable[i].row->finish(&r->variable[i], out);
    settle_weights(r);
    DT_TRY(dt_ptq_recon_measure(r, &out->after, err));
    if (!(out->after < out->before)) {
        copy_parameters(r, (real *)(uintptr_t)kept, true);
        settle_weights(r);
        out->after = out->before;
    }
    for (int i = 0; i < r->weight_count; i++) {
        out->weights += r->weight[i].count;
        out->changed += dt_ptq_changed(r->q, &r->weight[i]);
    }
    return DT_OK;
}

static dt_status run(dt_ptq_recon *r, dt_ptq_result *out, dt_error *err)
{
    DT_TRY(find_weights(r, err));
    DT_TRY(read_values(r, err));
    DT_TRY(get_batch(r, err));
    DT_TRY(dt_ptq_losses_open(r, err));
    DT_TRY(dt_ptq_recon_measure(r, &out->before, err));
    DT_TRY(open_variables(r, err));
    const real *kept = keep_parameters(r);
    if (!kept) return no_memory(err);
    DT_TRY(make_plan(r, err));
    DT_TRY(iterate_all(r, err));
    return finish(r, kept, out, err);
}

dt_status dt_ptq_recon_unit(dt_ptq *q, const dt_ptq_unit *unit, const dt_ptq_recon_conf *conf,
                            dt_ptq_result *out, dt_error *err)
{
    *out = (dt_ptq_result){ .unit = unit->name };
    dt_ptq_recon r = { .q = q,
                       .unit = unit,
                       .conf = conf,
                       .batch = conf->batch < q->p->count ? conf->batch : q->p->count,
                       .arena = dt_arena_new(q->p->alloc, "unit") };
    if (!r.arena) return no_memory(err);
    dt_status st = run(&r, out, err);
    close(&r);
    return st;
}
