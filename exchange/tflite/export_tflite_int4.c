/* TFLite with weights of up to 4 bits packed as INT4. Codes are as trained, without the gain, so
 * biases are in coarser steps than in the other formats: verify compares with a model lowered so.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/tflite/tflite_file.h"

static dt_status write(const dt_export_source *src, const void *options, const char *path,
                       dt_export_report *out_report, dt_error *err)
{
    (void)options;
    return dt_tflite_write(src, true, path, out_report, err);
}

const dt_exporter dt_exporter_tflite_int4 = {
    .row = { "tflite_int4", "TFLite, int8 activations, weights of up to 4 bits packed" },
    .extension = "tflite",
    .no_gain = true,
    .write = write,
};
