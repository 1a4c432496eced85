/* detent quantize */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/max_drop.h"
#include "cli/quantize_events.h"
#include "cli/quantize_file.h"
#include "cli/quantize_report.h"

/* A net that is no integer model has none, unless a format was asked for. */
static dt_status export(const dt_session *s, const cli_args *args, const dt_quantize_report *r,
                        const char *folder, char **out_path, dt_export_report *e, dt_error *err)
{
    const dt_row *row;
    const dt_target *target;
    *out_path = NULL;
    if (!args->format && !args->target && !r->integer.has && r->no_integer[0]) return DT_OK;
    DT_TRY(cli_exporter(args, &row, &target, err));
    if (target) DT_TRY(cli_check_target(s, target, args, false, err));
    char *name = dt_format(NULL, "%s.%s", s->recipe->name, dt_exporter_of(row)->extension);
    if (!name) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    dt_status st = dt_path_join(folder, name, out_path, err);
    dt_put(NULL, name);
    return st == DT_OK ? cli_write_export(s, dt_exporter_of(row), args, *out_path, e, err) : st;
}

static dt_status finish(const dt_session *s, const cli_args *args, const dt_quantize_report *r,
                        const cli_drop *drop, const char *folder, dt_error *err)
{
    dt_export_report e = { 0 };
    char *path;
    DT_TRY(export(s, args, r, folder, &path, &e, err));
    json_t *o = cli_quantize_json(s, r, drop, path, &e);
    dt_status st = o ? dt_quantize_write(folder, o, err)
                     : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the report");
    if (st == DT_OK && args->json)
        cli_print_json(o, 9);
    else if (o)
        json_decref(o);
    if (st == DT_OK && !args->json) cli_quantize_print(s, r, drop, folder);
    dt_put(NULL, path);
    return st;
}

/* Refuses what would only be found when all is done. */
static dt_status check_format(const cli_args *args, dt_error *err)
{
    const dt_row *row;
    const dt_target *target;
    return cli_exporter(args, &row, &target, err);
}

/* 130 if somebody stopped it. */
static int fail(const dt_error *err)
{
    int code = cli_fail(err);
    return atomic_load(&cli_stop_requested) ? 130 : code;
}

/* A drop that was not met is told when all is written. */
static dt_status judge(const cli_drop *drop, const dt_quantize_report *r, dt_error *err)
{
    char layers[400];
    if (!drop || drop->met) return DT_OK;
    cli_quantize_worst(r, layers, sizeof layers);
    return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = "--max-drop" },
                   "%.4g points cannot be met: %.4g is the least that was lost, at %.6g %s; the "
                   "layers that cost the most: %s",
                   drop->limit, drop->drop, drop->amount, drop->unit, layers);
}

static int quantize(dt_recipe *recipe, const char *folder, const cli_args *args,
                    const cli_drop *drop)
{
    dt_error err;
    dt_session s;
    dt_quantize_report report;
    dt_quantize_params p;
    cli_quantize_params(args, recipe, folder, &p);
    if (dt_quantize(&p, &s, &report, &err) != DT_OK) return fail(&err);
    dt_status st = finish(&s, args, &report, drop, folder, &err);
    if (st == DT_OK) st = judge(drop, &report, &err);
    dt_quantize_report_fini(NULL, &report);
    dt_session_close(&s);
    return st == DT_OK ? 0 : cli_fail(&err);
}

static int quantize_to(cli_quantize_recipe *r, const char *folder, const cli_args *args)
{
    dt_error err;
    cli_drop drop;
    cli_catch_stops();
    if (args->max_drop && cli_drop_search(r, folder, &drop, &err) != DT_OK) return fail(&err);
    return quantize(r->recipe, folder, args, args->max_drop ? &drop : NULL);
}

static int quantize_recipe(const cli_args *args)
{
    dt_error err;
    static cli_quantize_recipe r;
    int code = 1;
    dt_status st = check_format(args, &err);
    if (st == DT_OK && args->max_drop) st = cli_drop_check(args, &err);
    if (st == DT_OK) st = cli_quantize_recipe_of(args, &r, &err);
    if (st != DT_OK) return fail(&err);
    if (args->dry_run) {
        printf("%s", r.recipe->text);
        cli_quantize_put(&r, NULL);
        return 0;
    }
    char *folder =
        args->out ? dt_format(NULL, "%s", args->out) : dt_format(NULL, "runs/%s", r.recipe->name);
    if (folder)
        code = quantize_to(&r, folder, args);
    else
        fprintf(stderr, "no memory\n");
    dt_put(NULL, folder);
    cli_quantize_put(&r, NULL);
    return code;
}

int cli_quantize(const cli_args *args)
{
    dt_error err;
    cli_quantize_file f;
    if (cli_quantize_source(args, &f, &err) != DT_OK) return cli_fail(&err);
    int code = quantize_recipe(&f.args);
    cli_quantize_file_fini(&f);
    return code;
}
