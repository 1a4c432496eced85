/* ONNX in the QDQ form that TensorRT takes: int8 with zero points of 0, float biases. Only its
 * structure is checked here (tests/export/trt_check.py), for TensorRT cannot be had. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "export/onnx_file.h"
#include "export/onnx_walk.h"

typedef struct conf {
    bool allow_float;
} conf;

static const dt_opt opts[] = {
    DT_OPT_BOOL(conf, allow_float, 0, "write parts without quantizers in float"),
    DT_OPT_END,
};

static dt_status build(const dt_export_source *src, const dt_lowered *l, dt_onnx *m, dt_error *err)
{
    (void)src;
    return dt_onnx_walk(l, &(dt_onnx_walk_params){ .symmetric = true }, m, err);
}

static dt_status write(const dt_export_source *src, const void *options, const char *path,
                       dt_export_report *out_report, dt_error *err)
{
    const conf *c = options;
    return dt_onnx_write(src, c->allow_float, build, path, out_report, err);
}

const dt_exporter dt_exporter_onnx_trt = {
    .row = { "onnx_trt", "ONNX, QDQ form with zero points of 0 and float biases: for TensorRT",
             opts, sizeof(conf) },
    .extension = "onnx",
    .write = write,
};
