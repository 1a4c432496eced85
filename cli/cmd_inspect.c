/* detent inspect */
/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/inspect_layers.h"
#include "cli/inspect_onnx.h"
#include "cli/inspect_yaml.h"
#include "cli/plain.h"

/* Texts that a run writes, and what they are called here; NULL: in JSON only. */
static const struct {
    const char *key, *label;
    bool number;
} facts[] = {
    { "recipe.name", "recipe", false },
    { "recipe.hash", "recipe hash", false },
    { "run.step", "step", true },
    { "run.steps_per_epoch", "steps per epoch", true },
    { "isa", "isa", false },
    { "blas", "blas", false },
    { "input.height", "input height", true },
    { "input.width", "input width", true },
    { "class.names", NULL, false }, /* a line each */
};

typedef struct view {
    json_t *list;     /* NULL: a table */
    json_t *dynamics; /* with list */
    int sites, layers;
    cli_layers costs;
} view;

static const char *range_of(const dt_inspect_site *s, char text[32])
{
    if (s->has_grid)
        snprintf(text, 32, "%d..%d", s->qmin, s->qmax);
    else
        snprintf(text, 32, "%s", s->is_signed ? "signed" : "unsigned");
    return text;
}

/* Counts over the grid and an eighth of its length on both sides. */
static json_t *histogram(const int64_t *bin)
{
    json_t *list = json_array();
    for (int i = 0; i < DT_INSPECT_BINS; i++)
        json_array_append_new(list, json_integer((json_int_t)bin[i]));
    return list;
}

static void on_site(void *arg, const dt_inspect_site *s)
{
    view *v = arg;
    char range[32], values[32] = "", name[CLI_PLAIN_NAME];
    range_of(s, range);
    if (v->list) {
        json_t *o =
            json_pack("{s:o,s:s,s:s,s:i,s:s,s:I,s:o,s:o,s:o,s:o}", "name", cli_text_json(s->name),
                      "side", s->weight ? "weights" : "activations", "method", s->method, "bits",
                      s->bits, "range", range, "groups", (json_int_t)s->groups, "scale_low",
                      dt_json_number(s->scale_low), "scale_high", dt_json_number(s->scale_high), "low",
                      dt_json_number(s->low), "high", dt_json_number(s->high));
        if (o && s->at_floor)
            json_object_set_new(o, "at_floor", json_integer((json_int_t)s->at_floor));
        if (o && s->measured) json_object_set_new(o, "clipped", json_real(s->clipped));
        if (o && s->measured && isfinite(s->sqnr_db))
            json_object_set_new(o, "sqnr_db", json_real(s->sqnr_db));
        if (o && s->measured) json_object_set_new(o, "histogram", histogram(s->bin));
        json_array_append_new(v->list, o);
        return;
    }
    if (v->sites++ == 0)
        printf("\n%-38s %-8s %4s %-10s %-18s %8s %6s %6s  %s\n", "quantization site", "method",
               "bits", "codes", "values", "clipped", "SQNR", "scales", "scale");
    if (s->has_grid) snprintf(values, sizeof values, "%.3g..%.3g", s->low, s->high);
    printf("%-38s %-8s %4d %-10s %-18s", cli_plain_name(s->name, name), s->method, s->bits, range,
           values);
    if (s->measured)
        printf(" %7.3f%% %6.1f", 100 * s->clipped, s->sqnr_db);
    else
        printf(" %8s %6s", "", "");
    printf(" %6lld  %.6g", (long long)s->groups, s->scale_low);
    if (s->scale_high > s->scale_low) printf("..%.6g", s->scale_high);
    if (s->at_floor) printf("  at its floor: %lld", (long long)s->at_floor);
    puts("");
}

static void on_layer(void *arg, const dt_inspect_layer *l)
{
    cli_layers_add(&((view *)arg)->costs, l);
}

static void on_dynamics(void *arg, const char *row, const char *layer, const dt_dynamics_number *n,
                        int count)
{
    view *v = arg;
    if (v->list) {
        json_t *o =
            json_pack("{s:s,s:o}", "row", row, "layer", cli_text_json(layer ? layer : "all"));
        for (int i = 0; o && i < count; i++) {
            json_t *values = n[i].count == 1 ? dt_json_number(n[i].value[0]) : json_array();
            for (int k = 0; n[i].count > 1 && k < n[i].count; k++)
                json_array_append_new(values, dt_json_number(n[i].value[k]));
            json_object_set_new(o, n[i].key, values);
        }
        json_array_append_new(v->dynamics, o);
        return;
    }
    if (v->layers++ == 0) printf("\n%-14s %-34s %s\n", "dynamics", "layer", "statistics");
    printf("%-14s %-34s", row, layer ? layer : "all");
    for (int i = 0; i < count; i++) {
        printf("  %s", n[i].key);
        for (int k = 0; k < n[i].count; k++)
            printf(" %.3g", n[i].value[k]);
    }
    puts("");
}

static size_t count_model(const dt_tensors *set, size_t *out_elements)
{
    size_t n = 0;
    *out_elements = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (!dt_inspect_is_model(set->item[i].name)) continue;
        n++;
        *out_elements += (size_t)dt_shape_count(&set->item[i].shape);
    }
    return n;
}

