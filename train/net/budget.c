/* Counting a session. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/net/budget.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "train/run/evaluate.h"

dt_memory_limit dt_memory_limit_default(void)
{
    dt_memory_limit limit = { .why = "half of what is available; --memory tells another size" };
    size_t room = dt_memory_available("");
    if (room != SIZE_MAX) limit.bytes = room / 2 ? room / 2 : 1;
    return limit;
}

/* What tags are called, and which key makes them smaller: NULL, the caller's; "", the model's. */
static const struct {
    const char *tag, *name, *key;
} parts[] = {
    { "parameters", "parameters", "" },
    { "optimizer", "optimizer", "" },
    { "accumulate", "sums of gradients", "" },
    { "together", "batches side by side", NULL },
    { "dynamics", "dynamics", "" },
    { "teacher", "teacher", "distill.model" },
    { "step arena", "arena of a step", NULL },
    { "loader", "loader", NULL },
    { "values of all pictures", "values of all pictures", NULL },
    { "integer values", "values of the integer model", "" },
};

/* The whole number among the model's options that makes its parameters fewest when it is halved. */
static void find_model_key(const dt_recipe *recipe, const dt_net_input *input, char *key,
                           size_t size)
{
    const dt_row *row = recipe->model.choice.row;
    size_t fewest = SIZE_MAX;
    snprintf(key, size, "model.name");
    unsigned char *conf = dt_get(NULL, row->conf_size, "model");
    for (const dt_opt *o = row->opts; conf && o && o->key; o++) {
        dt_recipe half = *recipe;
        if (o->type != DT_OPT_TYPE_INT) continue;
        memcpy(conf, recipe->model.choice.conf, row->conf_size);
        int *value = (int *)(void *)(conf + o->offset);
        *value /= 2;
        if ((double)*value < o->min) continue;
        half.model.choice.conf = conf;
        half.quant.enabled = half.distill.enabled = false; /* layers that a rule names may go */
        size_t bytes;
        if (dt_net_count(&half, input, NULL, &bytes, NULL) != DT_OK || bytes >= fewest) continue;
        fewest = bytes;
        snprintf(key, size, "model.%s", o->key);
    }
    dt_put(NULL, conf);
}

/* "parameters 123, optimizer 246", and the largest part's key. */
static const char *describe(const dt_measure *m, const char *step_key, char *text, size_t size)
{
    const char *key = "";
    size_t most = 0, used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < DT_ARRAY_LEN(parts); i++) {
        size_t bytes = dt_measure_of(m, parts[i].tag);
        if (bytes == 0) continue;
        if (used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s %zu", used ? ", " : "",
                                     parts[i].name, bytes);
        if (bytes < most) continue;
        most = bytes;
        key = parts[i].key ? parts[i].key : step_key;
    }
    return key;
}

static dt_status too_much(const dt_measure *m, size_t used, size_t limit, const char *why,
                          const dt_recipe *recipe, const dt_net_input *input, const char *step_key,
                          dt_error *err)
{
    char list[240], model[64];
    const char *key = describe(m, step_key, list, sizeof list);
    if (!*key) {
        find_model_key(recipe, input, model, sizeof model);
        key = model;
    }
    return dt_fail(
        err, DT_ERR_NOMEM, &(dt_where){ .file = recipe->name, .key = key },
        "%s%zu bytes of memory are needed and %zu may be used (%s): %s, in use already %zu; "
        "a smaller one needs less",
        m->refused ? "more than " : "", m->most + used, limit, why, list, used);
}

dt_status dt_budget_compare(const dt_measure *m, const dt_memory_limit *limit,
                            const dt_recipe *recipe, const dt_net_input *input,
                            const char *step_key, dt_error *err)
{
    size_t used = dt_memory_resident(), room = dt_memory_address_room();
    bool fits = limit->bytes == 0 || (m->most <= limit->bytes && used <= limit->bytes - m->most);
    if (!fits) return too_much(m, used, limit->bytes, limit->why, recipe, input, step_key, err);
    if (m->most > room)
        return too_much(m, 0, room, "the address space below RLIMIT_AS", recipe, input, step_key,
                        err);
    return DT_OK;
}

