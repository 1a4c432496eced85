/* What forms share whose codes come from tables: dt_int_node.table, of 256 codes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_FORMS_TABLE_H
#define DT_FORMS_TABLE_H

#include "exchange/c99/c_cell.h"
#include "exchange/tflite/tflite_walker.h"
#include "integer/job.h"

void dt_table_reference(const dt_int_job *j, int64_t picture);
dt_status dt_table_tflite(dt_tflite_walker *w, const dt_int_node *n, const dt_int_node *end);
extern const dt_c_cell dt_table_c;

#endif
