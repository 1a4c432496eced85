/* ONNX. Quantized networks are written in the QDQ form with every activation in uint8; see
 * onnx_walk.c for the graph and lower.h for the integers. What has no quantizer would run in float:
 * such a network is refused unless `allow_float`. */
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
    return dt_onnx_walk(l, &(dt_onnx_walk_params){ .packed = false }, m, err);
}

static dt_status write(const dt_export_source *src, const void *options, const char *path,
                       dt_export_report *out_report, dt_error *err)
{
    const conf *c = options;
    return dt_onnx_write(src, c->allow_float, build, path, out_report, err);
}

const dt_exporter dt_exporter_onnx = {
    .row = { "onnx", "ONNX, QDQ form: integer models for onnxruntime and others", opts,
             sizeof(conf) },
    .extension = "onnx",
    .write = write,
};