dt_status dt_budget_check_file(const char *path, const dt_memory_limit *limit, dt_error *err)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) return DT_OK; /* its reader says why */
    size_t used = dt_memory_resident(), size = (size_t)st.st_size;
    if (limit->bytes == 0 ||
        size <= (limit->bytes - (used < limit->bytes ? used : limit->bytes)) / 2)
        return DT_OK;
    return dt_fail(err, DT_ERR_NOMEM, &(dt_where){ .file = path },
                   "%zu bytes of memory are needed to read it and %zu may be used (%s)",
                   2 * size + used, limit->bytes, limit->why);
}

dt_status dt_budget_check_bytes(size_t bytes, const dt_memory_limit *limit, const char *what,
                                const char *advice, dt_error *err)
{
    size_t used = dt_memory_resident(), room = dt_memory_address_room();
    bool fits = limit->bytes == 0 || (bytes <= limit->bytes && used <= limit->bytes - bytes);
    if (fits && bytes <= room) return DT_OK;
    return dt_fail(
        err, DT_ERR_NOMEM, &(dt_where){ .key = what },
        "%zu bytes of memory are needed and %zu may be used (%s), in use already %zu; %s",
        bytes + used, fits ? room : limit->bytes,
        fits ? "the address space below RLIMIT_AS" : limit->why, used, advice);
}

void dt_budget_hold(dt_capped *out, const dt_memory_limit *limit)
{
    const size_t most = limit ? limit->bytes : 0, used = most ? dt_memory_resident() : 0;
    dt_capped_init(out, NULL, !most ? SIZE_MAX : used < most ? most - used : 0);
}

dt_status dt_budget_held(const dt_capped *c, dt_status st, const dt_memory_limit *limit,
                         const char *what, const char *advice, dt_error *err)
{
    if (st != DT_ERR_NOMEM || !c->refused) return st;
    const size_t held = c->limit, used = limit->bytes > held ? limit->bytes - held : 0;
    return dt_fail(err, st, &(dt_where){ .key = what },
                   "more than %zu bytes of memory are needed and %zu may be used (%s), in use "
                   "already %zu; %s",
                   c->refused < SIZE_MAX - used ? c->refused + used : SIZE_MAX, limit->bytes,
                   limit->why, used, advice);
}

/* As data/loader.c has them. */
size_t dt_budget_loader_bytes(const dt_net_input *input, int classes, int64_t samples)
{
    const dt_shape x = dt_net_input_shape(input);
    size_t pixels = (size_t)dt_shape_count(&x) + (size_t)classes + 1, bytes;
    return dt_size_mul(pixels * sizeof(float), 2 * (size_t)samples, &bytes) ? bytes : SIZE_MAX / 2;
}

/* A plan's memory, for as long as it takes to count it. */
static dt_status count_plan(const dt_session *s, const dt_graph *g, dt_norms norms, int64_t batch,
                            dt_error *err)
{
    dt_plan plan;
    const dt_net *net = &s->net;
    int outputs[DT_NET_WANTED];
    DT_TRY(dt_plan_init(
        &plan,
        &(dt_plan_request){ .graph = g,
                            .kernels = &s->kernels,
                            .mode = DT_MODE_EVAL,
                            .norms = norms,
                            .batch = batch,
                            .threads = s->threads,
                            .outputs = outputs,
                            .output_count = dt_net_wanted(net, DT_MODE_EVAL, outputs) },
        s->alloc, err));
    void *arena = dt_get(s->alloc, plan.arena_bytes, "step arena");
    dt_put(s->alloc, arena);
    dt_plan_fini(&plan);
    return arena ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
}

static dt_status count_teacher(dt_session *s, dt_measure *m, const dt_net_input *input,
                               dt_error *err)
{
    m->owner = "teacher";
    dt_status st = dt_teacher_count(&s->teacher, s->recipe, input, s->alloc, err);
    m->owner = NULL;
    return st;
}

