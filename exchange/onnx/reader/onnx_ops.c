/* The table of operators. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_ops.h"

#include <string.h>

#define DT_ONNX_OP(name, file) extern const dt_ox_op dt_ox_op_##name;
#include "exchange/onnx/reader/onnx_ops.def"
#undef DT_ONNX_OP

const dt_ox_op *const dt_ox_ops[] = {
#define DT_ONNX_OP(name, file) &dt_ox_op_##name,
#include "exchange/onnx/reader/onnx_ops.def"
#undef DT_ONNX_OP
    NULL,
};

static bool is_of(const dt_ox_op *op, const char *domain)
{
    if (op->domain && strcmp(op->domain, domain) == 0) return true;
    return !op->own_domain && (!*domain || strcmp(domain, "ai.onnx") == 0);
}

const dt_ox_op *dt_ox_op_find(const char *domain, const char *name)
{
    for (const dt_ox_op *const *op = dt_ox_ops; *op; op++)
        if (strcmp((*op)->name, name) == 0 && is_of(*op, domain)) return *op;
    return NULL;
}
