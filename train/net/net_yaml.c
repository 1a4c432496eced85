/* Networks in YAML. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/net/net_yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/op.h"
#include "exchange/onnx/reader/onnx_roles.h"
#include "layers/layer.h"
#include "recipes/section.h"

enum { MOST_CLASSES = 100000, NAME_MOST = 160, OUTPUTS = 8 };
static const int64_t most_elements = (int64_t)1 << 33; /* of a value */

typedef struct layer {
    const dt_yaml_node *node;
    const char *name;
    dt_layer_kind kind;
    const dt_yaml_node *from; /* NULL: the layer before it */
} layer;

struct dt_yaml_net {
    dt_arena *arena;
    const dt_yaml_node *root;
    layer *layer;
    size_t count;
    const dt_yaml_node *output;  /* NULL: the last layer */
    const dt_yaml_node *outputs; /* by name; NULL: there is one */
    int classes;
    char sha256[DT_SHA256_HEX];
};

static const char *const layer_keys[] = { "name", "op", "from", NULL };
static const char *const file_keys[] = { "layers", "output", "outputs", "classes", NULL };

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a network");
}

/* ---- what needs no graph ---- */

/* A name is part of the names of parameters and files. */
static bool is_name(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    size_t n = text ? strlen(text) : 0;
    return n > 0 && n < NAME_MOST && strspn(text, plain) == n && text[0] != '.';
}

static const dt_yaml_node *find_name(const dt_yaml_net *n, size_t before, const char *name)
{
    for (size_t i = 0; i < before; i++)
        if (strcmp(n->layer[i].name, name) == 0) return n->layer[i].node;
    return NULL;
}

static dt_status set_name(dt_yaml_net *n, size_t i, dt_error *err)
{
    layer *l = &n->layer[i];
    const dt_yaml_node *given = dt_yaml_find(l->node, "name"), *other;
    l->name =
        given ? dt_yaml_text(given) : dt_arena_printf(n->arena, "%s_%zu", l->kind.name, i + 1);
    if (!given && !l->name) return no_memory(err);
    if (!is_name(l->name))
        return dt_node_fail(given ? given : l->node, DT_ERR_FORMAT, err,
                            "is no name of a layer: letters, digits, '_', '-' and '.', fewer than "
                            "%d",
                            NAME_MOST);
    if (strcmp(l->name, "input") == 0)
        return dt_node_fail(given, DT_ERR_RANGE, err, "'input' is the picture's name");
    if ((other = find_name(n, i, l->name)) != NULL)
        return dt_node_fail(given ? given : l->node, DT_ERR_RANGE, err,
                            "'%s' is the layer of line %d already", l->name, other->line);
    return DT_OK;
}

/* Does the key's value say "classes" where a number is wanted? */
static bool is_classes(const dt_yaml_node *node, const dt_opt *opt)
{
    return opt->type == DT_OPT_TYPE_INT && strcmp(opt->key, "out") == 0 && node->text &&
           strcmp(node->text, "classes") == 0;
}

/* The layer's configuration, of kind.conf_size bytes. */
static dt_status read_conf(const layer *l, int classes, void *conf, dt_error *err)
{
    char number[16];
    if (l->kind.opts) dt_opt_defaults(l->kind.opts, conf);
    for (const dt_yaml_node *k = l->node->first; k; k = k->next) {
        if (dt_is_one_of(k->key, layer_keys)) continue;
        const dt_opt *opt = dt_opt_find(l->kind.opts, k->key);
        if (!opt) return dt_key_unknown(k, NULL, l->kind.opts, NULL, layer_keys, err);
        if (!is_classes(k, opt)) {
            DT_TRY(dt_option_set(k, opt, conf, err));
            continue;
        }
        snprintf(number, sizeof number, "%d", classes);
        DT_TRY(dt_opt_set(opt, conf, number, NULL, err));
    }
    const dt_opt *out = dt_opt_find(l->kind.opts, "out");
    if (out && !dt_yaml_find(l->node, "out"))
        return dt_node_fail(l->node, DT_ERR_NOT_FOUND, err,
                            "'%s' needs out, its outputs: a number, or the word classes",
                            l->kind.name);
    if (out && *(const int *)(const void *)((const unsigned char *)conf + out->offset) < 1)
        return dt_node_fail(dt_yaml_find(l->node, "out"), DT_ERR_RANGE, err, "must be at least 1");
    return DT_OK;
}

