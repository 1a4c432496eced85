/* ONNX files, node by node. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/inspect/inspect_onnx.h"

dt_status dt_inspect_onnx(const char *path, void (*fn)(void *arg, const dt_onnx_look *look),
                          void *arg, const dt_alloc *a, dt_error *err)
{
    dt_onnx_net *net;
    DT_TRY(dt_onnx_net_open(path, a, &net, err));
    dt_status st = dt_onnx_net_look(net, fn, arg, err);
    dt_onnx_net_close(net);
    return st;
}
