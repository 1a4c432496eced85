/* PyTorch checkpoints, both layouts.
 *
 * The object may be a dictionary of tensors, or wrap it in others (torch_dict.c chooses). Prefixes
 * of names go (foreign_names.c), what is beside a net is left out, numbers and texts beside the
 * tensors (epoch, best_prec1) become text attributes, all else is ignored.
 *
 * The whitelist: of all that a pickle may name, only the functions below and the storage types in
 * torch_archive.c mean something. Whatever else is named stays a name: it costs nothing unless a
 * tensor, or the dictionary itself, depends on it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "exchange/foreign_names.h"
#include "exchange/torch/torch_archive.h"
#include "exchange/torch/torch_dict.h"

extern const dt_importer dt_importer_torch;
typedef dt_pickle_value value;

enum {
    MAX_TENSORS = 1 << 16,
    MAX_NAME = 512,
    MAX_ATTRS = 256,
    MAX_ATTR_BYTES = 4096,
    /* Views can repeat elements; a small file must not unfold to any size. */
    MAX_GROWTH = 16,
    GROWTH_FREE = 1 << 20,
};

struct import {
    dt_torch_archive archive;
    dt_tensors *out;
    size_t budget;                     /* bytes of tensors that may still be made */
    const char *refused, *refused_key; /* first global that stood where a tensor could */
    dt_error *err;
};

/* A tensor as the file describes it: a strided view of a storage. */
struct view {
    dt_torch_storage storage;
    dt_shape shape;
    int64_t stride[DT_MAX_RANK], offset; /* in elements */
};

static dt_status damaged(const struct import *m, const char *name, const char *reason)
{
    const dt_where where = { .file = m->archive.path, .key = name };
    return dt_fail(m->err, DT_ERR_FORMAT, &where, "%s", reason);
}

static dt_status refuse(const struct import *m, const char *name, const char *global)
{
    const dt_where where = { .file = m->archive.path, .key = name };
    return dt_fail(m->err, DT_ERR_UNSUPPORTED, &where,
                   "refuses the global '%s'; only tensors are read, save a state_dict", global);
}

/* Numbers of a tuple or torch.Size; false when it is none or has more than DT_MAX_RANK. */
static bool read_numbers(const value *v, int64_t *out, int *out_count)
{
    if (v->kind == DT_PICKLE_CALL && dt_pickle_is(v->item[0], DT_PICKLE_GLOBAL, "torch Size") &&
        v->item[1]->count == 1)
        v = v->item[1]->item[0];
    if ((v->kind != DT_PICKLE_TUPLE && v->kind != DT_PICKLE_LIST) || v->count > DT_MAX_RANK)
        return false;
    for (size_t i = 0; i < v->count; i++) {
        if (v->item[i]->kind != DT_PICKLE_INT || v->item[i]->integer < 0) return false;
        out[i] = v->item[i]->integer;
    }
    *out_count = (int)v->count;
    return true;
}

/* True when the view's last element is inside its storage. */
static bool inside(const struct view *v)
{
    int64_t last = v->offset;
    for (int i = 0; i < v->shape.rank; i++) {
        int64_t steps = v->shape.dim[i] - 1, stride = v->stride[i];
        if (stride && steps > (INT64_MAX - last) / stride) return false;
        last += steps * stride;
    }
    return last < v->storage.count;
}

static bool is_empty(const struct view *v)
{
    for (int i = 0; i < v->shape.rank; i++)
        if (v->shape.dim[i] == 0) return true;
    return false;
}

static dt_status read_view(struct import *m, const char *name, const value *call, struct view *out)
{
    value *const *args = call->item[1]->item;
    int strides;
    struct view v = { .offset = 0 };
    if (args[0]->kind != DT_PICKLE_PERSID || args[1]->kind != DT_PICKLE_INT ||
        args[1]->integer < 0 || !read_numbers(args[2], v.shape.dim, &v.shape.rank) ||
        !read_numbers(args[3], v.stride, &strides) || strides != v.shape.rank)
        return damaged(m, name, "the description of the tensor is damaged, or its rank is over 6");
    v.offset = args[1]->integer;
    if (!is_empty(&v)) {
        DT_TRY(dt_torch_get(&m->archive, name, args[0], &v.storage, m->err));
        if (!inside(&v)) return damaged(m, name, "the tensor reaches outside its storage");
    }
    *out = v;
    return DT_OK;
}

static bool is_contiguous(const struct view *v)
{
    int64_t want = 1;
    for (int i = v->shape.rank - 1; i >= 0; i--) {
        if (v->shape.dim[i] != 1 && v->stride[i] != want) return false;
        want *= v->shape.dim[i];
    }
    return true;
}

/* Copies the view's elements, last dimension fastest. */
static void copy_view(const struct view *v, int64_t count, unsigned char *to)
{
    size_t size = dt_dtype_size(v->storage.dtype);
    const unsigned char *from = v->storage.data + (size_t)v->offset * size;
    if (is_contiguous(v)) {
        memcpy(to, from, (size_t)count * size);
        return;
    }
    int64_t at[DT_MAX_RANK] = { 0 };
    for (int64_t n = 0; n < count; n++, to += size) {
        int64_t element = 0;
        for (int i = 0; i < v->shape.rank; i++)
            element += at[i] * v->stride[i];
        memcpy(to, from + (size_t)element * size, size);
        for (int i = v->shape.rank - 1; i >= 0 && ++at[i] == v->shape.dim[i]; i--)
            at[i] = 0;
    }
}