static dt_status read_layer(dt_yaml_net *n, size_t i, dt_error *err)
{
    layer *l = &n->layer[i];
    char path[DT_YAML_PATH];
    const dt_yaml_node *op = dt_yaml_find(l->node, "op");
    if (l->node->kind != DT_YAML_MAP)
        return dt_node_fail(l->node, DT_ERR_FORMAT, err, "must be a map with op, as {op: relu}");
    if (!op)
        return dt_node_fail(l->node, DT_ERR_NOT_FOUND, err, "has no op; {op: relu} is a layer");
    const char *word = dt_yaml_text(op);
    dt_where where = dt_yaml_where(op, path);
    DT_TRY(dt_layer_find(word ? word : "", &where, &l->kind, err));
    l->from = dt_yaml_find(l->node, "from");
    DT_TRY(set_name(n, i, err));
    void *conf = dt_arena_get(n->arena, l->kind.conf_size + 1);
    return conf ? read_conf(l, 1, conf, err) : no_memory(err);
}

static dt_status read_classes(dt_yaml_net *n, dt_error *err)
{
    const dt_opt opt = { .key = "classes",
                         .type = DT_OPT_TYPE_INT,
                         .offset = offsetof(dt_yaml_net, classes),
                         .min = 1,
                         .max = MOST_CLASSES };
    const dt_yaml_node *node = dt_yaml_find(n->root, "classes");
    return node ? dt_option_set(node, &opt, n, err) : DT_OK;
}

/* Names of outputs, and the layers that they are. */
static dt_status check_outputs(const dt_yaml_net *n, dt_error *err)
{
    const dt_yaml_node *list = n->outputs;
    if (!list) return DT_OK;
    if (n->output)
        return dt_node_fail(list, DT_ERR_RANGE, err, "stands beside output; outputs names all");
    if (list->kind == DT_YAML_SCALAR || !list->first || list->count > OUTPUTS)
        return dt_node_fail(list, DT_ERR_FORMAT, err,
                            "must be 1 to %d outputs, as [LAYER, ...] or {NAME: LAYER, ...}",
                            OUTPUTS);
    for (const dt_yaml_node *k = list->first; k; k = k->next) {
        const char *of = dt_yaml_text(k), *name = k->key ? k->key : of;
        if (!of || !find_name(n, n->count, of))
            return dt_node_fail(k, DT_ERR_NOT_FOUND, err, "names no layer");
        if (!is_name(name) || strcmp(name, "input") == 0)
            return dt_node_fail(k, DT_ERR_FORMAT, err, "'%.60s' is no name of an output", name);
        for (const dt_yaml_node *b = list->first; b != k; b = b->next)
            if (strcmp(dt_yaml_text(b), of) == 0)
                return dt_node_fail(k, DT_ERR_RANGE, err, "names layer '%s' twice", of);
    }
    return DT_OK;
}

static dt_status read_all(dt_yaml_net *n, dt_error *err)
{
    const dt_yaml_node *root = n->root, *list = dt_yaml_find(root, "layers");
    if (root->kind != DT_YAML_MAP)
        return dt_node_fail(root, DT_ERR_FORMAT, err, "a network is a map with the list 'layers'");
    if (!list && dt_yaml_find(root, "model"))
        return dt_node_fail(root, DT_ERR_FORMAT, err,
                            "a network is a map with the list 'layers'; of a recipe, which has a "
                            "'model', 'detent train RECIPE --dry-run' tells");
    for (const dt_yaml_node *k = root->first; k; k = k->next)
        if (!dt_is_one_of(k->key, file_keys))
            return dt_key_unknown(k, NULL, NULL, NULL, file_keys, err);
    if (!list || list->kind != DT_YAML_SEQ || !list->first)
        return dt_node_fail(list ? list : root, DT_ERR_FORMAT, err,
                            "'layers' must be a list of layers, as - {op: relu}");
    n->layer = dt_arena_get(n->arena, list->count * sizeof *n->layer);
    if (!n->layer) return no_memory(err);
    DT_TRY(read_classes(n, err));
    n->output = dt_yaml_find(root, "output");
    for (const dt_yaml_node *k = list->first; k; k = k->next) {
        n->layer[n->count].node = k;
        DT_TRY(read_layer(n, n->count, err));
        n->count++;
    }
    n->outputs = dt_yaml_find(root, "outputs");
    DT_TRY(check_outputs(n, err));
    if (!n->output) return DT_OK;
    const char *name = dt_yaml_text(n->output);
    if (name && find_name(n, n->count, name)) return DT_OK;
    return dt_node_fail(n->output, DT_ERR_NOT_FOUND, err, "names no layer");
}

