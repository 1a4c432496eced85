/* The two files of a C export: header and source. The fixed parts of the source are the files in
 * exchange/c99. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_C99_C_WRITE_H
#define DT_EXCHANGE_C99_C_WRITE_H

#include "core/file.h"
#include "core/text.h"
#include "exchange/c99/c_numbers.h"
#include "exchange/c99/c_plan.h"
#include "exchange/exporter.h"

enum { DT_C_PREFIX = 64, DT_C_TESTS = 3 };

/* Bytes of the parts that a program holds. */
typedef struct dt_c_sizes {
    size_t weights, trained, biases, multipliers, tables;
} dt_c_sizes;

typedef struct dt_c_program {
    const dt_export_source *src;
    const dt_c_plan *plan;
    const char *header;    /* name of the header, without folder */
    char net[DT_C_PREFIX]; /* prefix of functions, and of macros in capitals */
    char macro[DT_C_PREFIX];
    void **packed;   /* by node of the model: what its form made of it once */
    uint8_t *pixel;  /* [C][256]: codes of pixel values; NULL: not known */
    uint32_t *crc;   /* by step: of the codes of all test pictures */
    uint8_t *logits; /* [DT_C_TESTS][codes of all outputs] */
    dt_c_sizes sizes;
    char id[DT_SHA256_HEX]; /* the same in both files */
} dt_c_program;

/* Code of element i of a test picture; exchange/c99/self_test.c.in has the same. `noise` starts
 * at 1 + picture. */
uint8_t dt_c_test_code(const dt_lower_grid *g, int picture, uint32_t *noise);

void dt_c_write_header(const dt_c_program *p, dt_text *out);
void dt_c_write_source(const dt_c_program *p, dt_text *out);

#endif
