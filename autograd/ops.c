/* The op table: rows of ops.def. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/op.h"

#define DT_OP(name) extern const dt_op dt_op_##name;
#include "autograd/ops.def"

const dt_op *const dt_ops[] = {
#define DT_OP(name) &dt_op_##name,
#include "autograd/ops.def"
    NULL,
};

const dt_op *dt_op_find(const char *name)
{
    for (const dt_op *const *op = dt_ops; *op; op++)
        if (strcmp((*op)->name, name) == 0) return *op;
    return NULL;
}

dt_status dt_infer_same(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                        dt_error *err)
{
    (void)conf;
    (void)in_count;
    (void)err;
    out[0] = in[0];
    return DT_OK;
}

void dt_op_each(const dt_op_run *r, int64_t count, dt_task task)
{
    dt_op_run copy = *r; /* tasks take a pointer that is not const */
    dt_parallel(r->threads, count, task, &copy);
}

size_t dt_op_most(const size_t *bytes, int count)
{
    size_t most = 0;
    for (int i = 0; i < count; i++)
        most = bytes[i] > most ? bytes[i] : most;
    return most;
}

void dt_op_join_parts(const dt_op_run *r, int64_t blocks, int64_t length, bool one)
{
    const double *part = r->work;
    real *d = r->d_in[1];
    double whole = 0;
    for (int64_t c = 0; d && c < length; c++) {
        double sum = 0;
        for (int64_t i = 0; i < blocks; i++)
            sum += part[i * length + c];
        whole += sum;
        if (!one) d[c] = (r->add[1] ? d[c] : 0) + (real)sum;
    }
    if (d && one) d[0] = (r->add[1] ? d[0] : 0) + (real)whole;
}
