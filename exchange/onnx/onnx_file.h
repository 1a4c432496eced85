/* What all exporters to ONNX share: lowering, permission for float parts, metadata, the file. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_ONNX_FILE_H
#define DT_EXCHANGE_ONNX_ONNX_FILE_H

#include "exchange/onnx/onnx_walk.h"

/* Adds graph, inputs and outputs to the model. */
typedef dt_status dt_onnx_build(const dt_export_source *src, const dt_lowered *l, const void *arg,
                                dt_onnx *m, dt_error *err);
/* The same from the integer model. */
typedef dt_status dt_onnx_build_model(const dt_export_source *src, const dt_int_model *model,
                                      dt_onnx *m, dt_error *err);

typedef struct dt_onnx_form {
    dt_onnx_build *build;
    const void *arg;  /* for it */
    bool allow_float; /* otherwise parts without quantizers are refused */
} dt_onnx_form;

/* Options of rows that may hold float parts. */
typedef struct dt_onnx_conf {
    bool allow_float;
} dt_onnx_conf;
extern const dt_opt dt_onnx_opts[];

/* What `write` of a row does: in any form; in the QDQ form; from the integer model that rounds by
 * this contract. */
dt_status dt_onnx_write(const dt_export_source *src, const dt_onnx_form *form, const char *path,
                        dt_export_report *out_report, dt_error *err) DT_MUST_CHECK;
dt_status dt_onnx_write_qdq(const dt_export_source *src, const dt_onnx_walk_params *params,
                            const dt_onnx_conf *conf, const char *path,
                            dt_export_report *out_report, dt_error *err) DT_MUST_CHECK;
dt_status dt_onnx_write_model(const dt_export_source *src, const char *contract,
                              dt_onnx_build_model *build, const char *path,
                              dt_export_report *out_report, dt_error *err) DT_MUST_CHECK;

#endif
