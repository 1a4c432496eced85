/* Shared by the verbs: arguments, messages, tables on a terminal. Printing and exit codes live in
 * this folder and nowhere else. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CLI_CLI_H
#define DT_CLI_CLI_H

#include <argp.h>
#include <stdatomic.h>
#include <stdio.h>

#include "cli/progress.h"
#include "train/detent.h"

enum { CLI_MAX_WORDS = 64 };

/* What a verb was given. Verbs name the options they take; the rest stays zero. */
typedef struct cli_args {
    const char *words[CLI_MAX_WORDS]; /* recipe or file, then key=value overrides */
    int word_count;
    const char *out, *isa, *format, *target, *prefix, *predictions, *arith, *rounding, *runtime,
        *python, *compiler, *comm, *bits, *method, *metric, *widths, *budget, *allocator, *from,
        *data, *normalize, *max_drop;
    const char *text; /* the recipe that words[0] stands for; NULL: words[0] is one */
    int threads, steps, images, comm_seconds;
    dt_memory_limit memory;
    bool memory_given;
    bool quick;
    bool quiet; /* another process prints what is the same on all */
    bool labels, integer, resume, json, calibrate, dry_run, allow_float, sha256, as_exported, plain,
        is_float, prove, skip_broken, profile, run;
} cli_args;

typedef struct cli_verb {
    const char *name, *usage, *help;
    const char *options; /* letters of the options it takes, see args.c */
    int min_words, max_words;
    int (*run)(const cli_args *args); /* NULL: a script of view/ reads the arguments itself */
} cli_verb;

/* Parses argv[1..] of a verb; returns -1 to go on, or the exit code (after --help or an error). */
int cli_parse(const cli_verb *verb, int argc, char **argv, cli_args *out);

/* For the whole program: of 0, 1 and 2 those that are closed become /dev/null, so that no file that
 * is opened later takes their number; and what was printed is checked when the process ends: if it
 * did not arrive, a line says so and the exit code is 1. Both streams go through a filter, because
 * names and texts are often those of foreign files: see cli/plain.h. */
void cli_open_streams(void);
/* Prints one JSON object and a line's end, and gives it back. Real numbers have `digits`, 0: all.
 * NULL or what JSON cannot say ends the process with 1. */
struct json_t;
void cli_print_json(struct json_t *o, int digits);
/* "top-1 91.45%, top-5 99.60%"; `counts`: the first with "(9145 of 10000)" where the task counts.
 */
void cli_print_metrics(const dt_goal *g, const dt_score *s, bool counts);
/* The first count that a task logs, or its first metric, as "<name><end>"; and how many samples
 * mean the same, as "same_<what>"; of each part. */
void cli_put_score(struct json_t *o, const dt_goal *g, const dt_score *s, const char *end);
void cli_put_same(struct json_t *o, const dt_goal *g, const int64_t *same);
/* Of any bytes, such as a file's name, a JSON text: bytes that are no UTF-8 become \xNN. */
struct json_t *cli_text_json(const char *text);
/* What the program itself tells a terminal: past the filter, which shows the control characters of
 * all else that is printed. */
void cli_control(const char *sequence);

/* Prints the text on a line of its own and returns 1, the exit code of every refusal. */
int cli_fail(const dt_error *err);
/* Reads the recipe words[0] with the overrides behind it, printing each override to stderr. */
dt_status cli_recipe(const cli_args *args, dt_recipe **out, dt_error *err);
/* The exporter of --format or --target, and the target or NULL. */
dt_status cli_exporter(const cli_args *args, const dt_row **out_format, const dt_target **out,
                       dt_error *err);
/* Tells every finding; a broken rule is an error. `early`: rules that need no calibrated net. */
dt_status cli_check_target(const dt_session *s, const dt_target *t, const cli_args *args,
                           bool early, dt_error *err);
/* Writes the session's net with the exporter (quietly, unless it fails); cmd_export.c. */
dt_status cli_write_export(const dt_session *s, const dt_exporter *e, const cli_args *args,
                           const char *path, dt_export_report *report, dt_error *err);
/* The same, or words[0] is one of our checkpoints: the recipe that it holds, started from it. */
dt_status cli_recipe_or_checkpoint(const cli_args *args, dt_recipe **out, dt_error *err);
/* What evaluating and verifying read of the dataset: test pictures, and training ones to calibrate.
 */
dt_data_need cli_need(const cli_args *args);
/* What a user should hear about the files of a set, to standard error. */
void cli_notes(const dt_data *data);
/* What came of model.init, to stderr; with --json only that there is none. */
void cli_tell_import(const dt_session *s, const cli_args *args);
/* Quantizers without state: an error, or with --calibrate started from the first training batch. */
/* Warns of sites at the floor of their range. */
void cli_tell_floor(const dt_session *s);
dt_status cli_calibrate(dt_session *s, const cli_args *args, dt_error *err);
/* What exporters read; borrows from the session. `attr` has room for DT_SOURCE_TEXTS. */
dt_export_source cli_source(const dt_session *s, struct dt_text_attr *attr);

/* The contract that the integer model rounds by: --rounding, or what --runtime keeps, or the
 * recipe's quant.rounding. */
const char *cli_rounding(const dt_session *s, const cli_args *args);
/* The integer model of the session's network with that rounding, lowered for the exporter of
 * --format. */
dt_status cli_model(const dt_session *s, const cli_args *args, dt_int_model **out, dt_error *err);

/* --as-exported: the float network's biases as the integer model has them. */
dt_status cli_round_biases(dt_session *s, dt_error *err);

/* Set by the first SIGINT, SIGTERM or SIGHUP after cli_catch_stops; another one, a second or
 * more later, ends the process at once. What is ignored when the program starts (nohup, a shell's
 * background jobs) stays so. */
extern atomic_int cli_stop_requested;
void cli_catch_stops(void);
/* A group of processes that such a signal ends too; 0: none. */
void cli_stop_also(int group);
/* A reader of the output that goes away ends nothing; it is told when the process ends. */
void cli_outlive_readers(void);
/* For the whole program: a file beyond the limit of its size is an error of the write, as a full
 * disk is, instead of an end without a checkpoint. */
void cli_ignore_signals(void);

int cli_train(const cli_args *args);
int cli_quantize(const cli_args *args);
int cli_sensitivity(const cli_args *args);
int cli_repro(const cli_args *args);
int cli_eval(const cli_args *args);
int cli_predict(const cli_args *args);
int cli_export(const cli_args *args);
int cli_inspect(const cli_args *args);
int cli_list(const cli_args *args);
int cli_bench(const cli_args *args);
int cli_verify(const cli_args *args);
int cli_data(const cli_args *args);

#endif
