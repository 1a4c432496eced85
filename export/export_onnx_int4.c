/* ONNX for storage: the QDQ form, where weights of up to 4 bits are INT4, two in a byte, with the
 * trained codes and scales (opset 21). onnxruntime has no integer kernels for these and computes in
 * float; to run integers, write the format `onnx`. A layer with a code that four bits do not hold
 * (-8 in a channel of negative scale is 8) stays in bytes. */
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
    return dt_onnx_walk(l, &(dt_onnx_walk_params){ .packed = true }, m, err);
}

static dt_status write(const dt_export_source *src, const void *options, const char *path,
                       dt_export_report *out_report, dt_error *err)
{
    const conf *c = options;
    return dt_onnx_write(src, c->allow_float, build, path, out_report, err);
}

const dt_exporter dt_exporter_onnx_int4 = {
    .row = { "onnx_int4",
             "ONNX, weights of up to 4 bits packed (opset 21): for storage, runs in float", opts,
             sizeof(conf) },
    .extension = "onnx",
    .write = write,
};