dt_status dt_yaml_net_open_text(const char *path, const char *text, size_t size, const dt_alloc *a,
                                dt_yaml_net **out, dt_error *err)
{
    dt_arena *arena = dt_arena_new(a, "YAML network");
    dt_yaml_net *n = arena ? dt_arena_get(arena, sizeof *n) : NULL;
    dt_yaml_node *root = NULL;
    if (!n) {
        dt_arena_free(arena);
        return no_memory(err);
    }
    n->arena = arena;
    dt_sha256 h;
    dt_sha256_init(&h);
    dt_sha256_add(&h, text, size);
    dt_sha256_end(&h, n->sha256);
    dt_status st = dt_yaml_parse(arena, path, text, size, &root, err);
    n->root = root;
    if (st == DT_OK) st = read_all(n, err);
    if (st == DT_OK)
        *out = n;
    else
        dt_yaml_net_close(n);
    return st;
}

dt_status dt_yaml_net_open(const char *path, const dt_alloc *a, dt_yaml_net **out, dt_error *err)
{
    unsigned char *bytes;
    size_t size;
    DT_TRY(dt_file_read(a, path, DT_YAML_MAX_BYTES, &bytes, &size, err));
    dt_status st = dt_yaml_net_open_text(path, (const char *)bytes, size, a, out, err);
    dt_put(a, bytes);
    return st;
}

void dt_yaml_net_close(dt_yaml_net *n)
{
    if (n) dt_arena_free(n->arena); /* it is in it */
}

const char *dt_yaml_net_sha256(const dt_yaml_net *n)
{
    return n->sha256;
}

int dt_yaml_net_classes(const dt_yaml_net *n)
{
    return n->classes;
}

int dt_yaml_net_outputs(const dt_yaml_net *n)
{
    return n->outputs ? (int)n->outputs->count : 0;
}

/* ---- the graph ---- */

typedef struct building {
    const dt_yaml_net *net;
    dt_builder *b;
    int x, classes;
    int *value; /* by layer */
    dt_error *err;
} building;

