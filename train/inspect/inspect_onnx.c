/* ONNX files, node by node. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/inspect/inspect_onnx.h"

#include "train/net/budget.h"

dt_status dt_inspect_onnx(const char *path, void (*fn)(void *arg, const dt_onnx_look *look),
                          void *arg, const dt_memory_limit *limit, dt_error *err)
{
    dt_capped held;
    dt_onnx_net *net;
    dt_budget_hold(&held, limit);
    dt_status st = dt_onnx_net_open(path, &held.alloc, &net, err);
    if (st == DT_OK) {
        st = dt_onnx_net_look(net, fn, arg, err);
        dt_onnx_net_close(net);
    }
    return dt_budget_held(&held, st, limit, path, "a smaller file needs less", err);
}
