/* detent: the command line. One verb, one file. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/script.h"
#include "cli/wrap.h"

static const cli_verb verbs[] = {
    { "train", "RECIPE [KEY=VALUE...]", "Train the recipe's network.", "otiMrnFKSj", 1,
      CLI_MAX_WORDS, cli_train },
    { "quantize", "RECIPE [KEY=VALUE...]\nNET.onnx --data FOLDER --normalize HOW [KEY=VALUE...]",
      "Make model.init, a float net, or an ONNX file one of integers without training.",
      "otiMjrnfTaRBDEWGAOZX", 1, CLI_MAX_WORDS, cli_quantize },
    { "sensitivity", "RECIPE [KEY=VALUE...]",
      "Tell which layers mind how many bits, and choose them for a budget.", "tiMjEWGA", 1,
      CLI_MAX_WORDS, cli_sensitivity },
    { "eval", "RECIPE|CHECKPOINT|EXPORT.onnx [KEY=VALUE...]",
      "Evaluate model.init on the test split.", "tiMjcpemRFL", 1, CLI_MAX_WORDS, cli_eval },
    { "predict", "RECIPE|CHECKPOINT|EXPORT.onnx PICTURE... [KEY=VALUE...]",
      "Tell the classes of picture files, with their scores. Of an ONNX file that was exported "
      "what "
      "its integers say.",
      "tiMjIR", 1, CLI_MAX_WORDS, cli_predict },
    { "repro", "RECIPE... [KEY=VALUE...]",
      "Run recipes and hold them to what they expect. Goes on where it was stopped; a run that "
      "misses its number, or has other weights than those recorded for this tier and library, "
      "fails.",
      "otiMjqd", 1, CLI_MAX_WORDS, cli_repro },
    { "export", "RECIPE|CHECKPOINT [KEY=VALUE...]", "Write model.init for another runtime.",
      "oftiMjnacRxT", 1, CLI_MAX_WORDS, cli_export },
    { "verify", "RECIPE|CHECKPOINT [KEY=VALUE...]",
      "Compare the integer model with the trained net, node by node.", "tiMjceRNuyPfC", 1,
      CLI_MAX_WORDS, cli_verify },
    { "inspect", "FILE [KEY=VALUE...]", "Tell what a checkpoint or a foreign file holds.", "jsNM",
      1, CLI_MAX_WORDS, cli_inspect },
    { "data", "check FOLDER|FILE.h5\npack FOLDER FILE.h5",
      "Read every picture of a set and tell what it holds, or pack it into one file.", "tjb", 2, 3,
      cli_data },
    { .name = "report",
      .usage = "RUN[=LABEL]... --out FILE.html",
      .help = "Make one page of runs, trained or quantized: curves, layers, confusion, recipes." },
    { .name = "table",
      .usage = "RUN[=LABEL]... [--format text|markdown|csv|latex]",
      .help = "Make a table of runs, with mean and deviation over seeds." },
    { .name = "plot",
      .usage = "RUN[=LABEL]... --out FILE.svg|FILE.png",
      .help = "Draw the curves of runs side by side." },
    { .name = "sweep",
      .usage = "RECIPE... --grid KEY=VALUE,VALUE... [--seeds N] --out FOLDER",
      .help = "Train many runs, and go on where a sweep was stopped." },
    { "list", "WHAT [PATTERN]",
      "List what recipes, networks and commands can name, and every key. WHAT is one of "
      "quantizers, ranges, models, layers, tasks, losses, datasets, transforms, optimizers, "
      "schedules, dynamics, presets, stages, units, variables, unit_losses, solvers, metrics, "
      "allocators, resources, importers, exporters, targets and keys.",
      "j", 1, 2, cli_list },
    { "bench", "step RECIPE [KEY=VALUE...]\nloader RECIPE [KEY=VALUE...]\nops [SHAPE]\nranks",
      "Time training steps or an epoch of a run, single kernels, or sums among ranks.",
      "tiMjklFKSwz", 1, CLI_MAX_WORDS, cli_bench },
};

/* A line for each form of a verb. */
static void print_forms(FILE *to, size_t width, const cli_verb *verb)
{
    for (const char *form = verb->usage; *form;) {
        char line[256];
        size_t n = strcspn(form, "\n");
        snprintf(line, sizeof line, "%s %.*s", verb->name, (int)n, form);
        cli_wrap(to, width, "  detent ", 9, line);
        form += n + (form[n] == '\n');
    }
}

static void print_usage(FILE *to, int fd)
{
    const size_t width = cli_columns(fd);
    fputs("usage: detent VERB ...\n\n", to);
    for (size_t i = 0; i < DT_ARRAY_LEN(verbs); i++) {
        char first[256];
        const char *rest = strstr(verbs[i].help, ". ");
        size_t n = rest ? (size_t)(rest + 1 - verbs[i].help) : strlen(verbs[i].help);
        print_forms(to, width, &verbs[i]);
        snprintf(first, sizeof first, "%.*s", (int)n, verbs[i].help);
        cli_wrap(to, width, "", 6, first);
    }
    fputs("\ndetent VERB --help tells more; detent --version the version.\n", to);
}

int main(int argc, char **argv)
{
    cli_ignore_signals();
    cli_open_streams();
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--version") == 0) {
        puts("detent " DT_VERSION);
        return 0;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_usage(stdout, STDOUT_FILENO);
        return 0;
    }
    const char *names[DT_ARRAY_LEN(verbs)];
    for (size_t i = 0; i < DT_ARRAY_LEN(verbs); i++) {
        names[i] = verbs[i].name;
        if (strcmp(name, verbs[i].name) != 0) continue;
        if (!verbs[i].run) return cli_script(argc - 1, argv + 1);
        cli_args args;
        int code = cli_parse(&verbs[i], argc - 1, argv + 1, &args);
        return code >= 0 ? code : verbs[i].run(&args);
    }
    const char *near = dt_nearest(name, names, DT_ARRAY_LEN(names));
    if (!*name)
        print_usage(stderr, STDERR_FILENO);
    else if (near)
        fprintf(stderr, "detent: unknown verb '%s', did you mean '%s'?\n", name, near);
    else
        fprintf(stderr, "detent: unknown verb '%s'; see detent --help\n", name);
    return 1;
}
