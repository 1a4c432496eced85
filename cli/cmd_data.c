/* detent data check, detent data pack */
/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/cli.h"

typedef struct job {
    const cli_args *args;
    double started;
    json_t *broken; /* NULL: printed as they come */
} job;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool is_there(const char *folder, const char *name)
{
    char path[DT_DATA_PATH];
    return dt_data_path(path, folder, name, NULL) == DT_OK && dt_file_exists(path);
}

/* A file is a packed set; a folder with val is ImageNet's, others have class folders. */
static dt_status open_set(const char *root, const cli_args *args, bool lenient, dt_data **out,
                          dt_error *err)
{
    struct stat st;
    bool file = stat(root, &st) == 0 && S_ISREG(st.st_mode);
    bool imagenet = is_there(root, "val") && !is_there(root, "test");
    const char *name = file ? "packed" : imagenet ? "imagenet" : "folder";
    const dt_dataset *row = (const dt_dataset *)(const void *)dt_table_find(&dt_datasets, name);
    const dt_opt *sizes = dt_opt_find(row->row.opts, "sizes");
    _Alignas(16) unsigned char conf[2048] = { 0 };
    if (row->row.conf_size > sizeof conf)
        return dt_fail(err, DT_ERR_UNSUPPORTED, NULL, "too many options of '%s'", name);
    dt_opt_defaults(row->row.opts, conf);
    if (sizes) DT_TRY(dt_opt_set(sizes, conf, "any", NULL, err));
    const dt_data_params p = { .root = root,
                               .conf = conf,
                               .threads = args->threads,
                               .need = DT_NEED_ANY,
                               .orient = DT_ORIENT_TELL,
                               .lenient = lenient };
    return dt_data_open(row, &p, out, err);
}

static void show(const job *j, const char *doing, int64_t done, int64_t total)
{
    char text[160], left[32];
    double seconds = now() - j->started;
    double rate = seconds > 0 ? (double)done / seconds : 0;
    if (j->args->json) return;
    snprintf(text, sizeof text, "%s %lld/%lld  %.0f pictures/s  %s left", doing, (long long)done,
             (long long)total, rate,
             cli_duration(rate > 0 ? (double)(total - done) / rate : 0, left, sizeof left));
    cli_progress(text, 15);
}

static bool on_check(void *arg, int64_t done, int64_t total)
{
    show(arg, "checking", done, total);
    return !atomic_load(&cli_stop_requested);
}

static bool on_pack(void *arg, int64_t done, int64_t total, uint64_t bytes)
{
    (void)bytes;
    show(arg, "packing", done, total);
    return !atomic_load(&cli_stop_requested);
}

static void on_broken(void *arg, dt_split split, int64_t index, const char *text)
{
    const job *j = arg;
    if (j->broken) {
        json_array_append_new(j->broken,
                              json_pack("{s:s,s:I,s:o}", "split",
                                        split == DT_SPLIT_TRAIN ? "train" : "test", "index",
                                        (json_int_t)index, "reason", cli_text_json(text)));
        return;
    }
    cli_progress(NULL, 0);
    printf("%s\n", text);
}

/* Fewest and most pictures of a class. */
static dt_check_range class_range(const dt_check_report *r, int split)
{
    dt_check_range range = { r->split[split].by_class[0], 0 };
    for (int i = 0; i < r->classes; i++) {
        int64_t n = r->split[split].by_class[i];
        if (n < range.least) range.least = n;
        if (n > range.most) range.most = n;
    }
    return range;
}

static const char *range_text(dt_check_range r, char text[48])
{
    snprintf(text, 48, r.least == r.most ? "%lld" : "%lld..%lld", (long long)r.least,
             (long long)r.most);
    return text;
}

static void print_check(const dt_check_report *r, const dt_data_info *info)
{
    char a[48], b[48], c[48];
    printf("%d classes\n%-6s %10s %14s %14s %14s %12s %8s %8s\n", r->classes, "split", "pictures",
           "of a class", "width", "height", "mean pixels", "broken", "ignored");
    for (int k = 0; k < DT_DATA_SPLITS; k++) {
        const dt_check_split *s = &r->split[k];
        if (s->count == 0) continue; /* the set has no such split */
        int64_t good = s->count - s->broken;
        printf("%-6s %10lld %14s %14s %14s %12llu %8lld %8lld\n", k ? "test" : "train",
               (long long)s->count, range_text(class_range(r, k), a), range_text(s->width, b),
               range_text(s->height, c),
               (unsigned long long)(good ? s->pixels / (uint64_t)good : 0), (long long)s->broken,
               (long long)info->passed[k]);
    }
    long long turned = (long long)(r->split[0].turned + r->split[1].turned);
    if (turned)
        printf(
            "%lld pictures are stored turned, as their EXIF data tells; they are read as they are "
            "stored, unless data.orientation is apply\n",
            turned);
}

