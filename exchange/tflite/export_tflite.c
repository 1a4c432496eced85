/* TFLite, for LiteRT: int8 activations, int8 weights with a scale for each output channel. The
 * weights have the integer model's gain, so sums and codes are those of the other formats. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/tflite/tflite_file.h"

static dt_status write(const dt_export_source *src, const void *options, const char *path,
                       dt_export_report *out_report, dt_error *err)
{
    (void)options;
    return dt_tflite_write(src, false, path, out_report, err);
}

const dt_exporter dt_exporter_tflite = {
    .row = { "tflite", "TFLite, int8: for LiteRT; takes and gives codes" },
    .extension = "tflite",
    .write = write,
};
