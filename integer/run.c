/* Buffers of an execution. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "integer/run.h"

static dt_status no_memory(dt_int_run *r, dt_error *err)
{
    dt_int_run_fini(r);
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to run the integer model");
}

dt_status dt_int_run_init(dt_int_run *r, const dt_int_model *m, const dt_int_executor *e,
                          const dt_kernels *k, int threads, int64_t room, const dt_alloc *a,
                          dt_error *err)
{
    *r = (dt_int_run){
        .model = m, .executor = e, .kernels = k, .threads = threads, .room = room, .alloc = a
    };
    r->data = dt_get_array(a, (size_t)m->value_count + 1, sizeof *r->data, "integer values");
    if (!r->data) return no_memory(r, err);
    for (int i = 0; i < m->value_count; i++) {
        size_t size = m->value[i].is_sum ? sizeof(int32_t) : 1, count;
        if (!dt_size_mul((size_t)dt_int_count(&m->value[i]), (size_t)room, &count))
            return no_memory(r, err);
        r->data[i] = dt_get_array(a, count, size, "integer values");
        if (!r->data[i]) return no_memory(r, err);
    }
    if (e->work) {
        r->work = dt_get(a, e->work(r), "integer work");
        if (!r->work) return no_memory(r, err);
    }
    return DT_OK;
}

void dt_int_run_fini(dt_int_run *r)
{
    for (int i = 0; r->data && i < r->model->value_count; i++)
        dt_put(r->alloc, r->data[i]);
    dt_put(r->alloc, r->data);
    dt_put(r->alloc, r->work);
    *r = (dt_int_run){ 0 };
}

void dt_int_run_node(dt_int_run *r, int node)
{
    r->executor->node(r, &r->model->node[node]);
}

void dt_int_run_forward(dt_int_run *r, const float *picture, int64_t n)
{
    r->picture = picture;
    r->n = n;
    for (int i = 0; i < r->model->node_count; i++)
        dt_int_run_node(r, i);
}

void dt_int_run_logits(const dt_int_run *r, float *out)
{
    const dt_int_model *m = r->model;
    int64_t record = dt_int_outputs(m), at = 0;
    for (int k = 0; k < m->outputs; k++) {
        const dt_int_value *v = &m->value[m->output[k]];
        const uint8_t *code = r->data[m->output[k]];
        int64_t count = dt_int_count(v);
        for (int64_t i = 0; i < r->n; i++)
            for (int64_t c = 0; c < count; c++)
                out[i * record + at + c] = dt_grid_value(&v->grid, code[i * count + c]);
        at += count;
    }
}
