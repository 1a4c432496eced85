/* The integer model on the fast kernels: exact products (kernels/conv_int.h), and codes by the
 * contract's own arithmetic, in vectors for float32, not by the thresholds and tables that the
 * reference goes by. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "integer/job.h"

enum { CHUNK = 8192 };

static void formula_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_int_formula *f = arg;
    int64_t end = (i + 1) * CHUNK < f->count ? (i + 1) * CHUNK : f->count;
    for (int64_t k = i * CHUNK; k < end; k++)
        f->out[k] = (uint8_t)f->code(f, k);
}

void dt_int_each_element(int threads, const dt_int_formula *f)
{
    dt_int_formula copy = *f;
    dt_parallel(threads, (f->count + CHUNK - 1) / CHUNK, formula_task, &copy);
}

static void node(dt_int_run *r, const dt_int_node *n)
{
    if (n->form->engine)
        n->form->engine(r, n);
    else
        dt_int_reference.node(r, n);
}

static size_t work(const dt_int_run *r)
{
    size_t most = 0;
    for (int i = 0; i < r->model->node_count; i++) {
        const dt_int_node *n = &r->model->node[i];
        size_t size = n->form->work ? n->form->work(r, n) : 0;
        most = size > most ? size : most;
    }
    return most;
}

const dt_int_executor dt_int_engine = { "engine", node, work };