static dt_status count_session(dt_session *s, dt_measure *m, const dt_session_params *p,
                               const dt_net_input *input, const char **out_key, dt_error *err)
{
    DT_TRY(dt_net_init(&s->net, s->recipe, input, p->training || p->gradients, s->alloc, err));
    s->net.plain = p->plain;
    if (p->training || p->dynamics) DT_TRY(dt_session_open_dynamics(s, err));
    if (p->training || p->teacher) DT_TRY(count_teacher(s, m, input, err));
    if ((p->calibrate || p->calibrates) && dt_net_is_quantized(&s->net))
        DT_TRY(count_plan(s, &s->net.graph, DT_NORMS_BATCH, s->data_conf->batch, err));
    if (p->eval_batch > 0) {
        *out_key = p->eval_key;
        DT_TRY(count_plan(s, dt_net_steps(&s->net), DT_NORMS_RUNNING, p->eval_batch, err));
    }
    return p->rest ? p->rest(p->rest_arg, s, out_key, err) : DT_OK;
}

static dt_status count_loaders(const dt_session *s, const dt_session_params *p,
                               const dt_net_input *input, void **out, dt_error *err)
{
    int64_t samples = s->data ? p->eval_batch : 0;
    if (p->training) samples += s->data_conf->batch + s->recipe->eval.batch;
    const dt_data_info *info = s->data ? dt_data_info_of(s->data) : NULL;
    bool record = info && info->answer == DT_ANSWER_RECORD;
    size_t bytes =
        dt_budget_loader_bytes(input, record ? (int)info->answers : s->net.classes, samples);
    *out = bytes ? dt_get(s->alloc, bytes, "loader") : NULL;
    return *out || !bytes ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
}

static void close_parts(dt_session *s)
{
    dt_dynamics_close(&s->dynamics);
    dt_teacher_close(&s->teacher);
    dt_net_fini(&s->net);
}

dt_status dt_budget_check(const dt_session *s, const dt_session_params *p,
                          const dt_net_input *input, dt_error *err)
{
    dt_measure m;
    dt_error below = { .status = DT_OK };
    const char *key = "data.batch";
    if (p->memory.bytes == 0) return DT_OK;
    void *loaders = NULL;
    DT_TRY(dt_measure_init(&m, err));
    dt_session probe = *s;
    probe.alloc = &m.alloc;
    probe.net = (dt_net){ .H = input->H, .W = input->W, .classes = s->recipe->model.classes };
    dt_status st = count_loaders(&probe, p, input, &loaders, &below);
    if (st == DT_OK) st = count_session(&probe, &m, p, input, &key, &below);
    close_parts(&probe);
    dt_put(&m.alloc, loaders);
    dt_status fits = dt_budget_compare(&m, &p->memory, s->recipe, input, key, err);
    dt_measure_fini(&m);
    if (fits != DT_OK) return fits;
    if (st != DT_OK && err) *err = below;
    return st;
}

typedef struct run_of {
    const dt_int_model *model;
    int64_t room;
} run_of;

static dt_status open_run(void *arg, dt_session *s, dt_error *err)
{
    const run_of *of = arg;
    dt_int_run engine;
    DT_TRY(dt_int_run_init(&engine, of->model, &dt_int_engine, &s->kernels, s->threads, of->room,
                           s->alloc, err));
    dt_int_run_fini(&engine);
    return DT_OK;
}

dt_status dt_budget_check_run(const dt_session *s, const dt_int_model *m, int64_t room,
                              dt_error *err)
{
    run_of of = { m, room };
    return dt_budget_check_open(s, room, open_run, &of, err);
}

dt_status dt_budget_check_open(const dt_session *s, int64_t room, dt_budget_open open, void *arg,
                               dt_error *err)
{
    dt_measure b;
    dt_net_input input;
    dt_error below = { .status = DT_OK };
    if (s->memory.bytes == 0) return DT_OK;
    DT_TRY(dt_session_input(s, &input, err));
    DT_TRY(dt_measure_init(&b, err));
    dt_session probe = *s;
    probe.alloc = &b.alloc;
    void *loader =
        dt_get(&b.alloc, dt_budget_loader_bytes(&input, s->net.classes, room), "loader");
    dt_status st = open(arg, &probe, &below);
    dt_put(&b.alloc, loader);
    dt_status fits = dt_budget_compare(&b, &s->memory, s->recipe, &input, "", err);
    dt_measure_fini(&b);
    if (fits != DT_OK) return fits;
    if (st != DT_OK && err) *err = below;
    return st;
}
