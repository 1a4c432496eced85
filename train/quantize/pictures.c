/* What quantization starts from. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "train/quantize/quantize_state.h"

dt_status dt_quantize_check(const dt_session *s, dt_error *err)
{
    const dt_recipe *r = s->recipe;
    if (!r->quant.enabled)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = r->name, .key = "quant" },
                       "is none: nothing says what to quantize to; give --bits, such as --bits 8");
    if (s->source == DT_INIT_RANDOM)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = r->name, .key = "model.init" },
                       "is not given: there is nothing to quantize but random weights");
    return DT_OK;
}

const dt_distribution *dt_quantize_says(const dt_goal_part *p, double *out_weight)
{
    *out_weight = p->task ? p->weight : 1;
    return p->task ? p->task->says : &dt_normal;
}

void dt_quantize_net(const dt_session *s, dt_ptq_output out[DT_GRAPH_PORTS], dt_ptq_params *p)
{
    const dt_goal *g = &s->net.goal;
    const dt_recipe_ptq *q = &s->recipe->ptq;
    int value[DT_GRAPH_PORTS], count = dt_graph_wanted(&s->net.graph, s->net.logits, value);
    int64_t at = 0;
    for (int k = 0; k < count; k++) {
        out[k] = (dt_ptq_output){ .value = value[k], .says = &dt_normal, .weight = 1 };
        for (int i = 0; i < g->count; i++)
            if (g->part[i].at == at) out[k].says = dt_quantize_says(&g->part[i], &out[k].weight);
        at += dt_shape_count(&s->net.graph.value[value[k]].shape);
    }
    *p = (dt_ptq_params){ .graph = &s->net.graph,
                          .state = (dt_state *)(uintptr_t)&s->net.state,
                          .input = s->net.input,
                          .logits = s->net.logits,
                          .output = out,
                          .outputs = count,
                          .kernels = &s->kernels,
                          .threads = s->threads,
                          .seed = (uint64_t)s->recipe->train.seed,
                          .count = q->images,
                          .batch = q->batch,
                          .alloc = s->alloc };
}

/* Inputs of a unit in both nets, its output in both, weights of its errors, and the stream. */
enum { VALUES = 7 };

dt_status dt_quantize_count(void *arg, dt_session *s, const char **out_key, dt_error *err)
{
    const dt_graph *g = &s->net.graph;
    size_t input = (size_t)dt_net_input_count(&s->net), largest = input, bytes;
    const dt_recipe_ptq *q = &s->recipe->ptq;
    const size_t images = (size_t)q->images;
    const size_t held =
        arg && *(const bool *)arg && q->batch < q->images ? (size_t)q->batch : images;
    *out_key = "ptq.images";
    for (int v = 0; v < g->value_count; v++) {
        size_t n = (size_t)dt_shape_count(&g->value[v].shape);
        if (g->value[v].batched && n > largest) largest = n;
    }
    if (!dt_size_mul(VALUES * largest * sizeof(real), held, &bytes)) bytes = SIZE_MAX / 2;
    bytes += (dt_quantize_varies(s->recipe) ? 2 : 1) * input * sizeof(real) * images;
    void *all = dt_get(s->alloc, bytes, "values of all pictures");
    dt_put(s->alloc, all);
    return all ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
}

static dt_status read_all(dt_loader *loader, int64_t count, int64_t batch, int64_t n, float *to,
                          dt_error *err)
{
    for (int64_t at = 0; at < count; at += batch) {
        dt_batch b;
        int64_t take = count - at < batch ? count - at : batch;
        DT_TRY(dt_loader_next(loader, &b, err));
        memcpy(to + at * n, b.x, sizeof *to * (size_t)(take * n));
    }
    return DT_OK;
}

static const dt_ptq_stage *stage_at(const dt_recipe *r, size_t i)
{
    return (const dt_ptq_stage *)(const void *)r->ptq.stage[i].row;
}

bool dt_quantize_makes(const dt_recipe *r)
{
    return r->ptq.stage_count > 0 && stage_at(r, 0)->makes_pictures;
}

bool dt_quantize_varies(const dt_recipe *r)
{
    for (size_t i = 0; i < r->ptq.stage_count && r->data.train_count; i++)
        if (stage_at(r, i)->reads_varied && !dt_quantize_makes(r)) return true;
    return false;
}

dt_status dt_quantize_pictures(dt_session *s, dt_split transforms, float **out, dt_error *err)
{
    const dt_recipe_ptq *q = &s->recipe->ptq;
    const int64_t n = dt_net_input_count(&s->net);
    int64_t have = dt_data_info_of(s->data)->count[DT_SPLIT_TRAIN] - s->data_conf->val;
    int64_t batch = q->batch < q->images ? q->batch : q->images;
    dt_loader *loader;
    if (q->images > have)
        return dt_fail(err, DT_ERR_RANGE,
                       &(dt_where){ .file = s->recipe->name, .key = "ptq.images" },
                       "%d is more than the %lld training pictures", q->images, (long long)have);
    float *x = dt_get_array(s->alloc, (size_t)q->images, (size_t)n * sizeof *x, "pictures");
    if (!x) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for pictures");
    dt_status st = dt_session_loader_as(s, DT_SPLIT_TRAIN, transforms, batch, &loader, err);
    if (st == DT_OK) {
        st = read_all(loader, q->images, batch, n, x, err);
        dt_loader_close(loader);
    }
    if (st == DT_OK)
        *out = x;
    else
        dt_put(s->alloc, x);
    return st;
}
