/* Arguments of verbs, by argp. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/wrap.h"

/* Letters are how verbs choose; only the long names exist on the command line. */
static const struct argp_option all[] = {
    { "out", 'o', "PATH", 0, "where to write: a folder (train, quantize, repro) or a file (export)", 0 },
    { "threads", 't', "N", 0, "processors to use; default: all", 0 },
    { "memory", 'M', "SIZE", 0, "the most to use, such as 8G; default: half of what is available",
      0 },
    { "isa", 'i', "TIER", 0, "highest kernel tier: scalar, avx2 or avx512", 0 },
    { "resume", 'r', NULL, 0, "go on from the last checkpoint in the folder", 0 },
    { "json", 'j', NULL, 0, "print one JSON object to standard output and nothing else", 0 },
    { "calibrate", 'c', NULL, 0, "start all quantizers from training data, whatever model.init has",
      0 },
    { "dry-run", 'n', NULL, 0, "check everything, write nothing", 0 },
    { "format", 'f', "NAME", 0, "an exporter; default onnx, see detent list exporters", 0 },
    { "target", 'T', "NAME", 0, "check the rules of what it is for: see detent list targets", 0 },
    { "prefix", 'x', "NAME", 0, "start of all names in a C export; default: the recipe's name", 0 },
    { "allow-float", 'a', NULL, 0, "write what cannot be integer in float", 0 },
    { "predictions", 'p', "FILE", 0, "write the class of every picture, one a line", 0 },
    { "as-exported", 'e', NULL, 0, "round biases as an exported integer model does", 0 },
    { "sha256", 's', NULL, 0, "print the hash of all weights and quantizer state", 0 },
    { "no-fuse", 'F', NULL, 0, "run the plain graph, one pass over memory for each node", 0 },
    { "float", 'l', NULL, 0, "leave the recipe's quantizers out", 0 },
    { "arith", 'm', "NAME", 0, "arithmetic: float (default) or integer, the exported model's", 0 },
    { "labels", 'L', NULL, 0,
      "with --predictions: the label behind each, and the file's whole path", 0 },
    { "integer", 'I', NULL, 0, "run the integer model instead of the float net", 0 },
    { "rounding", 'R', "NAME", 0,
      "of the integer model: fp32, unfused, xnnpack, single or double; default: quant.rounding",
      0 },
    { "skip-broken", 'b', NULL, 0, "leave out pictures that cannot be read", 0 },
    { "prove", 'P', NULL, 0, "compare over everything that can occur, instead of pictures", 0 },
    { "runtime", 'u', "NAME", 0, "run the exported file in c, litert, openvino, ort or qonnx", 0 },
    { "python", 'y', "PATH", 0, "interpreter that has the runtime's packages; default: python3",
      0 },
    { "compiler", 'C', "COMMAND", 0, "for --runtime c, with its options; default: cc -O2", 0 },
    { "images", 'N', "N", 0,
      "pictures of the test split to compare, default 1000; to measure activations on (inspect), "
      "default "
      "none",
      0 },
    { "comm", 'K', "NAME", 0,
      "how ranks talk: none, or mpi; default: mpi where a launcher has started several", 0 },
    { "comm-seconds", 'S', "N", 0, "how long a silent rank is waited for; default 600", 0 },
    { "bits", 'B', "BITS", 0,
      "of weights and activations: 8, 4, W4A8, ..., or mixed, by --budget; default: the recipe's",
      0 },
    { "metric", 'E', "NAME", 0,
      "of sensitivity: kl (default), fisher, gradient, mse, pairs or trace", 0 },
    { "widths", 'W', "LIST", 0, "of weights, to choose from; default: 2,3,4,6,8", 0 },
    { "budget", 'G', "RESOURCE=N", 0,
      "bits=4 (mean of a weight), bytes=N, bops=N or latency=TABLE,MICROSECONDS", 0 },
    { "allocator", 'A', "NAME", 0, "pareto (default, exact), greedy, or swap for --metric pairs",
      0 },
    { "max-drop", 'X', "POINTS", 0,
      "the cheapest widths that lose no more on held-out training pictures; --budget names what "
      "is cheap, default bytes",
      0 },
    { "data", 'O', "FOLDER", 0, "pictures for a net's file: class folders, or files without labels",
      0 },
    { "normalize", 'Z', "HOW", 0,
      "what a net's file expects of them: none, half, imagenet, cifar, or {mean: 0, std: 1, range: "
      "255}",
      0 },
    { "method", 'D', "NAME", 0, "stages of ptq: see detent list presets", 0 },
    { "quick", 'q', NULL, 0, "the first expect.quick_steps steps, by the hash of their weights",
      0 },
    { "from", 'd', "RUN", 0, "judge the finished run in this folder", 0 },
    { "steps", 'k', "N", 0, "steps to time; default 20", 0 },
    { "profile", 'w', NULL, 0, "of steps: what bounds each kind of node, arithmetic or memory", 0 },
    { "run", 'z', NULL, 0,
      "of steps: an epoch of a run as it is, with pictures, evaluation and checkpoints", 0 },
    { 0 },
};