/* The value that a name of `from` means, of a layer before layer i. */
static dt_status source_of(const building *g, size_t i, const dt_yaml_node *node, int *out)
{
    const dt_yaml_net *n = g->net;
    const char *name = dt_yaml_text(node);
    const char *names[64];
    size_t count = 0;
    for (int k = 0, v; name && (v = dt_graph_input(g->b->graph, k)) >= 0; k++) {
        names[count++] = g->b->graph->value[v].name;
        if (strcmp(name, names[k]) != 0) continue;
        *out = v;
        return DT_OK;
    }
    for (size_t k = i; name && k-- > 0;) {
        if (strcmp(n->layer[k].name, name) == 0) {
            *out = g->value[k];
            return DT_OK;
        }
        if (count < DT_ARRAY_LEN(names)) names[count++] = n->layer[k].name;
    }
    const char *near = name ? dt_nearest(name, names, count) : NULL;
    return dt_node_fail(node, DT_ERR_NOT_FOUND, g->err,
                        "'%.60s' is no layer before this one and no input%s%s%s", name ? name : "",
                        near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static dt_status sources(const building *g, size_t i, int in[DT_OP_MAX_IN], int *out_count)
{
    const layer *l = &g->net->layer[i];
    const dt_yaml_node *from = l->from;
    *out_count = 1;
    in[0] = i ? g->value[i - 1] : g->x;
    if (from && from->kind == DT_YAML_SEQ) {
        if (from->count > DT_OP_MAX_IN)
            return dt_node_fail(from, DT_ERR_RANGE, g->err, "has %zu names, at most %d are read",
                                from->count, DT_OP_MAX_IN);
        *out_count = (int)from->count;
        for (const dt_yaml_node *k = from->first; k; k = k->next)
            DT_TRY(source_of(g, i, k, &in[k->index]));
    } else if (from) {
        DT_TRY(source_of(g, i, from, &in[0]));
    }
    if (*out_count >= l->kind.in_min && *out_count <= l->kind.in_max) return DT_OK;
    return dt_node_fail(from ? from : l->node, DT_ERR_RANGE, g->err,
                        "'%s' reads %d to %d layers, not %d; from: [a, b] names them", l->kind.name,
                        l->kind.in_min, l->kind.in_max, *out_count);
}

/* A layer's name must be none of the data's inputs. */
static dt_status check_names(const building *g)
{
    const dt_graph *graph = g->b->graph;
    for (int k = 0, v; (v = dt_graph_input(graph, k)) >= 0; k++) {
        const char *name = graph->value[v].name;
        const dt_yaml_node *node = find_name(g->net, g->net->count, name);
        if (node)
            return dt_node_fail(node, DT_ERR_RANGE, g->err, "'%s' is the name of an input", name);
    }
    return DT_OK;
}

/* Of several inputs all must be read. */
static dt_status check_inputs(const building *g)
{
    const dt_graph *graph = g->b->graph;
    for (int k = 0, v; dt_graph_input(graph, 1) >= 0 && (v = dt_graph_input(graph, k)) >= 0; k++)
        if (graph->value[v].uses == 0)
            return dt_node_fail(g->net->root, DT_ERR_NOT_FOUND, g->err,
                                "no layer reads the input '%s'; from: %s does",
                                graph->value[v].name, graph->value[v].name);
    return DT_OK;
}

static dt_status build_layer(building *g, size_t i)
{
    const layer *l = &g->net->layer[i];
    dt_error below = { .status = DT_OK };
    int in[DT_OP_MAX_IN], count;
    DT_TRY(sources(g, i, in, &count));
    void *conf = dt_arena_get(g->b->graph->arena, l->kind.conf_size + 1);
    const char *name = dt_layer_name(g->b, "%s", l->name);
    if (!conf || g->b->status != DT_OK) return no_memory(g->err);
    DT_TRY(read_conf(l, g->classes, conf, g->err));
    g->b->err = &below;
    g->value[i] = dt_layer_build(g->b, &l->kind, name, conf, in, count);
    g->b->err = g->err;
    if (g->b->status != DT_OK) return dt_node_fail(l->node, g->b->status, g->err, "%s", below.text);
    if (dt_shape_count(&g->b->graph->value[g->value[i]].shape) <= most_elements) return DT_OK;
    return dt_node_fail(l->node, DT_ERR_RANGE, g->err, "gives more than %lld numbers for a picture",
                        (long long)most_elements);
}

/* The output has a row for each sample. */
static dt_status check_output(const building *g, int y, const dt_yaml_node *place)
{
    const dt_shape *s = &g->b->graph->value[y].shape;
    char text[DT_SHAPE_TEXT];
    if (s->rank == 2) return DT_OK;
    return dt_node_fail(place, DT_ERR_SHAPE, g->err,
                        "the output is %s; a row of numbers for each picture, [1,classes], is "
                        "wanted, as gap makes of pictures",
                        dt_shape_print(s, text));
}

static int value_of(const building *g, const char *name)
{
    size_t i = 0;
    while (strcmp(g->net->layer[i].name, name) != 0)
        i++;
    return g->value[i];
}

/* The values that come out, and ports of those that have names. */
static dt_status find_outputs(const building *g, int out[OUTPUTS], int *out_count)
{
    const dt_yaml_net *n = g->net;
    const dt_yaml_node *last = n->layer[n->count - 1].node;
    *out_count = 0;
    for (const dt_yaml_node *k = n->outputs ? n->outputs->first : NULL; k; k = k->next) {
        int y = out[(*out_count)++] = value_of(g, dt_yaml_text(k));
        DT_TRY(check_output(g, y, k));
        DT_TRY(dt_graph_port(g->b->graph, DT_PORT_OUTPUT, k->key ? k->key : dt_yaml_text(k), y,
                             g->err));
    }
    if (*out_count) return DT_OK;
    out[(*out_count)++] = n->output ? value_of(g, dt_yaml_text(n->output)) : g->value[n->count - 1];
    return check_output(g, out[0], n->output ? n->output : last);
}

dt_status dt_yaml_net_build(const dt_yaml_net *n, dt_builder *b, int x, int classes,
                            int *out_logits, dt_yaml_layer_fn fn, void *arg, dt_error *err)
{
    building g = { .net = n, .b = b, .x = x, .classes = classes, .err = err };
    int first = b->graph->node_count;
    g.value = dt_arena_get(b->graph->arena, n->count * sizeof *g.value);
    if (!g.value) return no_memory(err);
    DT_TRY(check_names(&g));
    for (size_t i = 0; i < n->count; i++) {
        DT_TRY(build_layer(&g, i));
        if (fn) fn(arg, n->layer[i].name, n->layer[i].kind.name, g.value[i]);
    }
    int y[OUTPUTS], outputs;
    DT_TRY(check_inputs(&g));
    DT_TRY(find_outputs(&g, y, &outputs));
    dt_ox_roles(b->graph, first, y, outputs);
    *out_logits = y[0];
    return DT_OK;
}
