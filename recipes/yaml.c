/* YAML reader: libyaml's events -> tree. libyaml calls malloc itself and has no way to be told
 * otherwise; what it holds is bounded by the limits below and gone when the reader returns. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/yaml.h"

#include <string.h>
#include <yaml.h>

#include "core/file.h"

typedef struct reader {
    yaml_parser_t yaml;
    dt_arena *arena;
    const char *file;
    size_t nodes;
    int depth;
    dt_error *err;
} reader;

static int line_of(yaml_mark_t mark)
{
    return mark.line < DT_YAML_MAX_BYTES ? (int)mark.line + 1 : 0;
}

static dt_status refuse(reader *r, const yaml_event_t *e, const char *why)
{
    const dt_where where = { .file = r->file, .line = line_of(e->start_mark) };
    return dt_fail(r->err, DT_ERR_FORMAT, &where, "%s", why);
}

/* Next event; on success the caller deletes it. */
static dt_status next_event(reader *r, yaml_event_t *e)
{
    if (yaml_parser_parse(&r->yaml, e)) return DT_OK;
    const yaml_parser_t *y = &r->yaml;
    if (y->error == YAML_MEMORY_ERROR)
        return dt_fail(r->err, DT_ERR_NOMEM, NULL, "no memory for the recipe");
    const char *why = y->problem ? y->problem : "unknown reason";
    dt_where where = { .file = r->file };
    if (y->error == YAML_READER_ERROR)
        return dt_fail(r->err, DT_ERR_FORMAT, &where, "no YAML: %s at byte %zu", why,
                       y->problem_offset);
    where.line = line_of(y->problem_mark);
    return dt_fail(r->err, DT_ERR_FORMAT, &where, "no YAML: %s%s%s", why, y->context ? ", " : "",
                   y->context ? y->context : "");
}

static dt_status refuse_decoration(reader *r, const yaml_event_t *e, const yaml_char_t *anchor,
                                   const yaml_char_t *tag)
{
    if (anchor) return refuse(r, e, "YAML anchors are refused");
    if (tag) return refuse(r, e, "YAML tags are refused");
    return DT_OK;
}

/* Adds the node of an event that starts a value. */
static dt_status add_node(reader *r, const yaml_event_t *e, dt_yaml_node *parent,
                          const dt_yaml_node *key, dt_yaml_node **out)
{
    dt_yaml_kind kind = DT_YAML_SCALAR;
    const char *text = NULL;
    if (r->nodes++ >= DT_YAML_MAX_NODES) return refuse(r, e, "more than 10000 values");
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        DT_TRY(refuse_decoration(r, e, e->data.scalar.anchor, e->data.scalar.tag));
        text = (const char *)e->data.scalar.value;
        if (strlen(text) != e->data.scalar.length)
            return refuse(r, e, "a NUL character inside a text");
        break;
    case YAML_MAPPING_START_EVENT:
        DT_TRY(refuse_decoration(r, e, e->data.mapping_start.anchor, e->data.mapping_start.tag));
        kind = DT_YAML_MAP;
        break;
    case YAML_SEQUENCE_START_EVENT:
        DT_TRY(refuse_decoration(r, e, e->data.sequence_start.anchor, e->data.sequence_start.tag));
        kind = DT_YAML_SEQ;
        break;
    case YAML_ALIAS_EVENT:
        return refuse(r, e, "YAML aliases are refused; put a text that starts with * in quotes");
    default:
        return refuse(r, e, "a value is missing");
    }
    dt_yaml_node place = { .file = r->file,
                           .line = line_of(e->start_mark),
                           .column = (int)e->start_mark.column + 1 };
    DT_TRY(dt_yaml_add(r->arena, parent, kind, key ? key->text : NULL, text, key ? key : &place,
                       out, r->err));
    if (kind == DT_YAML_SCALAR) (*out)->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return DT_OK;
}

static dt_status read_value(reader *r, const yaml_event_t *e, dt_yaml_node *parent,
                            const dt_yaml_node *key, dt_yaml_node **out);

