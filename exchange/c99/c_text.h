/* Writing the text of a C export; inside exchange/c99/ only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_C99_C_TEXT_H
#define DT_EXCHANGE_C99_C_TEXT_H

#include "exchange/c99/c_write.h"

typedef struct dt_c_text {
    const dt_c_program *p;
    const dt_int_model *m;
    dt_text *out;
} dt_c_text;

void dt_c_say(dt_c_text *t, const char *fmt, ...) DT_PRINTF(2, 3);
/* A fixed part, with the prefix in place of @net@ and @NET@, and dt_c_outputs in that of @OUT@. */
void dt_c_say_part(dt_c_text *t, const char *part);
/* What the macro is called, behind the prefix, that counts the codes of all outputs. */
const char *dt_c_outputs(const dt_c_text *t);
/* A name from elsewhere, fit for a comment. */
const char *dt_c_plain(const char *name, char out[96]);
/* Elements of an array and its end, in lines of a hundred columns. */
void dt_c_say_list(dt_c_text *t, int64_t n, int64_t (*at)(const void *data, int64_t i),
                   const void *data);
int64_t dt_c_at_u8(const void *data, int64_t i);

/* The numbers of one step: weights, multipliers, sizes (c_layers.c). */
void dt_c_say_numbers(dt_c_text *t, int step);

#endif
