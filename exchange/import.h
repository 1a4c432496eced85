/* Foreign checkpoints: one row in importers.def and one file import_<name>.c for each kind. A file
 * is recognised by its content, never by its name, and nothing in it is ever executed. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_IMPORT_H
#define DT_EXCHANGE_IMPORT_H

#include "core/opt.h"
#include "core/tensorfile.h"

/* A file to be read, and what of it. */
enum { DT_IMPORT_NOTE = 400 };
typedef struct dt_import_job {
    const char *path; /* for messages */
    const unsigned char *bytes;
    size_t size;
    const dt_alloc *alloc;
    const char *key;      /* dictionary or prefix of names that is wanted; NULL or "": choose */
    const char *key_name; /* how the user names it, for messages; NULL: model.init_key */
    char note[DT_IMPORT_NOTE]; /* out: a choice that was made and how to make another; else "" */
} dt_import_job;

typedef struct dt_importer {
    dt_row row;    /* name, help */
    bool native;   /* in the engine's own layouts and names */
    bool is_codes; /* holds what was exported: to be inspected, no start of a training */
    bool is_graph; /* holds a network that can be a recipe's model */
    bool keyed;    /* understands the key of a job */
    /* Patterns of tensors that are not of a net and that nobody misses; NULL-terminated, or NULL.
     */
    const char *const *beside;
    /* True when `bytes` starts like such a file. */
    bool (*probe)(const unsigned char *bytes, size_t size);
    /* Adds the file's tensors and texts to the empty set `out`; they own their data, `bytes` may go
     * afterwards. On failure `out` may be half filled. */
    dt_status (*read)(dt_import_job *job, dt_tensors *out, dt_error *err);
} dt_importer;

extern const dt_table dt_importers; /* rows are dt_importer */
extern const dt_importer dt_importer_detent;
extern const char *const dt_import_pytorch_beside[]; /* `beside` of PyTorch's names */
/* Whether a tensor of such a file is beside the net; false without an importer. */
bool dt_import_is_beside(const dt_importer *importer, const char *name);

/* The importer of a file that starts so; NULL: none. */
const dt_importer *dt_importer_of(const unsigned char *bytes, size_t size);

#define DT_IMPORT_MAX_BYTES ((size_t)4 << 30) /* of a file */

/* Reads a checkpoint of any kind in the table. Tensors keep the file's layouts, shapes slowest
 * first, and its names without what wrappers put there (foreign_names.h); wrapping dictionaries are
 * gone (torch_dict.h), and tensors without elements are left out. On success the set is the
 * caller's to dt_tensors_fini, on failure `out` is untouched. Errors: NOT_FOUND, IO (the file; a
 * key that is not there); FORMAT (no known kind, or damaged); UNSUPPORTED (valid, but holds what
 * Detent does not read, or has no keys to choose by); NOMEM. */
dt_status dt_import_read(dt_import_job *job, dt_tensors *out, dt_error *err) DT_MUST_CHECK;
/* The same of a file by name, without a key. */
dt_status dt_import_file(const char *path, const dt_alloc *a, dt_tensors *out,
                         dt_error *err) DT_MUST_CHECK;
/* And from memory. */
dt_status dt_import_bytes(const char *path, const unsigned char *bytes, size_t size,
                          const dt_alloc *a, dt_tensors *out, dt_error *err) DT_MUST_CHECK;

#endif
