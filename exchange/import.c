/* The table of importers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/import.h"

#include "core/file.h"
#include "core/glob.h"
#include "exchange/foreign_names.h"

#define DT_IMPORTER(name, folder) extern const dt_importer dt_importer_##name;
#include "exchange/importers.def"
#undef DT_IMPORTER

#define DT_IMPORTER(name, folder) &dt_importer_##name.row,
static const dt_row *const rows[] = {
#include "exchange/importers.def"
    NULL,
};
#undef DT_IMPORTER

const dt_table dt_importers = { .kind = "importer", .rows = rows };

const dt_importer *dt_importer_of(const unsigned char *bytes, size_t size)
{
    for (const dt_row *const *r = rows; *r; r++) {
        const dt_importer *importer = (const dt_importer *)(const void *)*r;
        if (importer->probe(bytes, size)) return importer;
    }
    return NULL;
}

/* Counts of batches, of averaged models, and of operations by profilers. */
const char *const dt_import_pytorch_beside[] = { "num_batches_tracked", "*.num_batches_tracked",
                                                 "n_averaged",          "total_ops",
                                                 "*.total_ops",         "total_params",
                                                 "*.total_params",      NULL };

bool dt_import_is_beside(const dt_importer *importer, const char *name)
{
    for (const char *const *glob = importer ? importer->beside : NULL; glob && *glob; glob++)
        if (dt_glob_match(*glob, name)) return true;
    return false;
}

static dt_status unknown_kind(const char *path, dt_error *err)
{
    const dt_where where = { .file = path };
    char names[256] = "";
    size_t used = 0;
    for (size_t i = 0; rows[i] && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 rows[i]->name);
    return dt_fail(err, DT_ERR_FORMAT, &where, "is no checkpoint of a known kind (%s)", names);
}

/* Who has no dictionaries and no prefixes. */
static dt_status refuse_key(const dt_import_job *job, const dt_importer *importer, dt_error *err)
{
    const dt_where where = { .file = job->path, .key = dt_import_key_name(job) };
    return dt_fail(err, DT_ERR_UNSUPPORTED, &where,
                   "'%s' chooses in files of other programs, this one is of the kind '%s'; give it "
                   "an empty key",
                   job->key, importer->row.name);
}

dt_status dt_import_read(dt_import_job *job, dt_tensors *out, dt_error *err)
{
    const dt_importer *importer = dt_importer_of(job->bytes, job->size);
    job->note[0] = '\0';
    if (!importer) return unknown_kind(job->path, err);
    if (dt_import_has_key(job) && !importer->keyed) return refuse_key(job, importer, err);
    dt_tensors set;
    DT_TRY(dt_tensors_init(&set, job->alloc, err));
    dt_status st = importer->read(job, &set, err);
    if (st == DT_OK)
        *out = set;
    else
        dt_tensors_fini(&set);
    return st;
}

dt_status dt_import_bytes(const char *path, const unsigned char *bytes, size_t size,
                          const dt_alloc *a, dt_tensors *out, dt_error *err)
{
    dt_import_job job = { .path = path, .bytes = bytes, .size = size, .alloc = a };
    return dt_import_read(&job, out, err);
}

dt_status dt_import_file(const char *path, const dt_alloc *a, dt_tensors *out, dt_error *err)
{
    unsigned char *bytes;
    size_t size;
    DT_TRY(dt_file_read(a, path, DT_IMPORT_MAX_BYTES, &bytes, &size, err));
    dt_status st = dt_import_bytes(path, bytes, size, a, out, err);
    dt_put(a, bytes);
    return st;
}