/* Reads the key in `e` and its value. */
static dt_status read_pair(reader *r, const yaml_event_t *e, dt_yaml_node *map)
{
    dt_yaml_node *key, *value;
    char path[DT_YAML_PATH];
    if (e->type != YAML_SCALAR_EVENT) return refuse(r, e, "a key that is no plain text");
    DT_TRY(add_node(r, e, NULL, NULL, &key));
    const dt_yaml_node *before = dt_yaml_find(map, key->text);
    if (before) {
        dt_where where = dt_yaml_where(before, path);
        where.line = key->line;
        return dt_fail(r->err, DT_ERR_FORMAT, &where, "repeated key, first in line %d",
                       before->line);
    }
    yaml_event_t v;
    DT_TRY(next_event(r, &v));
    dt_status st = read_value(r, &v, map, key, &value);
    yaml_event_delete(&v);
    return st;
}

static dt_status read_children(reader *r, dt_yaml_node *parent)
{
    yaml_event_t e;
    for (bool end = false; !end;) {
        dt_yaml_node *child;
        DT_TRY(next_event(r, &e));
        end = e.type == YAML_MAPPING_END_EVENT || e.type == YAML_SEQUENCE_END_EVENT;
        dt_status st = DT_OK;
        if (!end)
            st = parent->kind == DT_YAML_MAP ? read_pair(r, &e, parent)
                                             : read_value(r, &e, parent, NULL, &child);
        yaml_event_delete(&e);
        if (st != DT_OK) return st;
    }
    return DT_OK;
}

static dt_status read_value(reader *r, const yaml_event_t *e, dt_yaml_node *parent,
                            const dt_yaml_node *key, dt_yaml_node **out)
{
    DT_TRY(add_node(r, e, parent, key, out));
    if ((*out)->kind == DT_YAML_SCALAR) return DT_OK;
    if (r->depth == DT_YAML_MAX_DEPTH) return refuse(r, e, "nested deeper than 32 levels");
    r->depth++;
    dt_status st = read_children(r, *out);
    r->depth--;
    return st;
}

/* Skips the events before the first value and refuses a stream that has none. */
static dt_status read_stream(reader *r, dt_yaml_node **out_root)
{
    yaml_event_t e;
    dt_yaml_node *root = NULL;
    for (bool end = false; !end;) {
        DT_TRY(next_event(r, &e));
        dt_status st = DT_OK;
        switch (e.type) {
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            break;
        case YAML_DOCUMENT_START_EVENT:
            if (root) st = refuse(r, &e, "a second YAML document is refused");
            break;
        case YAML_STREAM_END_EVENT:
            if (!root) st = refuse(r, &e, "the document is empty");
            end = true;
            break;
        default:
            st = read_value(r, &e, NULL, NULL, &root);
        }
        yaml_event_delete(&e);
        if (st != DT_OK) return st;
    }
    *out_root = root;
    return DT_OK;
}

dt_status dt_yaml_parse(dt_arena *arena, const char *file, const char *text, size_t size,
                        dt_yaml_node **out_root, dt_error *err)
{
    reader r = { .arena = arena, .file = file ? dt_arena_strdup(arena, file) : NULL, .err = err };
    if ((file && !r.file) || !yaml_parser_initialize(&r.yaml))
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the recipe");
    dt_status st;
    if (size > DT_YAML_MAX_BYTES) {
        st = dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = file },
                     "%zu bytes; at most %d are read", size, DT_YAML_MAX_BYTES);
    } else {
        yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text, size);
        st = read_stream(&r, out_root);
    }
    yaml_parser_delete(&r.yaml);
    return st;
}

dt_status dt_yaml_read(dt_arena *arena, const dt_alloc *a, const char *path,
                       dt_yaml_node **out_root, dt_error *err)
{
    unsigned char *data;
    size_t size;
    DT_TRY(dt_file_read(a, path, DT_YAML_MAX_BYTES, &data, &size, err));
    dt_status st = dt_yaml_parse(arena, path, (const char *)data, size, out_root, err);
    dt_put(a, data);
    return st;
}
