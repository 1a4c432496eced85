/* detent bench */
/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <string.h>

#include "cli/bench_run.h"
#include "cli/ranks.h"

static void print_json(const char *name, const dt_bench_result *r)
{
    json_t *ops = json_array();
    for (int i = 0; i < r->op_count; i++)
        json_array_append_new(
            ops, json_pack("{s:s,s:i,s:f,s:f,s:f,s:f,s:f,s:f}", "op", r->op[i].name, "nodes",
                           r->op[i].nodes, "forward_ms", r->op[i].forward_ms, "backward_ms",
                           r->op[i].backward_ms, "forward_gflop", r->op[i].forward.gflop,
                           "forward_mb", r->op[i].forward.mb, "backward_gflop",
                           r->op[i].backward.gflop, "backward_mb", r->op[i].backward.mb));
    json_t *o = json_pack(
        "{s:o,s:s,s:i,s:I,s:I,s:i,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:o}",
        "recipe", cli_text_json(name), "isa", r->isa, "threads", r->threads, "batch",
        (json_int_t)r->batch, "params", (json_int_t)r->params, "steps", r->steps, "ms_median",
        r->ms_median, "ms_min", r->ms_min, "update_ms", r->update_ms, "img_per_s", r->images_per_s,
        "gflop", r->gflop, "fma_peak", r->fma_peak, "fma_share", r->fma_share, "planned_mb",
        r->planned_mb, "peak_mb", r->peak_mb, "base_mb", r->base_mb, "arena_mb", r->arena_mb,
        "arena_real_mb", r->arena_real_mb, "loader_share", r->loader_share, "bandwidth",
        r->bandwidth, "update_mb", r->update_mb, "ops", ops);
    cli_print_json(o, 6);
}

static void print_table(const char *name, const dt_bench_result *r)
{
    printf("%s: batch %lld, %lld parameters, %d threads, %s\n", name, (long long)r->batch,
           (long long)r->params, r->threads, r->isa);
    printf("step    median %.2f ms, fastest %.2f ms of %d; %.0f pictures/s\n", r->ms_median,
           r->ms_min, r->steps, r->images_per_s);
    printf(
        "rate    %.1f GFLOP of products, %.0f GFLOP/s over the whole step: %.0f%% of the FMA peak "
        "of %.0f\n",
        r->gflop, 1e3 * r->gflop / r->ms_median, 100 * r->fma_share, r->fma_peak);
    printf(
        "memory  planned %.1f MB, most of the process %.1f MB; arena %.1f MB planned, %.1f real\n",
        r->planned_mb, r->peak_mb, r->arena_mb, r->arena_real_mb);
    printf("loader  waited for %.2f%% of the time\n\n", 100 * r->loader_share);
    printf("%-16s %6s %12s %12s %8s\n", "op", "nodes", "forward ms", "backward ms", "share");
    double sum = r->update_ms;
    for (int i = 0; i < r->op_count; i++)
        sum += r->op[i].forward_ms + r->op[i].backward_ms;
    for (int i = 0; i < r->op_count; i++)
        printf("%-16s %6d %12.2f %12.2f %7.1f%%\n", r->op[i].name, r->op[i].nodes,
               r->op[i].forward_ms, r->op[i].backward_ms,
               100 * (r->op[i].forward_ms + r->op[i].backward_ms) / sum);
    printf("%-16s %6s %12s %12.2f %7.1f%%\n", "(optimizer)", "", "", r->update_ms,
           100 * r->update_ms / sum);
}

/* A line of the roofline: the least time is that of the arithmetic at the FMA peak or that of
 * memory at its rate, whichever is longer. Products of codes may take less. */
static void print_roof(const dt_bench_result *r, const char *name, const char *pass, double ms,
                       dt_bench_work w)
{
    double fma = 1e3 * w.gflop / r->fma_peak, memory = w.mb / r->bandwidth;
    double least = fma > memory ? fma : memory;
    if (ms <= 0) return;
    printf("%-16s %-8s %9.2f %9.2f %5.0f%% %9.1f %5.0f%% %9.2f  %s\n", name, pass, ms, w.gflop,
           100 * fma / ms, w.mb, 100 * memory / ms, least,
           least <= 0      ? "-"
           : fma >= memory ? "arithmetic"
                           : "memory");
}

