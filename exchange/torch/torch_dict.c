/* Choosing a dictionary. Trees of a hostile file may share nodes or contain themselves: all that is
 * looked at is counted. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/torch/torch_dict.h"

#include <stdio.h>
#include <string.h>

#include "exchange/foreign_names.h"

enum { MAX_WRAPS = 4, MAX_LOOKS = 2 * DT_PICKLE_MAX_VALUES };
typedef dt_pickle_value value;

struct chooser {
    dt_import_job *job;
    dt_torch_choice *out;
    size_t looks; /* entries that may still be looked at */
    dt_error *err;
};

const value *dt_torch_unwrap(const value *v)
{
    for (int depth = 0; depth < MAX_WRAPS; depth++) {
        const char *global = v->kind == DT_PICKLE_CALL ? dt_pickle_global(v) : NULL;
        if (!global || strcmp(global, "torch._utils _rebuild_parameter") != 0) break;
        if (v->item[1]->count < 1) break;
        v = v->item[1]->item[0];
    }
    return v;
}

bool dt_torch_is_tensor(const value *v)
{
    const char *global = v->kind == DT_PICKLE_CALL ? dt_pickle_global(v) : NULL;
    if (!global) return false;
    size_t n = v->item[1]->count;
    return (strcmp(global, "torch._utils _rebuild_tensor") == 0 && n == 4) ||
           (strcmp(global, "torch._utils _rebuild_tensor_v2") == 0 && n >= 6 && n <= 7);
}

/* Of an entry that is a dictionary under a readable name; NULL: it is something else. */
static const char *dict_key(const value *dict, size_t i)
{
    const value *key = dict->item[i];
    bool is = dict->item[i + 1]->kind == DT_PICKLE_DICT && key->kind == DT_PICKLE_STR &&
              key->size && strlen(key->text) == key->size;
    return is ? key->text : NULL;
}

static const dt_import_container *container_at(const value *dict, size_t i)
{
    const char *key = dict_key(dict, i);
    return key ? dt_import_container_of(key, strlen(key)) : NULL;
}

/* Whether a dictionary has tensors of its own; with `wraps`, a container in it will do. */
static bool holds(struct chooser *c, const value *dict, bool wraps)
{
    for (size_t i = 0; i + 1 < dict->count && c->looks; i += 2) {
        c->looks--;
        if (dt_torch_is_tensor(dt_torch_unwrap(dict->item[i + 1]))) return true;
        if (wraps && container_at(dict, i)) return true;
    }
    return false;
}

struct options {
    bool own;                           /* tensors beside the dictionaries */
    const value *known, *empty, *other; /* container with and without tensors, another dictionary */
    const dt_import_container *row;     /* of `known` */
    const char *other_key;
    int count, other_count; /* with tensors */
    char list[200];         /* all but `empty` */
};

static void add_option(struct chooser *c, const value *dict, size_t i, struct options *o)
{
    const dt_import_container *row = container_at(dict, i);
    const char *key = dict_key(dict, i);
    const value *v = dict->item[i + 1];
    if (!key) return;
    if (!holds(c, v, row != NULL)) {
        if (row && !row->average && !o->empty) o->empty = v;
        return;
    }
    const char *remark = row && row->average ? " (averages)" : "";
    dt_import_list(o->list, sizeof o->list, key, remark);
    dt_import_list(c->out->dictionaries, sizeof c->out->dictionaries, key, remark);
    o->count++;
    if (!row) {
        o->other_count++;
        o->other = v;
        o->other_key = key;
    }
    /* Averages are no better than weights that lie beside them. */
    if (!row || (row->average && o->own) || (o->known && o->row < row)) return;
    o->known = v;
    o->row = row;
}

/* The dictionary one level down, or NULL. */
static dt_status go_down(struct chooser *c, const value *dict, const value **out)
{
    const dt_where where = { .file = c->job->path };
    struct options o = { .own = holds(c, dict, false) };
    for (size_t i = 0; i + 1 < dict->count; i += 2)
        add_option(c, dict, i, &o);
    *out = o.known ? o.known : o.own ? NULL : o.other ? o.other : o.empty;
    if (!o.known && !o.own && o.other_count > 1)
        return dt_fail(c->err, DT_ERR_FORMAT, &where,
                       "holds several dictionaries of tensors: %s; %s=NAME says which", o.list,
                       dt_import_key_name(c->job));
    if (o.count == 0 || (o.count == 1 && o.known && !o.row->average)) return DT_OK;
    const char *took = o.known ? o.row->name : o.own ? NULL : o.other_key, *mark = took ? "'" : "";
    dt_import_tell(c->job, "took %s%.60s%s; the file has %s; %s names another", mark,
                   took ? took : "what is in no dictionary", mark, o.list,
                   dt_import_key_name(c->job));
    return DT_OK;
}

/* The dictionary of that name, `depth` levels below. */
static const value *search(struct chooser *c, const value *dict, const char *key, int depth)
{
    const value *found = NULL;
    for (size_t i = 0; i + 1 < dict->count && c->looks && !found; i += 2) {
        const char *name = dict_key(dict, i);
        c->looks--;
        if (depth && dict->item[i + 1]->kind == DT_PICKLE_DICT)
            found = search(c, dict->item[i + 1], key, depth - 1);
        else if (name && strcmp(name, key) == 0)
            found = dict->item[i + 1];
    }
    return found;
}

dt_status dt_torch_choose(dt_import_job *job, const value *root, dt_torch_choice *out,
                          dt_error *err)
{
    struct chooser c = { .job = job, .out = out, .looks = MAX_LOOKS, .err = err };
    const value *v = NULL;
    *out = (dt_torch_choice){ .dict = { root }, .depth = 1 };
    for (int depth = 0; dt_import_has_key(job) && !v && depth < MAX_WRAPS; depth++)
        v = search(&c, root, job->key, depth);
    c.looks = MAX_LOOKS;
    out->keyed = v != NULL;
    if (!v) DT_TRY(go_down(&c, root, &v));
    while (v) {
        out->dict[out->depth++] = v;
        if (out->depth == DT_TORCH_DEPTH) break;
        DT_TRY(go_down(&c, out->dict[out->depth - 1], &v));
    }
    return DT_OK;
}
