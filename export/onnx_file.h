/* What all exporters to ONNX share: lowering, permission for float parts, metadata, the file. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXPORT_ONNX_FILE_H
#define DT_EXPORT_ONNX_FILE_H

#include "export/onnx_message.h"

/* Adds graph, inputs and outputs to the model. */
typedef dt_status dt_onnx_build(const dt_export_source *src, const dt_lowered *l, dt_onnx *m,
                                dt_error *err);

/* The `write` of an exporter's row. Parts without quantizers are refused unless `allow_float`. */
dt_status dt_onnx_write(const dt_export_source *src, bool allow_float, dt_onnx_build *build,
                        const char *path, dt_export_report *out_report,
                        dt_error *err) DT_MUST_CHECK;

#endif
