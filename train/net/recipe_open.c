/* Where every command and the module for Python start. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/net/recipe_open.h"

#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "exchange/import.h"
#include "train/net/session.h"
#include "train/store/container.h"

/* The first bytes of a file; 0: it cannot be opened, and its reader says why. */
static size_t read_start(const char *path, unsigned char start[DT_CONTAINER_BLOCK])
{
    FILE *f;
    if (dt_file_open(path, &f, NULL) != DT_OK) return 0;
    size_t n = fread(start, 1, DT_CONTAINER_BLOCK, f);
    fclose(f);
    return n;
}

bool dt_is_checkpoint(const char *path)
{
    unsigned char start[DT_CONTAINER_BLOCK];
    return dt_container_probe(start, read_start(path, start));
}

dt_status dt_recipe_check_file(const char *path, dt_error *err)
{
    const dt_where where = { .file = path };
    unsigned char start[DT_CONTAINER_BLOCK];
    const dt_importer *i = dt_importer_of(start, read_start(path, start));
    if (!i) return DT_OK;
    if (!i->is_codes)
        return dt_fail(err, DT_ERR_ARG, &where,
                       "holds weights (%s); give a recipe, and model.init=%s", i->row.name, path);
    return dt_fail(err, DT_ERR_ARG, &where,
                   "is a model (%s), no recipe; give the checkpoint that it was made of%s",
                   i->row.name, i->is_graph ? ", or a recipe with model: {onnx: FILE}" : "");
}

/* Overrides come behind model.init, which is the checkpoint; the run's own key was of the file that
 * it began with. */
static dt_status read_embedded(const char *path, const char *text, const char *const *overrides,
                               size_t count, dt_recipe **out, dt_error *err)
{
    enum { OURS = 2 };
    char init[DT_OPT_STR_MAX + 16];
    int n = snprintf(init, sizeof init, "model.init=%s", path);
    if (n < 0 || (size_t)n >= sizeof init)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = path }, "is too long a path");
    const char **all = dt_get_array(NULL, count + OURS, sizeof *all, "overrides");
    if (!all) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the recipe");
    all[0] = init;
    all[1] = "model.init_key=";
    if (count) memcpy(all + OURS, overrides, count * sizeof *all);
    const dt_recipe_params p = { .tables = &dt_tables,
                                 .path = path,
                                 .text = text,
                                 .overrides = all,
                                 .override_count = count + OURS };
    dt_status st = dt_recipe_read(&p, out, err);
    dt_put(NULL, all);
    return st;
}

static dt_status read_checkpoint(const char *path, const char *const *overrides, size_t count,
                                 dt_recipe **out, dt_error *err)
{
    dt_tensors set;
    DT_TRY(dt_container_read(NULL, path, NULL, &set, err));
    const char *text = dt_tensors_attr(&set, "recipe");
    dt_status st = text ? read_embedded(path, text, overrides, count, out, err)
                        : dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = path },
                                  "holds no recipe; give the recipe and model.init=%s", path);
    dt_tensors_fini(&set);
    return st;
}

dt_status dt_recipe_open(const char *path, const char *const *overrides, size_t count,
                         dt_recipe **out, dt_error *err)
{
    if (dt_is_checkpoint(path)) return read_checkpoint(path, overrides, count, out, err);
    DT_TRY(dt_recipe_check_file(path, err));
    const dt_recipe_params p = {
        .tables = &dt_tables, .path = path, .overrides = overrides, .override_count = count
    };
    return dt_recipe_read(&p, out, err);
}