typedef struct parse {
    const cli_verb *verb;
    cli_args *out;
} parse;

static error_t refuse(const parse *p, const char *what, const char *value, const char *rule)
{
    fprintf(stderr, "detent: %s: %s '%s': %s\n", p->verb->name, what, value, rule);
    return EINVAL;
}

static error_t number(const parse *p, const char *text, int max, const char *name, int *out)
{
    char *end, rule[80];
    errno = 0;
    long v = strtol(text, &end, 10);
    *out = (int)v;
    if (!errno && end != text && !*end && v >= 1 && v <= max) return 0;
    snprintf(rule, sizeof rule, "is not a whole number in 1..%d", max);
    return refuse(p, name, text, rule);
}

static error_t on_option(int key, char *value, struct argp_state *state)
{
    const parse *p = state->input;
    cli_args *a = p->out;
    switch (key) {
    case 'o':
        a->out = value;
        return 0;
    case 't':
        return number(p, value, DT_MAX_THREADS, "--threads", &a->threads);
    case 'M':
        a->memory = (dt_memory_limit){ .why = "--memory" };
        a->memory_given = true;
        if (dt_memory_parse(value, &a->memory.bytes)) return 0;
        return refuse(p, "--memory", value, "is no size such as 800M or 8G");
    case 'i':
        a->isa = value;
        return 0;
    case 'r':
        a->resume = true;
        return 0;
    case 'j':
        a->json = true;
        return 0;
    case 'c':
        a->calibrate = true;
        return 0;
    case 'n':
        a->dry_run = true;
        return 0;
    case 'f':
        a->format = value;
        return 0;
    case 'x':
        a->prefix = value;
        return 0;
    case 'T':
        a->target = value;
        return 0;
    case 'a':
        a->allow_float = true;
        return 0;
    case 'p':
        a->predictions = value;
        return 0;
    case 'e':
        a->as_exported = true;
        return 0;
    case 's':
        a->sha256 = true;
        return 0;
    case 'l':
        a->is_float = true;
        return 0;
    case 'b':
        a->skip_broken = true;
        return 0;
    case 'F':
        a->plain = true;
        return 0;
    case 'm':
        a->arith = value;
        return 0;
    case 'L':
        a->labels = true;
        return 0;
    case 'I':
        a->integer = true;
        return 0;
    case 'R':
        a->rounding = value;
        return 0;
    case 'P':
        a->prove = true;
        return 0;
    case 'u':
        a->runtime = value;
        return 0;
    case 'C':
        a->compiler = value;
        return 0;
    case 'y':
        a->python = value;
        return 0;
    case 'N':
        return number(p, value, 1000000, "--images", &a->images);
    case 'K':
        a->comm = value;
        return 0;
    case 'S':
        return number(p, value, 1000000, "--comm-seconds", &a->comm_seconds);
    case 'E':
        a->metric = value;
        return 0;
    case 'W':
        a->widths = value;
        return 0;
    case 'G':
        a->budget = value;
        return 0;
    case 'A':
        a->allocator = value;
        return 0;
    case 'X':
        a->max_drop = value;
        return 0;
    case 'B':
        a->bits = value;
        return 0;
    case 'D':
        a->method = value;
        return 0;
    case 'O':
        a->data = value;
        return 0;
    case 'Z':
        a->normalize = value;
        return 0;
    case 'q':
        a->quick = true;
        return 0;
    case 'd':
        a->from = value;
        return 0;
    case 'w':
        a->profile = true;
        return 0;
    case 'z':
        a->run = true;
        return 0;
    case 'k':
        return number(p, value, 100000, "--steps", &a->steps);
    case 'h':
        argp_state_help(state, stdout, ARGP_HELP_STD_HELP); /* exits */
        return 0;
    case ARGP_KEY_ARG:
        if (a->word_count == p->verb->max_words || a->word_count == CLI_MAX_WORDS)
            return refuse(p, "the word", value, "is one too many");
        a->words[a->word_count++] = value;
        return 0;
    case ARGP_KEY_END:
        if (a->word_count < p->verb->min_words)
            return refuse(p, "too few words; usage", p->verb->usage, "see --help");
        return 0;
    case ARGP_KEY_INIT:
        state->err_stream = NULL; /* a refusal is one line: no advice behind it */
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Help of options in the width of the terminal; argp takes 79 columns, unless its variable says
 * otherwise. */
static void fit_help(void)
{
    enum { LEAST = 40, MOST = 100, OPTIONS = 29 /* where argp puts their help */ };
    char format[64];
    size_t columns = cli_columns(STDOUT_FILENO);
    if (!columns) return;
    size_t width = columns < LEAST ? LEAST : columns > MOST ? MOST : columns;
    int column = width < 2 * OPTIONS + 16 ? OPTIONS - 9 : OPTIONS;
    snprintf(format, sizeof format, "rmargin=%zu,opt-doc-col=%d", width - 1, column);
    setenv("ARGP_HELP_FMT", format, 0);
}

/* Options of other programs: the first one that something is known of. True: it was told. */
static bool tell_elsewhere(const cli_verb *verb, const struct argp_option *options, int argc,
                           char **argv)
{
    for (int i = 1; i < argc; i++) {
        char name[32];
        bool ours = false;
        if (strncmp(argv[i], "--", 2) != 0) continue;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(argv[i] + 2, "="), argv[i] + 2);
        for (const struct argp_option *o = options; o->name || o->key; o++)
            ours = ours || (o->name && strcmp(o->name, name) == 0);
        const char *told = ours ? NULL : dt_recipe_elsewhere(name);
        if (!told) continue;
        fprintf(stderr, "detent: %s: there is no option '--%s'; %s\n", verb->name, name, told);
        return true;
    }
    return false;
}

int cli_parse(const cli_verb *verb, int argc, char **argv, cli_args *out)
{
    struct argp_option options[DT_ARRAY_LEN(all) + 1] = { { 0 } };
    int n = 0;
    for (size_t i = 0; all[i].name; i++) {
        if (!strchr(verb->options, all[i].key)) continue;
        options[n] = all[i];
        options[n++].key = all[i].key;
    }
    options[n++] = (struct argp_option){ NULL, 'h', NULL, OPTION_HIDDEN, NULL, 0 };
    char program[64];
    snprintf(program, sizeof program, "detent %s", verb->name);
    argv[0] = program;
    *out = (cli_args){ .steps = 20, .memory = dt_memory_limit_default() };
    const struct argp argp = { options, on_option, verb->usage, verb->help, NULL, NULL, NULL };
    parse p = { verb, out };
    if (tell_elsewhere(verb, options, argc, argv)) return 1;
    fit_help();
    /* Exits after --help. */
    return argp_parse(&argp, argc, argv, 0, NULL, &p) == 0 ? -1 : 1;
}
