/* detent train */
/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "cli/ranks.h"
#include "cli/train_events.h"

static int dry_run(dt_recipe *recipe, const cli_args *args)
{
    dt_error err;
    size_t params;
    const dt_run_params p = {
        .recipe = recipe,
        .threads = args->threads,
        .plain = args->plain,
        .isa = args->isa,
        .events = { .message = cli_train_message },
        .memory = args->memory,
    };
    if (dt_run_check(&p, &params, &err) != DT_OK) return cli_fail(&err);
    if (args->json) {
        cli_print_json(
            json_pack("{s:s,s:I}", "recipe.hash", recipe->hash, "parameters", (json_int_t)params),
            0);
        return 0;
    }
    printf("%srecipe hash %s\n%zu parameters; nothing was written\n", recipe->text, recipe->hash,
           params);
    return 0;
}

static int train_in(dt_recipe *recipe, const char *folder, const cli_args *args, dt_comm *comm)
{
    dt_error err;
    char build[DT_SHA256_HEX] = "";
    dt_run_result result;
    cli_train_view v = { .json = args->json };
    const dt_run_params p = {
        .recipe = recipe,
        .folder = folder,
        .comm = comm,
        .build = build,
        .threads = cli_ranks_threads(comm, args),
        .plain = args->plain,
        .isa = args->isa,
        .memory = cli_ranks_memory(comm, args),
        .resume = args->resume,
        .stop = &cli_stop_requested,
        .events = cli_train_events(&v),
    };
    cli_catch_stops();
    cli_outlive_readers();
    if (!args->quiet)
        fprintf(stderr, "recipe %s, hash %.12s, run folder %s\n", recipe->name, recipe->hash,
                folder);
    dt_status st = comm ? cli_ranks_build(build, &err) : DT_OK;
    if (dt_comm_settle(comm, st, &err) != DT_OK) return cli_ranks_fail(comm, &err);
    if (dt_run_train(&p, &result, &err) != DT_OK) return cli_ranks_fail(comm, &err);
    cli_progress(NULL, 0);
    if (!result.finished) return 130;
    if (args->quiet) return 0;
    cli_train_end(&v, &result, folder);
    return 0;
}

static int train(dt_recipe *recipe, const cli_args *args, dt_comm *comm)
{
    dt_error err;
    char *folder =
        args->out ? dt_format(NULL, "%s", args->out) : dt_format(NULL, "runs/%s", recipe->name);
    if (!folder) {
        dt_fail(&err, DT_ERR_NOMEM, NULL, "no memory");
        return cli_fail(&err);
    }
    int code = train_in(recipe, folder, args, comm);
    dt_put(NULL, folder);
    return code;
}

static int train_among(const cli_args *args, dt_comm *comm)
{
    dt_error err;
    dt_recipe *recipe = NULL;
    dt_status st = cli_recipe(args, &recipe, &err);
    st = dt_comm_settle(comm, st, &err);
    int code = st != DT_OK     ? cli_ranks_fail(comm, &err)
               : args->dry_run ? dry_run(recipe, args)
                               : train(recipe, args, comm);
    dt_recipe_free(recipe);
    return code;
}

int cli_train(const cli_args *args)
{
    dt_comm *comm;
    cli_args own = *args;
    if (!cli_ranks_join(args, &comm)) return 1;
    own.quiet = dt_comm_rank(comm) > 0;
    int code = 0;
    if (!own.dry_run)
        code = train_among(&own, comm);
    else if (!own.quiet) /* rank 0 alone */
        code = train_among(&own, NULL);
    return cli_ranks_leave(comm, code);
}