static void print_roofline(const dt_bench_result *r)
{
    double ms = r->update_ms;
    dt_bench_work all = { 0, r->update_mb };
    printf("\npeaks   %.0f GFLOP/s of FMAs, %.1f GB/s of memory, %d threads\n\n", r->fma_peak,
           r->bandwidth, r->threads);
    printf("%-16s %-8s %9s %9s %6s %9s %6s %9s  %s\n", "op", "pass", "ms", "GFLOP", "FMA", "MB",
           "memory", "least ms", "bound by");
    for (int i = 0; i < r->op_count; i++) {
        const dt_bench_op *o = &r->op[i];
        print_roof(r, o->name, "forward", o->forward_ms, o->forward);
        print_roof(r, o->name, "backward", o->backward_ms, o->backward);
        ms += o->forward_ms + o->backward_ms;
        all.gflop += o->forward.gflop + o->backward.gflop;
        all.mb += o->forward.mb + o->backward.mb;
    }
    print_roof(r, "(optimizer)", "", r->update_ms, (dt_bench_work){ 0, r->update_mb });
    print_roof(r, "(all)", "", ms, all);
}

static void print_kernel(void *arg, const dt_bench_kernel *r)
{
    const cli_args *args = arg;
    if (!args->json) {
        printf("%-27s %-14s %9.3f %9.1f", r->shape, r->pass, r->ms, r->gops);
        if (r->fma_share > 0) printf(" %8.0f%%", 100 * r->fma_share);
        puts("");
    } else {
        json_t *o = json_pack("{s:s,s:s,s:s,s:i,s:f,s:f,s:f}", "shape", r->shape, "pass", r->pass,
                              "isa", r->isa, "per_step", r->per_step, "ms", r->ms, "gops", r->gops,
                              "fma_share", r->fma_share);
        cli_print_json(o, 6);
    }
    fflush(stdout);
}

static int bench_ops(const cli_args *args)
{
    dt_error err;
    cli_args copy = *args;
    const dt_bench_ops_params p = { .threads = args->threads,
                                    .isa = args->isa,
                                    .memory = args->memory,
                                    .only = args->word_count > 1 ? args->words[1] : NULL,
                                    .result = print_kernel,
                                    .arg = &copy };
    if (!args->json)
        printf("%-27s %-14s %9s %9s %9s\n", "shape, batch 128 (_n16: 16)", "pass", "ms", "GOP/s",
               "FMA peak");
    return dt_bench_ops(&p, &err) == DT_OK ? 0 : cli_fail(&err);
}

/* The recipe and overrides that follow the first word. */
static dt_status recipe_after(const cli_args *args, dt_recipe **out, dt_error *err)
{
    cli_args rest = *args;
    if (args->word_count < 2)
        return dt_fail(err, DT_ERR_ARG, NULL, "bench %s wants a recipe", args->words[0]);
    rest.word_count--;
    memmove(rest.words, args->words + 1, sizeof *rest.words * (size_t)rest.word_count);
    return cli_recipe(&rest, out, err);
}

static int bench_loader(const cli_args *args)
{
    dt_error err;
    dt_recipe *recipe;
    dt_bench_loader_result r;
    if (recipe_after(args, &recipe, &err) != DT_OK) return cli_fail(&err);
    const dt_bench_params p = {
        .recipe = recipe, .memory = args->memory, .steps = args->steps, .threads = args->threads
    };
    dt_status st = dt_bench_loader(&p, &r, &err);
    if (st == DT_OK && args->json) {
        json_t *o = json_pack("{s:o,s:I,s:[II],s:i,s:i,s:f,s:f,s:f,s:I}", "recipe",
                              cli_text_json(recipe->name), "batch", (json_int_t)r.batch, "picture",
                              (json_int_t)r.H, (json_int_t)r.W, "threads", r.threads, "batches",
                              r.batches, "ms", r.ms, "img_per_s", r.images_per_s, "peak_mb",
                              r.peak_mb, "skipped", (json_int_t)r.skipped);
        cli_print_json(o, 6);
    } else if (st == DT_OK) {
        printf("%s: batches of %lld pictures, %lldx%lld, %d threads\n%.2f ms a batch of %d, %.0f "
               "pictures/s; most memory of the process %.1f MB\n",
               recipe->name, (long long)r.batch, (long long)r.W, (long long)r.H, r.threads, r.ms,
               r.batches, r.images_per_s, r.peak_mb);
    }
    dt_recipe_free(recipe);
    return st == DT_OK ? 0 : cli_fail(&err);
}

