/* One importer, and what must hold of everything it accepts. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_FUZZ_FUZZ_IMPORT_H
#define DT_TESTS_FUZZ_FUZZ_IMPORT_H

#include <stdlib.h>
#include <string.h>

#include "exchange/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Touches every byte of a set, so that sanitizers see what reaches outside. */
static inline unsigned touch(const dt_tensors *set)
{
    unsigned sum = 0;
    for (size_t i = 0; i < set->count; i++) {
        const dt_named_tensor *t = &set->item[i];
        const unsigned char *data = t->data;
        size_t n = (size_t)dt_shape_count(&t->shape) * dt_dtype_size(t->dtype);
        if (n == 0 || !*t->name || dt_tensors_find(set, t->name) != t) abort();
        for (size_t j = 0; j < n; j++)
            sum += data[j];
    }
    for (size_t i = 0; i < set->attr_count; i++)
        sum += (unsigned)strlen(set->attr[i].value);
    return sum;
}

static inline void fuzz_import_key(const char *name, const uint8_t *data, size_t size,
                                   const char *key)
{
    const dt_importer *importer =
        (const dt_importer *)(const void *)dt_table_find(&dt_importers, name);
    dt_tensors set;
    dt_error err = { 0 };
    if (!importer->probe(data, size) || dt_tensors_init(&set, NULL, &err) != DT_OK) return;
    dt_import_job job = { .path = "fuzz", .bytes = data, .size = size, .key = key };
    dt_status st = importer->read(&job, &set, &err);
    volatile unsigned sink = touch(&set);
    (void)sink;
    /* A refusal has one line that starts with the file. */
    if (st != DT_OK && (strncmp(err.text, "fuzz: ", 6) != 0 || strchr(err.text, '\n'))) abort();
    if (strlen(job.note) >= sizeof job.note || strchr(job.note, '\n')) abort();
    dt_tensors_fini(&set);
}

static inline void fuzz_import(const char *name, const uint8_t *data, size_t size)
{
    fuzz_import_key(name, data, size, NULL);
}

/* Of a row that understands keys. */
static inline void fuzz_import_keys(const char *name, const uint8_t *data, size_t size)
{
    fuzz_import(name, data, size);
    fuzz_import_key(name, data, size, "w");
}

#endif
