/* ONNX in the QDQ form that TensorRT takes: int8 with zero points of 0, float biases. Only its
 * structure is checked here (tests/exchange/trt_check.py), for TensorRT cannot be had. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/onnx_file.h"

static dt_status write(const dt_export_source *src, const void *options, const char *path,
                       dt_export_report *out_report, dt_error *err)
{
    const dt_onnx_walk_params params = { .symmetric = true };
    return dt_onnx_write_qdq(src, &params, options, path, out_report, err);
}

const dt_exporter dt_exporter_onnx_trt = {
    .row = { "onnx_trt", "ONNX, QDQ form with zero points of 0 and float biases: for TensorRT",
             dt_onnx_opts, sizeof(dt_onnx_conf) },
    .extension = "onnx",
    .write = write,
};
