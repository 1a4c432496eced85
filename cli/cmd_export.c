/* detent export */
/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <string.h>

#include "cli/cli.h"

/* Options of exporters that the command line can set; a format without the option refuses it. */
static dt_status configure(const dt_session *s, const dt_exporter *e, const cli_args *args,
                           void *conf, dt_error *err)
{
    const struct {
        const char *flag, *key, *value; /* NULL: not given */
    } given[] = { { "--allow-float", "allow_float", args->allow_float ? "true" : NULL },
                  { "--rounding", "rounding", args->rounding },
                  { "--prefix", "prefix", args->prefix } };
    if (e->row.opts) dt_opt_defaults(e->row.opts, conf);
    const dt_opt *rounding = e->row.opts ? dt_opt_find(e->row.opts, "rounding") : NULL;
    if (rounding)
        DT_TRY(dt_opt_set(rounding, conf, cli_rounding(s, args), &(dt_where){ .key = "rounding" },
                          err));
    for (size_t i = 0; i < DT_ARRAY_LEN(given); i++) {
        const dt_where where = { .key = given[i].flag };
        const dt_opt *opt = e->row.opts ? dt_opt_find(e->row.opts, given[i].key) : NULL;
        if (!given[i].value) continue;
        if (!opt)
            return dt_fail(err, DT_ERR_ARG, &where, "the format '%s' has no such option",
                           e->row.name);
        DT_TRY(dt_opt_set(opt, conf, given[i].value, &where, err));
    }
    return DT_OK;
}

dt_status cli_write_export(const dt_session *s, const dt_exporter *e, const cli_args *args,
                           const char *path, dt_export_report *report, dt_error *err)
{
    struct dt_text_attr attr[DT_SOURCE_TEXTS];
    const dt_export_source src = cli_source(s, attr);
    void *conf = dt_get(NULL, e->row.conf_size, "exporter");
    if (!conf) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    dt_status st = configure(s, e, args, conf, err);
    if (st == DT_OK) st = e->write(&src, conf, args->dry_run ? NULL : path, report, err);
    dt_put(NULL, conf);
    return st;
}

static void print_counts(const char *what, const dt_export_count *list, int count)
{
    for (int i = 0; i < count; i++)
        printf("%-8s %-22s %5d\n", i ? "" : what, list[i].name, list[i].count);
}

static json_t *counts(const dt_export_count *list, int count)
{
    json_t *o = json_object();
    for (int i = 0; i < count; i++)
        json_object_set_new(o, list[i].name, json_integer(list[i].count));
    return o;
}

static void print_report(const dt_export_report *r, const char *path, const cli_args *args)
{
    if (args->json) {
        json_t *o = json_pack(
            "{s:o,s:I,s:s,s:b,s:o,s:o,s:i,s:i,s:I,s:I}", "file", cli_text_json(path), "bytes",
            (json_int_t)r->bytes, "format", r->format, "written", !args->dry_run, "parts",
            counts(r->part, r->part_count), "layers", counts(r->layer, r->layer_count), "missing",
            r->missing, "floats", r->floats, "weight_bytes", (json_int_t)r->weight_bytes,
            "trained_bytes", (json_int_t)r->trained_bytes);
        if (r->missing || r->floats)
            json_object_set_new(o, "integer_macs", json_real(r->integer_macs));
        json_object_set_new(o, "memory", counts(r->memory, r->memory_count));
        json_object_set_new(o, "depends", r->depends ? json_string(r->depends) : json_null());
        cli_print_json(o, 0);
        return;
    }
    printf("%-8s %s%s\n%-8s %s\n%-8s %zu\n", "file", path,
           args->dry_run ? " (dry run, not written)" : "", "format", r->format, "bytes", r->bytes);
    print_counts("holds", r->part, r->part_count);
    if (r->weight_bytes)
        printf("%-8s %zu bytes, %zu at their bits\n", "weights", r->weight_bytes, r->trained_bytes);
    print_counts("memory", r->memory, r->memory_count);
    print_counts("layers", r->layer, r->layer_count);
    if (r->missing)
        printf("%-8s %d sites have no quantizer and run in float\n", "note", r->missing);
    if (r->floats)
        printf("%-8s %d layer norms, GELUs and softmaxes have no integer form: in float between "
               "quantizers\n",
               "note", r->floats);
    if (r->missing || r->floats)
        printf("%-8s %.1f %% of the MACs in integers\n", "note", 100 * r->integer_macs);
    if (r->depends) printf("%-8s %s\n", "note", r->depends);
}

dt_status cli_exporter(const cli_args *args, const dt_row **out_format, const dt_target **out,
                       dt_error *err)
{
    const dt_row *row;
    *out = NULL;
    if (!args->target)
        return dt_table_get(&dt_exporters, args->format ? args->format : "onnx",
                            &(dt_where){ .key = "--format" }, out_format, err);
    DT_TRY(dt_table_get(&dt_targets, args->target, &(dt_where){ .key = "--target" }, &row, err));
    *out = dt_target_of(row);
    return dt_target_format(*out, args->format, out_format, err);
}

dt_status cli_check_target(const dt_session *s, const dt_target *t, const cli_args *args,
                           bool early, dt_error *err)
{
    struct dt_text_attr attr[DT_SOURCE_TEXTS];
    const dt_export_source src = cli_source(s, attr);
    dt_target_report r;
    DT_TRY(early ? dt_target_check_graph(t, &src, args->allow_float, &r, err)
                 : dt_target_check(t, &src, args->allow_float, &r, err));
    for (int i = 0; i < r.count; i++) {
        const dt_target_finding *f = &r.finding[i];
        fprintf(stderr, "%s: %s: %s: %d not so (%s); fix: %s\n", f->rule->note ? "note" : "rule",
                t->row.name, f->rule->text, f->count, f->places, f->rule->fix);
    }
    if (!r.broken) return DT_OK;
    return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = "--target" },
                   "'%s' does not take this net: %d of its rules are broken", t->row.name,
                   r.broken);
}

static dt_status export(dt_recipe *recipe, const cli_args *args, dt_error *err)
{
    dt_session s;
    dt_export_report report;
    const dt_row *row;
    const dt_target *target;
    char path[DT_OPT_STR_MAX + 16]; /* a name and an extension of ours */
    DT_TRY(cli_exporter(args, &row, &target, err));
    const dt_exporter *e = dt_exporter_of(row);
    snprintf(path, sizeof path, "%s.%s", recipe->name, e->extension);
    const dt_session_params p = { .recipe = recipe,
                                  .threads = args->threads,
                                  .isa = args->isa,
                                  .no_data = !args->calibrate,
                                  .need = args->calibrate ? DT_NEED_TRAIN : DT_NEED_ANY,
                                  .memory = args->memory,
                                  .calibrate = args->calibrate };
    DT_TRY(dt_session_open(&s, &p, err));
    cli_tell_import(&s, args);
    dt_status st = cli_calibrate(&s, args, err);
    if (st == DT_OK && target) st = cli_check_target(&s, target, args, false, err);
    if (st == DT_OK) st = cli_write_export(&s, e, args, args->out ? args->out : path, &report, err);
    if (st == DT_OK) print_report(&report, args->out ? args->out : path, args);
    dt_session_close(&s);
    return st;
}

int cli_export(const cli_args *args)
{
    dt_error err;
    dt_recipe *recipe;
    if (cli_recipe_or_checkpoint(args, &recipe, &err) != DT_OK) return cli_fail(&err);
    dt_status st = export(recipe, args, &err);
    dt_recipe_free(recipe);
    return st == DT_OK ? 0 : cli_fail(&err);
}
