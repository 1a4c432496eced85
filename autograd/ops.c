/* The op table: rows of ops.def. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/op.h"

#define DT_OP(name) extern const dt_op dt_op_##name;
#include "autograd/ops.def"
#undef DT_OP

const dt_op *const dt_ops[] = {
#define DT_OP(name) &dt_op_##name,
#include "autograd/ops.def"
#undef DT_OP
    NULL,
};

const dt_op *dt_op_find(const char *name)
{
    for (const dt_op *const *op = dt_ops; *op; op++)
        if (strcmp((*op)->name, name) == 0) return *op;
    return NULL;
}
