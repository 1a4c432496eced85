/* Where every command and the module for Python start. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/net/recipe_open.h"

#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "exchange/import.h"
#include "exchange/onnx/reader/onnx_graph.h"
#include "train/net/session.h"
#include "train/store/container.h"

enum { WORD = DT_OPT_STR_MAX + 16 };

typedef struct words { /* "key=value" */
    const char *const *at;
    size_t count;
} words;

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

bool dt_is_graph(const char *path)
{
    unsigned char start[DT_CONTAINER_BLOCK];
    const dt_importer *i = dt_importer_of(start, read_start(path, start));
    return i && i->is_graph;
}

dt_status dt_recipe_check_file(const char *path, dt_error *err)
{
    const dt_where where = { .file = path };
    unsigned char start[DT_CONTAINER_BLOCK];
    size_t size = read_start(path, start);
    const dt_importer *i = dt_importer_of(start, size);
    if (size > 2 && memcmp(start, "/*", 2) == 0)
        return dt_fail(err, DT_ERR_ARG, &where,
                       "is C source, no recipe; give the checkpoint that it was made of, or its "
                       "ONNX form (detent export --format onnx)");
    if (!i) return DT_OK;
    if (!i->is_codes)
        return dt_fail(err, DT_ERR_ARG, &where,
                       "holds weights (%s); give a recipe, and model.init=%s", i->row.name, path);
    return dt_fail(err, DT_ERR_ARG, &where,
                   "is a model (%s), no recipe; give the checkpoint that it was made of, or %s",
                   i->row.name,
                   i->is_graph ? "a recipe with model: {onnx: FILE}"
                               : "its ONNX form (detent export --format onnx)");
}

/* The recipe `text` of the file at `path`, with what makes the file its model before the overrides.
 */
static dt_status read_embedded(const char *path, const char *text, const char *const *ours,
                               size_t our_count, const words *theirs, dt_recipe **out,
                               dt_error *err)
{
    const char **all = dt_get_array(NULL, our_count + theirs->count, sizeof *all, "overrides");
    if (!all) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the recipe");
    memcpy(all, ours, our_count * sizeof *all);
    if (theirs->count) memcpy(all + our_count, theirs->at, theirs->count * sizeof *all);
    const dt_recipe_params p = { .tables = &dt_tables,
                                 .path = path,
                                 .text = text,
                                 .overrides = all,
                                 .override_count = our_count + theirs->count };
    dt_status st = dt_recipe_read(&p, out, err);
    dt_put(NULL, all);
    return st;
}

/* "<key>=<path>" */
static dt_status path_word(const char *key, const char *path, char word[WORD], dt_error *err)
{
    int n = snprintf(word, WORD, "%s=%s", key, path);
    if (n >= 0 && n < WORD) return DT_OK;
    return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = path }, "is too long a path");
}

/* Overrides come behind model.init, which is the checkpoint; the run's own key was of the file that
 * it began with. */
static dt_status read_from(const char *path, const char *text, const words *theirs, dt_recipe **out,
                           dt_error *err)
{
    char init[WORD];
    const char *ours[] = { init, "model.init_key=" };
    DT_TRY(path_word("model.init", path, init, err));
    return read_embedded(path, text, ours, DT_ARRAY_LEN(ours), theirs, out, err);
}

/* Whether the file has quantizers, and "model.classes=<its own>" where it tells: what it has stands,
 * whatever folders there are below data.root. */
static dt_status read_facts(const char *path, bool *quantized, char classes[WORD], dt_error *err)
{
    dt_onnx_net *net;
    DT_TRY(dt_onnx_net_open(path, NULL, &net, err));
    *quantized = dt_onnx_net_is_quantized(net);
    int own = dt_onnx_net_classes(net);
    classes[0] = '\0';
    if (own) snprintf(classes, WORD, "model.classes=%d", own);
    dt_onnx_net_close(net);
    return DT_OK;
}

/* What was trained is in the file: nothing of how it was is asked for again. */
static dt_status read_exported(const char *path, const char *text, const words *theirs,
                               dt_recipe **out, dt_error *err)
{
    char file[WORD], classes[WORD];
    bool quantized;
    DT_TRY(path_word("model.onnx", path, file, err));
    DT_TRY(read_facts(path, &quantized, classes, err));
    const char *ours[] = {
        "model={name: onnx}", file,           quantized ? "quant={placement: file}" : "quant=none",
        "data.root=.",        "dynamics={}",  "phases=[]",
        "distill=none",       classes
    };
    size_t count = DT_ARRAY_LEN(ours) - !classes[0];
    return read_embedded(path, text, ours, count, theirs, out, err);
}

static dt_status read_checkpoint(const char *path, const words *theirs, dt_recipe **out,
                                 dt_error *err)
{
    dt_tensors set;
    DT_TRY(dt_container_read(NULL, path, NULL, &set, err));
    const char *text = dt_tensors_attr(&set, "recipe");
    dt_status st = text ? read_from(path, text, theirs, out, err)
                        : dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = path },
                                  "holds no recipe; give the recipe and model.init=%s", path);
    dt_tensors_fini(&set);
    return st;
}

static dt_status read_graph(const char *path, const words *theirs, dt_recipe **out, dt_error *err)
{
    dt_tensors set;
    DT_TRY(dt_import_file(path, NULL, &set, err));
    const char *text = dt_tensors_attr(&set, "detent.recipe");
    dt_status st =
        text ? read_exported(path, text, theirs, out, err) : dt_recipe_check_file(path, err);
    dt_tensors_fini(&set);
    return st;
}

dt_status dt_recipe_open(const char *path, const char *const *overrides, size_t count,
                         dt_recipe **out, dt_error *err)
{
    const words theirs = { overrides, count };
    if (dt_is_checkpoint(path)) return read_checkpoint(path, &theirs, out, err);
    if (dt_is_graph(path)) return read_graph(path, &theirs, out, err);
    DT_TRY(dt_recipe_check_file(path, err));
    const dt_recipe_params p = {
        .tables = &dt_tables, .path = path, .overrides = overrides, .override_count = count
    };
    return dt_recipe_read(&p, out, err);
}
