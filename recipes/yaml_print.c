/* YAML writer: tree -> libyaml's events, so that quoting is the library's business. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <yaml.h>

#include "recipes/yaml.h"

typedef struct writer {
    yaml_emitter_t yaml;
    const dt_alloc *alloc;
    const char *const *skip;
    char *text;
    size_t used, capacity;
    const dt_yaml_node *at; /* being written */
    bool no_memory;
} writer;

/* libyaml's write handler: 1 is success. */
static int append(void *self, unsigned char *data, size_t size)
{
    writer *w = self;
    if (dt_grow(w->alloc, (void **)&w->text, &w->capacity, w->used + size + 1, 1, "yaml", NULL) !=
        DT_OK) {
        w->no_memory = true;
        return 0;
    }
    memcpy(w->text + w->used, data, size);
    w->used += size;
    w->text[w->used] = '\0';
    return 1;
}

static bool emit(writer *w, yaml_event_t *e, int made)
{
    return made && yaml_emitter_emit(&w->yaml, e); /* which takes the event, also on failure */
}

static bool scalar(writer *w, const char *text)
{
    yaml_event_t e;
    yaml_scalar_style_t style = *text ? YAML_ANY_SCALAR_STYLE : YAML_SINGLE_QUOTED_SCALAR_STYLE;
    /* libyaml takes a pointer to non-const, but copies the text. */
    yaml_char_t *copy = dt_get(w->alloc, strlen(text) + 1, "yaml");
    if (!copy) {
        w->no_memory = true;
        return false;
    }
    memcpy(copy, text, strlen(text));
    int made = yaml_scalar_event_initialize(&e, NULL, NULL, copy, (int)strlen(text), 1, 1, style);
    dt_put(w->alloc, copy);
    return emit(w, &e, made);
}

static bool skipped(const writer *w, const dt_yaml_node *node)
{
    char path[DT_YAML_PATH];
    if (!w->skip || !node->parent) return false;
    dt_yaml_path(node, path);
    for (const char *const *s = w->skip; *s; s++)
        if (strcmp(*s, path) == 0) return true;
    return false;
}

/* Lists of plain values go on one line. */
static yaml_sequence_style_t list_style(const dt_yaml_node *list)
{
    for (const dt_yaml_node *n = list->first; n; n = n->next)
        if (n->kind != DT_YAML_SCALAR) return YAML_BLOCK_SEQUENCE_STYLE;
    return YAML_FLOW_SEQUENCE_STYLE;
}

static bool value(writer *w, const dt_yaml_node *node)
{
    yaml_event_t e;
    w->at = node;
    if (node->kind == DT_YAML_SCALAR) return scalar(w, node->text);
    bool map = node->kind == DT_YAML_MAP;
    int made =
        map ? yaml_mapping_start_event_initialize(&e, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE)
            : yaml_sequence_start_event_initialize(&e, NULL, NULL, 1, list_style(node));
    if (!emit(w, &e, made)) return false;
    for (const dt_yaml_node *n = node->first; n; n = n->next) {
        if (skipped(w, n)) continue;
        w->at = n;
        if (map && !scalar(w, n->key)) return false;
        if (!value(w, n)) return false; /* at most as deep as what the reader took */
    }
    return emit(w, &e,
                map ? yaml_mapping_end_event_initialize(&e)
                    : yaml_sequence_end_event_initialize(&e));
}

static bool document(writer *w, const dt_yaml_node *root)
{
    yaml_event_t e;
    return emit(w, &e, yaml_stream_start_event_initialize(&e, YAML_UTF8_ENCODING)) &&
           emit(w, &e, yaml_document_start_event_initialize(&e, NULL, NULL, NULL, 1)) &&
           value(w, root) && emit(w, &e, yaml_document_end_event_initialize(&e, 1)) &&
           emit(w, &e, yaml_stream_end_event_initialize(&e)) && yaml_emitter_flush(&w->yaml);
}

dt_status dt_yaml_print(const dt_alloc *a, const dt_yaml_node *root, const char *const *skip,
                        char **out_text, dt_error *err)
{
    writer w = { .alloc = a, .skip = skip };
    if (!yaml_emitter_initialize(&w.yaml))
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the recipe");
    yaml_emitter_set_output(&w.yaml, append, &w);
    yaml_emitter_set_unicode(&w.yaml, 1);
    yaml_emitter_set_width(&w.yaml, -1);
    bool done = document(&w, root);
    w.no_memory |= w.yaml.error == YAML_MEMORY_ERROR;
    yaml_emitter_delete(&w.yaml);
    if (done) {
        *out_text = w.text;
        return DT_OK;
    }
    dt_put(a, w.text);
    if (w.no_memory) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the recipe");
    char path[DT_YAML_PATH];
    dt_where where = dt_yaml_where(w.at ? w.at : root, path);
    return dt_fail(err, DT_ERR_FORMAT, &where, "is not UTF-8");
}
