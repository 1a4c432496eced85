/* ONNX. Quantized networks are written in the QDQ form with every activation in uint8; see
 * onnx_walk.c for the graph and lower.h for the integers. What has no quantizer would run in float:
 * such a network is refused unless `allow_float`. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/onnx_file.h"

static dt_status write(const dt_export_source *src, const void *options, const char *path,
                       dt_export_report *out_report, dt_error *err)
{
    const dt_onnx_walk_params params = { .packed = false };
    return dt_onnx_write_qdq(src, &params, options, path, out_report, err);
}

const dt_exporter dt_exporter_onnx = {
    .row = { "onnx", "ONNX, QDQ form: integer models for onnxruntime and others", dt_onnx_opts,
             sizeof(dt_onnx_conf) },
    .extension = "onnx",
    .write = write,
};
