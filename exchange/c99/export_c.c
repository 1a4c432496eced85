/* C: a network as a header and a source file in C99, integers only, one static arena, packed
 * weights. c_plan.c orders the work, c_numbers.c has the numbers, c_write.c and c99/ the text. The
 * program gives the codes of the integer model at every node; it carries test pictures of noise
 * with the codes that the reference executor gives for them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/atomic.h"
#include "exchange/c99/c_cell.h"
#include "integer/run.h"

typedef struct conf {
    dt_opt_str prefix;
    dt_opt_str rounding;
} conf;

static const dt_opt opts[] = {
    DT_OPT_STR(conf, prefix, "", "start of all names; default: the recipe's name"),
    DT_OPT_STR(conf, rounding, "fp32", "rounding of the integer model"),
    DT_OPT_END,
};

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the C program");
}

/* --- names --- */

static dt_status set_prefix(dt_c_program *p, const conf *c, dt_error *err)
{
    const char *from = *c->prefix ? c->prefix : p->src->name;
    size_t n = strlen(from), at = 0;
    bool digit = isdigit((unsigned char)*from);
    for (size_t i = 0; *c->prefix && i <= n; i++)
        if (n >= DT_C_PREFIX - 8 || digit ||
            (from[i] && !isalnum((unsigned char)from[i]) && from[i] != '_'))
            return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = "prefix" },
                           "'%s' does not start names of C; letters, digits and _ do, up to %d of "
                           "them",
                           c->prefix, DT_C_PREFIX - 8);
    if (digit) at = (size_t)snprintf(p->net, sizeof p->net, "net_");
    for (; *from && at < DT_C_PREFIX - 8; from++)
        p->net[at++] = isalnum((unsigned char)*from) ? *from : '_';
    for (size_t i = 0; i < at; i++)
        p->macro[i] = (char)toupper((unsigned char)p->net[i]);
    return DT_OK;
}

enum { PATH_SIZE = 1024 };

static bool is_folder(const char *path)
{
    struct stat s;
    size_t n = strlen(path);
    return (n && path[n - 1] == '/') || (stat(path, &s) == 0 && S_ISDIR(s.st_mode));
}

/* FILE.c beside FILE.h, or a folder that gets both. */
static dt_status set_paths(const dt_c_program *p, const char *path, char source[PATH_SIZE],
                           char header[PATH_SIZE], dt_error *err)
{
    size_t n = strlen(path);
    int size = is_folder(path) ? snprintf(source, PATH_SIZE, "%s/%s.c", path, p->net)
                               : snprintf(source, PATH_SIZE, "%s", path);
    if (!is_folder(path) && (n < 3 || strcmp(path + n - 2, ".c") != 0))
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = path },
                       "is no name of a C file; end it in .c, or name a folder");
    if (size < 0 || size >= PATH_SIZE)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = path }, "is too long a path");
    memcpy(header, source, (size_t)size + 1);
    header[size - 1] = 'h';
    return DT_OK;
}

/* --- numbers --- */

static dt_status pack_all(dt_c_program *p, dt_arena *arena, dt_error *err)
{
    const dt_int_model *m = p->plan->model;
    size_t nodes = (size_t)m->node_count;
    p->packed = dt_arena_get(arena, nodes * sizeof *p->packed);
    if (!p->packed) return no_memory(err);
    for (size_t i = 0; i < nodes; i++) {
        const dt_c_cell *c = m->node[i].form->c;
        if (c && c->pack) DT_TRY(c->pack(&m->node[i], arena, &p->packed[i], err));
    }
    return DT_OK;
}

static dt_status set_pixels(dt_c_program *p, dt_arena *arena, dt_error *err)
{
    const dt_int_value *x = &p->plan->model->value[p->plan->step[0].node->out];
    const float *mean = p->src->mean, *std = p->src->std;
    if (!mean || !std) return DT_OK;
    p->pixel = dt_arena_get(arena, (size_t)x->C * DT_CODES);
    if (!p->pixel) return no_memory(err);
    for (int64_t c = 0; c < x->C; c++)
        for (int v = 0; v < DT_CODES; v++) {
            float unit =
                p->src->levels ? (float)v : (float)v / 255.0f; /* as data/normalize.c does it */
            float value = (unit - mean[c]) / std[c];
            p->pixel[c * DT_CODES + v] = (uint8_t)dt_grid_encode(&x->grid, value);
        }
    return DT_OK;
}