static void print_text(const dt_inspection *in, const char *path)
{
    char shape[DT_SHAPE_TEXT], name[CLI_PLAIN_NAME];
    size_t elements, tensors = count_model(&in->set, &elements);
    printf("%s: %s, %zu bytes\n", cli_plain_name(path, name), in->format, in->bytes);
    for (size_t i = 0; i < DT_ARRAY_LEN(facts); i++) {
        const char *value = in->native ? dt_tensors_attr(&in->set, facts[i].key) : NULL;
        if (value && facts[i].label) printf("%-16s %s\n", facts[i].label, value);
    }
    printf("%-16s %s\n%-16s %zu, %zu elements; %zu of the run\n\n", "sha256", in->sha256, "tensors",
           tensors, elements, in->set.count - tensors);
    printf("%-46s %-5s %-18s %10s\n", "tensor", "type", "shape", "elements");
    for (size_t i = 0; i < in->set.count; i++) {
        const dt_named_tensor *t = &in->set.item[i];
        if (!dt_inspect_is_model(t->name)) continue;
        printf("%-46s %-5s %-18s %10lld\n", cli_plain_name(t->name, name), dt_dtype_name(t->dtype),
               dt_shape_print(&t->shape, shape), (long long)dt_shape_count(&t->shape));
    }
}

static json_t *tensor_list(const dt_tensors *set)
{
    json_t *list = json_array();
    for (size_t i = 0; i < set->count; i++) {
        const dt_named_tensor *t = &set->item[i];
        json_t *shape = json_array();
        for (int k = 0; k < t->shape.rank; k++)
            json_array_append_new(shape, json_integer((json_int_t)t->shape.dim[k]));
        json_array_append_new(list, json_pack("{s:o,s:s,s:o,s:I}", "name", cli_text_json(t->name),
                                              "type", dt_dtype_name(t->dtype), "shape", shape,
                                              "elements", (json_int_t)dt_shape_count(&t->shape)));
    }
    return list;
}

static json_t *describe(const dt_inspection *in, const char *path)
{
    json_t *o = json_pack("{s:o,s:s,s:I,s:s,s:o}", "file", cli_text_json(path), "format",
                          in->format, "bytes", (json_int_t)in->bytes, "sha256", in->sha256,
                          "tensors", tensor_list(&in->set));
    for (size_t i = 0; o && i < DT_ARRAY_LEN(facts); i++) {
        const char *value = in->native ? dt_tensors_attr(&in->set, facts[i].key) : NULL;
        if (!value) continue;
        json_t *v = facts[i].number ? json_integer((json_int_t)strtoll(value, NULL, 10))
                                    : cli_text_json(value);
        json_object_set_new(o, facts[i].key, v);
    }
    return o;
}

/* Texts of a foreign file, long ones cut. */
static void print_texts(const dt_inspection *in, json_t *o)
{
    char shown[CLI_PLAIN_NAME];
    json_t *texts = o ? json_object() : NULL;
    for (size_t i = 0; i < in->set.attr_count; i++) {
        const char *key = in->set.attr[i].key, *value = in->set.attr[i].value;
        int line = (int)strcspn(value, "\n"), cut = line > 100 ? 100 : line;
        while (cut < line && cut > 96 && ((unsigned char)value[cut] & 0xc0) == 0x80)
            cut--; /* not within a character */
        if (texts) {
            json_t *name = cli_text_json(key); /* a JSON key is UTF-8 too */
            if (name) json_object_set_new(texts, json_string_value(name), cli_text_json(value));
            json_decref(name);
        } else {
            printf("%s%-38s %.*s%s\n", i ? "" : "\n", cli_plain_name(key, shown), cut, value,
                   value[line] || cut < line ? " ..." : "");
        }
    }
    if (texts) json_object_set_new(o, "texts", texts);
}

static int print_all(const dt_inspection *in, const cli_args *args)
{
    dt_error err;
    const char *path = args->words[0];
    size_t params = 0;
    int code = 0;
    view v = { .list = args->json ? json_array() : NULL,
               .dynamics = args->json ? json_array() : NULL,
               .costs.list = args->json ? json_array() : NULL };
    const dt_inspect_events events = { .site = on_site,
                                       .layer = on_layer,
                                       .dynamics = on_dynamics,
                                       .arg = &v,
                                       .pictures = args->images,
                                       .overrides = args->words + 1,
                                       .override_count = (size_t)args->word_count - 1,
                                       .memory = args->memory };
    json_t *o = args->json ? describe(in, path) : NULL;
    if (!args->json) print_text(in, path);
    if (in->native) {
        /* Sites come with the recipe; a build that cannot read it still lists the tensors. */
        if (dt_inspect_sites(in, path, &events, &params, &err) != DT_OK) {
            fprintf(stderr, "detent: no quantization sites are listed: %s\n", err.text);
            code = 1; /* and says that this is not all */
        } else if (!args->json) {
            cli_layers_print_total(&v.costs);
            printf("\nparameters %zu\n", params);
        }
    } else {
        print_texts(in, args->json ? o : NULL);
        if (in->is_graph) code = cli_inspect_onnx(path, &args->memory, args->json ? o : NULL);
    }
    if (!args->json) return code;
    json_object_set_new(o, "sites", v.list);
    json_object_set_new(o, "layers", v.costs.list);
    if (v.costs.count) json_object_set_new(o, "total", cli_layers_total(&v.costs));
    if (json_array_size(v.dynamics))
        json_object_set_new(o, "dynamics", v.dynamics);
    else
        json_decref(v.dynamics);
    if (params) json_object_set_new(o, "parameters", json_integer((json_int_t)params));
    cli_print_json(o, 9);
    return code;
}

int cli_inspect(const cli_args *args)
{
    dt_error err;
    dt_inspection in;
    if (dt_inspect_is_yaml(args->words[0]) && !args->sha256)
        return cli_inspect_yaml(args->words[0], args);
    if (dt_inspect_open(args->words[0], &args->memory, NULL, &in, &err) != DT_OK)
        return cli_fail(&err);
    int code = 0;
    if (args->sha256)
        puts(in.sha256);
    else
        code = print_all(&in, args);
    dt_inspect_close(&in);
    return code;
}