static int bench_step(const cli_args *args)
{
    dt_error err;
    dt_recipe *recipe;
    dt_bench_result r;
    if (recipe_after(args, &recipe, &err) != DT_OK) return cli_fail(&err);
    if (args->run) {
        int code = cli_bench_run(recipe, args);
        dt_recipe_free(recipe);
        return code;
    }
    const dt_bench_params p = { .recipe = recipe,
                                .memory = args->memory,
                                .steps = args->steps,
                                .threads = args->threads,
                                .isa = args->isa,
                                .plain = args->plain,
                                .is_float = args->is_float,
                                .profile = args->profile };
    dt_status st = dt_bench_step(&p, &r, &err);
    if (st == DT_OK && args->json)
        print_json(recipe->name, &r);
    else if (st == DT_OK)
        print_table(recipe->name, &r);
    if (st == DT_OK && !args->json && args->profile) print_roofline(&r);
    dt_recipe_free(recipe);
    return st == DT_OK ? 0 : cli_fail(&err);
}

/* From a few numbers, where messages count, to as many as a large net has, where bytes do. */
static int time_ranks(const cli_args *args, dt_comm *comm)
{
    dt_error err;
    dt_bench_ranks_result r;
    if (!args->quiet && !args->json)
        printf("%d ranks, %d on this host\n%10s %8s %12s %10s %10s\n", dt_comm_size(comm),
               dt_comm_here(comm), "numbers", "buckets", "bytes sent", "ms", "MB/s sent");
    for (int64_t n = 1 << 8; n <= 1 << 24; n *= 4) {
        if (dt_bench_ranks(comm, n, args->steps, &args->memory, &r, &err) != DT_OK)
            return cli_ranks_fail(comm, &err);
        if (args->quiet) continue;
        if (args->json)
            cli_print_json(json_pack("{s:i,s:I,s:i,s:I,s:f}", "ranks", dt_comm_size(comm),
                                     "numbers", (json_int_t)r.elements, "buckets", r.buckets,
                                     "bytes", (json_int_t)r.bytes, "ms", r.ms),
                           6);
        else
            printf("%10lld %8d %12lld %10.3f %10.1f\n", (long long)r.elements, r.buckets,
                   (long long)r.bytes, r.ms, (double)r.bytes / 1e3 / r.ms);
        fflush(stdout);
    }
    return 0;
}

static int bench_ranks(const cli_args *args)
{
    dt_comm *comm;
    cli_args own = *args;
    if (!cli_ranks_join(args, &comm)) return 1;
    own.quiet = dt_comm_rank(comm) > 0;
    return cli_ranks_leave(comm, time_ranks(&own, comm));
}

int cli_bench(const cli_args *args)
{
    static const char *const names[] = { "step", "ops", "loader", "ranks" };
    if (strcmp(args->words[0], "step") == 0) return bench_step(args);
    if (strcmp(args->words[0], "ops") == 0) return bench_ops(args);
    if (strcmp(args->words[0], "loader") == 0) return bench_loader(args);
    if (strcmp(args->words[0], "ranks") == 0) return bench_ranks(args);
    const char *near = dt_nearest(args->words[0], names, DT_ARRAY_LEN(names));
    fprintf(stderr, "detent: no benchmark '%s', did you mean '%s'?\n", args->words[0],
            near ? near : "step");
    return 1;
}