static void count_sizes(dt_c_program *p)
{
    const dt_c_plan *plan = p->plan;
    const dt_int_model *m = plan->model;
    dt_c_sizes s = { 0 };
    for (int i = 0; i < plan->steps; i++) {
        if (dt_c_is_input(&plan->step[i])) continue;
        const dt_c_cell *c = dt_c_form(&plan->step[i])->c;
        if (c->sizes) c->sizes(p, &plan->step[i], dt_c_is_first(plan, i), &s);
    }
    if (p->pixel) s.tables += (size_t)m->value[plan->step[0].node->out].C * DT_CODES;
    p->sizes = s;
}

/* --- test pictures --- */

uint8_t dt_c_test_code(const dt_lower_grid *g, int picture, uint32_t *noise)
{
    *noise = *noise * UINT32_C(1664525) + UINT32_C(1013904223);
    uint32_t v = (*noise >> 24 >> picture) + 128 - (128u >> picture);
    return (uint8_t)((uint32_t)g->low + v * (uint32_t)(g->high - g->low + 1) / 256);
}

static uint32_t crc32_of(uint32_t crc, const uint8_t *data, int64_t n)
{
    crc = ~crc;
    for (int64_t i = 0; i < n; i++) {
        crc ^= data[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xEDB88320) : 0);
    }
    return ~crc;
}

static void run_picture(dt_c_program *p, dt_int_run *r, int picture, float *x)
{
    const dt_c_plan *plan = p->plan;
    const dt_int_model *m = plan->model;
    uint8_t *to = p->logits + picture * dt_int_outputs(m);
    uint32_t noise = 1 + (uint32_t)picture;
    for (int64_t i = 0; i < m->record;) {
        const dt_int_node *input = dt_int_input_at(m, i);
        const dt_lower_grid *g = input ? &m->value[input->out].grid : NULL;
        int64_t end = input ? i + dt_int_count(&m->value[input->out]) : i + 1;
        for (; i < end; i++)
            x[i] = g ? dt_grid_value(g, dt_c_test_code(g, picture, &noise)) : 0;
    }
    dt_int_run_forward(r, x, 1);
    for (int i = 0; i < plan->steps; i++) {
        int value = plan->step[i].node->out;
        p->crc[i] = crc32_of(p->crc[i], r->data[value], dt_int_count(&m->value[value]));
    }
    for (int k = 0; k < m->outputs; k++) {
        size_t count = (size_t)dt_int_count(&m->value[m->output[k]]);
        memcpy(to, r->data[m->output[k]], count);
        to += count;
    }
}

static dt_status run_tests(dt_c_program *p, dt_arena *arena, dt_error *err)
{
    const dt_int_model *m = p->plan->model;
    dt_int_run r;
    size_t classes = (size_t)dt_int_outputs(m);
    size_t pixels = (size_t)m->record;
    float *x = dt_arena_get(arena, pixels * sizeof *x);
    p->crc = dt_arena_get(arena, (size_t)p->plan->steps * sizeof *p->crc);
    p->logits = dt_arena_get(arena, classes * DT_C_TESTS);
    if (!x || !p->crc || !p->logits) return no_memory(err);
    DT_TRY(dt_int_run_init(&r, m, &dt_int_reference, NULL, 1, 1, p->src->alloc, err));
    for (int i = 0; i < DT_C_TESTS; i++)
        run_picture(p, &r, i, x);
    dt_int_run_fini(&r);
    return DT_OK;
}

/* --- files --- */

/* Over the text of both files, so that a header and a source of two exports are told apart. */
static dt_status set_id(dt_c_program *p, dt_error *err)
{
    dt_text text = { .alloc = p->src->alloc };
    dt_sha256 h;
    p->id[0] = '\0';
    dt_c_write_header(p, &text);
    dt_c_write_source(p, &text);
    dt_status st = text.failed ? no_memory(err) : DT_OK;
    if (st == DT_OK) {
        dt_sha256_init(&h);
        dt_sha256_add(&h, text.bytes, text.size);
        dt_sha256_end(&h, p->id);
    }
    dt_text_fini(&text);
    return st;
}

typedef void write_text(const dt_c_program *p, dt_text *out);

/* Begins the file and fills it. */
static dt_status fill_file(const dt_c_program *p, write_text *write, const char *path,
                           dt_atomic_file *f, dt_error *err)
{
    dt_text text = { .alloc = p->src->alloc };
    write(p, &text);
    dt_status st = text.failed ? no_memory(err) : dt_atomic_begin(f, NULL, path, err);
    if (st == DT_OK) {
        st = dt_atomic_write(f, text.bytes, text.size, err);
        if (st != DT_OK) dt_atomic_cancel(f);
    }
    dt_text_fini(&text);
    return st;
}

