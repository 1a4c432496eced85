/* What the exporters to TFLite share: lowering, the integer model, the file. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_TFLITE_TFLITE_FILE_H
#define DT_EXCHANGE_TFLITE_TFLITE_FILE_H

#include "exchange/exporter.h"

/* The `write` of a row. `halves`: weights of up to 4 bits are INT4, two in a byte, with the trained
 * codes, so the model is that of a lowering without gain. Errors: UNSUPPORTED names the layer. */
dt_status dt_tflite_write(const dt_export_source *src, bool halves, const char *path,
                          dt_export_report *out_report, dt_error *err) DT_MUST_CHECK;

#endif
