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

const dt_ox_op *dt_ox_op_find(const char *domain, const char *name)
{
    if (*domain && strcmp(domain, "ai.onnx") != 0) return NULL;
    for (const dt_ox_op *const *op = dt_ox_ops; *op; op++)
        if (strcmp((*op)->name, name) == 0) return *op;
    return NULL;
}