static dt_status write_both(const dt_c_program *p, const char *header, const char *source,
                            dt_error *err)
{
    dt_atomic_file h, c;
    DT_TRY(fill_file(p, dt_c_write_header, header, &h, err));
    dt_status st = fill_file(p, dt_c_write_source, source, &c, err);
    if (st == DT_OK) return dt_atomic_end_pair(&h, &c, err);
    dt_atomic_cancel(&h);
    return st;
}

static void describe(const dt_c_program *p, dt_export_report *r)
{
    const dt_c_plan *plan = p->plan;
    const dt_c_sizes *s = &p->sizes;
    const struct {
        const char *name;
        size_t bytes;
    } parts[] = { { "arena (RAM)", plan->arena_bytes },
                  { "weights", s->weights },
                  { "biases", s->biases },
                  { "multipliers", s->multipliers },
                  { "tables", s->tables } };
    snprintf(r->format, sizeof r->format, "C99, rounding %s", plan->model->contract->name);
    for (int i = 0; i < plan->steps; i++)
        if (!dt_c_is_input(&plan->step[i]))
            dt_export_tally(r->part, &r->part_count, dt_c_form(&plan->step[i])->name);
    r->bytes = s->weights + s->biases + s->multipliers + s->tables; /* not those of the text */
    for (size_t i = 0; i < DT_ARRAY_LEN(parts); i++) {
        dt_export_count *m = &r->memory[r->memory_count++];
        snprintf(m->name, sizeof m->name, "%s", parts[i].name);
        m->count = (int)parts[i].bytes;
    }
    r->weight_bytes = s->weights;
    r->trained_bytes = s->trained;
    dt_export_count_layers(p->src, r);
}

/* C gives no way to write these between the quotes of an #include line. */
static dt_status check_header(const char *name, dt_error *err)
{
    static const char bad[] = "\"'\\?";
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        if (*c < 0x20 || *c == 0x7f || strchr(bad, *c))
            return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = name },
                           "an #include line cannot name it; leave quotes, backslashes, question "
                           "marks and control characters out of the file's name");
    return DT_OK;
}

static dt_status write_program(dt_c_program *p, const conf *c, dt_arena *arena, const char *path,
                               dt_export_report *report, dt_error *err)
{
    char source[PATH_SIZE], header[PATH_SIZE];
    DT_TRY(set_prefix(p, c, err));
    DT_TRY(set_paths(p, path ? path : "net.c", source, header, err));
    const char *slash = strrchr(header, '/');
    p->header = slash ? slash + 1 : header;
    DT_TRY(check_header(p->header, err));
    DT_TRY(pack_all(p, arena, err));
    DT_TRY(set_pixels(p, arena, err));
    DT_TRY(run_tests(p, arena, err));
    count_sizes(p);
    DT_TRY(set_id(p, err));
    if (path && is_folder(path)) DT_TRY(dt_dir_make(path, err));
    describe(p, report);
    if (!path) return DT_OK;
    return write_both(p, header, source, err);
}

static dt_status write_model(const dt_export_source *src, const conf *c, const dt_int_model *m,
                             const char *path, dt_export_report *report, dt_error *err)
{
    dt_c_plan plan;
    dt_c_program p = { .src = src, .plan = &plan };
    dt_arena *arena = dt_arena_new(src->alloc, "C program");
    if (!arena) return no_memory(err);
    dt_status st = dt_c_plan_make(m, arena, &plan, err);
    if (st == DT_OK) st = write_program(&p, c, arena, path, report, err);
    dt_arena_free(arena);
    return st;
}

static dt_status write(const dt_export_source *src, const void *options, const char *path,
                       dt_export_report *out_report, dt_error *err)
{
    const conf *c = options;
    const dt_lower_source low = dt_export_lower(src);
    dt_export_report report = { 0 };
    dt_int_model *m;
    dt_lowered *l;
    DT_TRY(dt_lower_new(&low, &l, err));
    dt_status st = dt_export_model(src, l, c->rounding, &m, err);
    dt_lower_free(l);
    DT_TRY(st);
    st = write_model(src, c, m, path, &report, err);
    dt_int_model_free(m);
    if (st == DT_OK && out_report) *out_report = report;
    return st;
}

const dt_exporter dt_exporter_c = {
    .row = { "c", "C99 for microcontrollers: integers only, static memory, packed weights", opts,
             sizeof(conf) },
    .extension = "c",
    .write = write,
};
