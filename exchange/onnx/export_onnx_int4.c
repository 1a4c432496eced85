/* ONNX for storage: the QDQ form, where weights of up to 4 bits are INT4, two in a byte, with the
 * trained codes and scales (opset 21). onnxruntime has no integer kernels for these and computes in
 * float; to run integers, write the format `onnx`. A layer with a code that four bits do not hold
 * (-8 in a channel of negative scale is 8) stays in bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/onnx_file.h"

static dt_status write(const dt_export_source *src, const void *options, const char *path,
                       dt_export_report *out_report, dt_error *err)
{
    const dt_onnx_walk_params params = { .packed = true };
    return dt_onnx_write_qdq(src, &params, options, path, out_report, err);
}

const dt_exporter dt_exporter_onnx_int4 = {
    .row = { "onnx_int4",
             "ONNX, weights of up to 4 bits packed (opset 21): for storage, runs in float",
             dt_onnx_opts, sizeof(dt_onnx_conf) },
    .extension = "onnx",
    .write = write,
};