static json_t *split_json(const dt_check_report *r, const dt_data_info *info, int k)
{
    const dt_check_split *s = &r->split[k];
    json_t *counts = json_array();
    for (int i = 0; i < r->classes; i++)
        json_array_append_new(counts, json_integer((json_int_t)s->by_class[i]));
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:[II],s:[II],s:o}", "pictures", (json_int_t)s->count,
                     "broken", (json_int_t)s->broken, "ignored", (json_int_t)info->passed[k],
                     "turned", (json_int_t)s->turned, "pixels", (json_int_t)s->pixels, "width",
                     (json_int_t)s->width.least, (json_int_t)s->width.most, "height",
                     (json_int_t)s->height.least, (json_int_t)s->height.most, "by_class", counts);
}

static void print_json(const dt_check_report *r, const dt_data *data, json_t *broken)
{
    const dt_data_info *info = dt_data_info_of(data);
    json_t *names = json_array(), *notes = json_array();
    for (int i = 0; i < r->classes; i++)
        json_array_append_new(names, cli_text_json(info->class_names[i]));
    for (size_t i = 0; i < info->note_count; i++)
        json_array_append_new(notes, json_pack("{s:b,s:o}", "fault", (int)info->notes[i].fault,
                                               "text", cli_text_json(info->notes[i].text)));
    json_t *o =
        json_pack("{s:o,s:o,s:o,s:o,s:o}", "classes", names, "train", split_json(r, info, 0),
                  "test", split_json(r, info, 1), "notes", notes, "broken", broken);
    cli_print_json(o, 0);
}

/* How many of the notes are faults; tells all of them unless the report is JSON. */
static int64_t tell_notes(const cli_args *args, const dt_data *data)
{
    const dt_data_info *info = dt_data_info_of(data);
    int64_t faults = 0;
    for (size_t i = 0; i < info->note_count; i++) {
        faults += info->notes[i].fault;
        if (!args->json) printf("%s\n", info->notes[i].text);
    }
    return faults;
}

static int check(const cli_args *args, const dt_data *data)
{
    dt_error err;
    dt_check_report report;
    job j = { .args = args, .started = now(), .broken = args->json ? json_array() : NULL };
    const dt_check_params p = {
        .data = data, .threads = args->threads, .broken = on_broken, .progress = on_check, .arg = &j
    };
    if (dt_check_run(&p, &report, &err) != DT_OK) {
        json_decref(j.broken);
        return cli_fail(&err);
    }
    cli_progress(NULL, 0);
    int64_t bad = report.split[0].broken + report.split[1].broken + tell_notes(args, data);
    if (args->json)
        print_json(&report, data, j.broken);
    else
        print_check(&report, dt_data_info_of(data));
    dt_check_fini(&report);
    return bad ? 1 : 0;
}

static int pack(const cli_args *args, const dt_data *data)
{
    dt_error err;
    dt_pack_report report;
    job j = { .args = args, .started = now() };
    cli_notes(data);
    const dt_pack_params p = { .data = data,
                               .path = args->words[2],
                               .threads = args->threads,
                               .skip_broken = args->skip_broken,
                               .progress = on_pack,
                               .arg = &j };
    if (dt_pack_write(&p, &report, &err) != DT_OK) return cli_fail(&err);
    cli_progress(NULL, 0);
    if (args->json) {
        json_t *o =
            json_pack("{s:o,s:I,s:I,s:I,s:I}", "file", cli_text_json(args->words[2]), "train",
                      (json_int_t)report.count[0], "test", (json_int_t)report.count[1], "skipped",
                      (json_int_t)report.skipped, "bytes", (json_int_t)report.bytes);
        cli_print_json(o, 0);
        return 0;
    }
    if (report.skipped)
        fprintf(stderr, "left out %lld pictures that cannot be read, such as %s\n",
                (long long)report.skipped, report.first.text);
    printf("%s: %lld training and %lld test pictures, %llu bytes\n", args->words[2],
           (long long)report.count[0], (long long)report.count[1],
           (unsigned long long)report.bytes);
    return 0;
}

int cli_data(const cli_args *args)
{
    dt_error err;
    dt_data *data;
    cli_args a = *args;
    bool packs = strcmp(a.words[0], "pack") == 0;
    if ((!packs && strcmp(a.words[0], "check") != 0) || a.word_count != (packs ? 3 : 2)) {
        fprintf(stderr, "detent: data: say check FOLDER|FILE.h5, or pack FOLDER FILE.h5\n");
        return 1;
    }
    if (packs && dt_file_exists(a.words[2])) {
        fprintf(stderr, "%s: is there already\n", a.words[2]);
        return 1;
    }
    if (a.threads == 0) a.threads = dt_cpu_count();
    if (packs) cli_outlive_readers();
    if (open_set(a.words[1], &a, !packs, &data, &err) != DT_OK) return cli_fail(&err);
    cli_catch_stops();
    int code = packs ? pack(&a, data) : check(&a, data);
    dt_data_close(data);
    return atomic_load(&cli_stop_requested) ? 130 : code;
}
