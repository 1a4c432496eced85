/* Constants of an ONNX file: elements of any type that is read, from raw bytes, from typed fields,
 * or from a file beside it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_TENSOR_H
#define DT_EXCHANGE_ONNX_READER_ONNX_TENSOR_H

#include "exchange/onnx/reader/onnx_ir.h"
#include "onnx.pb-c.h"

/* What reading constants needs beside the file. */
typedef struct dt_ox_source {
    dt_ox_file *file;
    const char *folder; /* where external data may lie; NULL: nowhere */
    dt_sha256 *sha256;  /* external data goes in */
} dt_ox_source;

dt_status dt_ox_tensor_read(dt_ox_source *s, const Onnx__TensorProto *t, dt_ox_tensor *out,
                            dt_error *err) DT_MUST_CHECK;

/* `size` bytes of external data, as the tensor's entries say, to be given back with dt_put(a, .).
 * `place` is the tensor's name, for messages. */
dt_status dt_ox_external(dt_ox_source *s, const Onnx__TensorProto *t, size_t size,
                         unsigned char **out, dt_error *err) DT_MUST_CHECK;

#endif