static dt_status add_tensor(struct import *m, const char *name, const value *call)
{
    struct view v;
    DT_TRY(read_view(m, name, call, &v));
    if (is_empty(&v)) return DT_OK;
    int64_t count = dt_shape_count(&v.shape);
    size_t bytes;
    if (!count || !dt_size_mul((size_t)count, dt_dtype_size(v.storage.dtype), &bytes) ||
        bytes > m->budget)
        return damaged(m, name, "the tensors are far larger than the file");
    m->budget -= bytes;
    if (m->out->count >= MAX_TENSORS) return damaged(m, name, "more than 65536 tensors");
    if (dt_tensors_find(m->out, name)) return damaged(m, name, "two tensors have this name");
    DT_TRY(dt_tensors_add(m->out, name, v.storage.dtype, &v.shape, NULL, m->err));
    copy_view(&v, count, dt_tensors_data(m->out, m->out->count - 1));
    return DT_OK;
}

static dt_status add_attribute(struct import *m, const char *name, const value *v)
{
    char number[64];
    const char *text = number;
    dt_opt print = { .key = name, .type = DT_OPT_TYPE_FLOAT };
    if (m->out->attr_count >= MAX_ATTRS) return DT_OK;
    switch (v->kind) {
    case DT_PICKLE_INT:
        snprintf(number, sizeof number, "%lld", (long long)v->integer);
        break;
    case DT_PICKLE_BOOL:
        text = v->integer ? "true" : "false";
        break;
    case DT_PICKLE_FLOAT:
        dt_opt_print(&print, &v->number, number, sizeof number);
        break;
    case DT_PICKLE_STR:
        if (v->size > MAX_ATTR_BYTES || strlen(v->text) != v->size) return DT_OK;
        text = v->text;
        break;
    default:
        return DT_OK;
    }
    return dt_tensors_set_attr(m->out, name, text, m->err);
}

static dt_status add_entry(struct import *m, const value *key, const value *v)
{
    if (key->kind != DT_PICKLE_STR) return DT_OK;
    const char *name = key->text;
    if (strlen(name) != key->size || key->size > MAX_NAME)
        return damaged(m, NULL, "the name of a tensor is too long or holds a NUL byte");
    if (!*name || dt_import_is_beside(&dt_importer_torch, dt_import_plain(name))) return DT_OK;
    v = dt_torch_unwrap(v);
    if (dt_torch_is_tensor(v)) return add_tensor(m, name, v);
    const char *global = dt_pickle_global(v);
    if (!global) return add_attribute(m, dt_import_plain(name), v);
    /* A kind of tensor that is not on the list must not go missing in silence. */
    if (strncmp(global, "torch._", 7) == 0) return refuse(m, name, global);
    if (!m->refused) {
        m->refused = global;
        m->refused_key = name;
    }
    return DT_OK;
}

static dt_status add_entries(struct import *m, const value *dict, bool tensors)
{
    for (size_t i = 0; i + 1 < dict->count; i += 2) {
        const value *key = dict->item[i], *v = dict->item[i + 1];
        if (tensors) {
            DT_TRY(add_entry(m, key, v));
        } else if (key->kind == DT_PICKLE_STR && key->size && key->size <= MAX_NAME &&
                   strlen(key->text) == key->size) {
            DT_TRY(add_attribute(m, key->text, v));
        }
    }
    return DT_OK;
}

static dt_status no_tensors(const struct import *m, const value *dict)
{
    const dt_where where = { .file = m->archive.path };
    char keys[160] = "";
    size_t used = 0;
    if (m->refused) return refuse(m, m->refused_key, m->refused);
    for (size_t i = 0; i + 1 < dict->count && used < sizeof keys; i += 2)
        if (dict->item[i]->kind == DT_PICKLE_STR)
            used += (size_t)snprintf(keys + used, sizeof keys - used, "%s%s", used ? ", " : "",
                                     dict->item[i]->text);
    return dt_fail(m->err, DT_ERR_FORMAT, &where, "holds no tensors; its keys: %s",
                   *keys ? keys : "none");
}

static dt_status read_object(struct import *m, dt_import_job *job)
{
    const value *v = m->archive.object.root;
    const char *global = dt_pickle_global(v);
    if (global) return refuse(m, NULL, global);
    if (v->kind != DT_PICKLE_DICT) return damaged(m, NULL, "its object is no dictionary");
    dt_torch_choice choice;
    DT_TRY(dt_torch_choose(job, v, &choice, m->err));
    for (int i = 0; i < choice.depth; i++)
        DT_TRY(add_entries(m, choice.dict[i], i == choice.depth - 1));
    if (!m->out->count) return no_tensors(m, choice.dict[choice.depth - 1]);
    const char *key = job->key;
    if (choice.keyed) job->key = NULL;
    dt_status st = dt_import_names(job, &dt_importer_torch, choice.dictionaries, m->out, m->err);
    job->key = key;
    return st;
}

static bool probe(const unsigned char *bytes, size_t size)
{
    return dt_torch_is_legacy(bytes, size) || dt_torch_is_zip(bytes, size);
}

static dt_status read(dt_import_job *job, dt_tensors *out, dt_error *err)
{
    size_t size = job->size;
    struct import m = { .out = out, .err = err };
    m.budget =
        size > (SIZE_MAX - GROWTH_FREE) / MAX_GROWTH ? SIZE_MAX : size * MAX_GROWTH + GROWTH_FREE;
    DT_TRY(dt_torch_open(job->path, job->bytes, size, job->alloc, &m.archive, err));
    dt_status st = read_object(&m, job);
    dt_torch_close(&m.archive);
    return st;
}

const dt_importer dt_importer_torch = {
    .row = { .name = "torch", .help = "PyTorch checkpoint (.pth, .pt, .th), legacy and zip" },
    .keyed = true,
    .beside = dt_import_pytorch_beside,
    .probe = probe,
    .read = read,
};
