/* Teachers. The net is the recipe's without its quantizers, or another model in its place. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/net/teacher.h"

#include <string.h>

#include "exchange/foreign_vit.h"
#include "exchange/layout.h"
#include "train/net/session.h"

/* Quantizers would be left out without a word. */
static dt_status check_float(const dt_tensors *set, const char *path, dt_error *err)
{
    for (size_t i = 0; i < set->count; i++)
        if (strstr(set->item[i].name, "_quant."))
            return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = "distill.teacher" },
                           "%s is of a quantized net: it has '%s'; a teacher is a float net", path,
                           set->item[i].name);
    return DT_OK;
}

static dt_status take(dt_teacher *t, const dt_tensors *set, const dt_recipe_distill *d,
                      const dt_importer *importer, dt_error *err)
{
    dt_net_report report;
    dt_tensors adapted;
    dt_net_file file = { .set = set,
                         .path = d->teacher,
                         .key = "distill.teacher",
                         .importer = importer,
                         .native = importer->native,
                         .allow = &d->allow_unexpected,
                         .missing_advice = "distill.model names its model",
                         .unexpected_advice = "distill.model names its model, "
                                              "distill.allow_unexpected what to leave out" };
    DT_TRY(check_float(set, d->teacher, err));
    if (file.native) return dt_net_import(&t->net, &file, &report, err);
    DT_TRY(dt_foreign_vit(&t->net.graph, set, d->teacher, t->alloc, &adapted, err));
    file.set = &adapted;
    dt_status st = dt_net_import(&t->net, &file, &report, err);
    dt_tensors_fini(&adapted);
    return st;
}

static dt_status read(dt_teacher *t, const dt_recipe_distill *d, dt_error *err)
{
    dt_tensors set;
    const dt_importer *importer;
    dt_import_job job = { .path = d->teacher,
                          .alloc = t->alloc,
                          .key = d->teacher_key,
                          .key_name = "distill.teacher_key" };
    DT_TRY(dt_read_tensors(&job, &set, &importer, err));
    memcpy(t->note, job.note, sizeof job.note);
    dt_status st = take(t, &set, d, importer, err);
    dt_tensors_fini(&set);
    return st;
}

static void hash(dt_teacher *t)
{
    dt_sha256 h;
    dt_sha256_init(&h);
    for (int i = 0; i < t->net.graph.value_count; i++) {
        const dt_value *v = &t->net.graph.value[i];
        if (!dt_layout_is_kept(v)) continue;
        dt_sha256_add(&h, v->name, strlen(v->name));
        dt_sha256_add(&h, t->net.state.data[i], (size_t)dt_shape_count(&v->shape) * sizeof(real));
    }
    dt_sha256_end(&h, t->sha256);
}

static dt_status build(dt_teacher *t, const dt_recipe *recipe, const dt_net_input *input,
                       const dt_alloc *a, dt_error *err)
{
    *t = (dt_teacher){ .alloc = a };
    if (!recipe->distill.enabled) return DT_OK;
    dt_recipe of = *recipe; /* the parts that a float net is built of */
    of.model.choice = recipe->distill.model;
    of.quant.enabled = false;
    of.distill.enabled = false;
    of.data.train_count = 0;
    DT_TRY(dt_net_init(&t->net, &of, input, false, a, err));
    t->enabled = true;
    return DT_OK;
}

dt_status dt_teacher_count(dt_teacher *t, const dt_recipe *recipe, const dt_net_input *input,
                           const dt_alloc *a, dt_error *err)
{
    return build(t, recipe, input, a, err);
}

dt_status dt_teacher_open(dt_teacher *t, const dt_recipe *recipe, const dt_net_input *input,
                          const dt_alloc *a, dt_error *err)
{
    DT_TRY(build(t, recipe, input, a, err));
    if (!t->enabled) return DT_OK;
    dt_status st = read(t, &recipe->distill, err);
    if (st == DT_OK)
        hash(t);
    else
        dt_teacher_close(t);
    return st;
}

void dt_teacher_close(dt_teacher *t)
{
    if (!t->enabled) return;
    dt_exec_fini(&t->exec);
    dt_plan_fini(&t->plan);
    dt_put(t->alloc, t->logits);
    dt_net_fini(&t->net);
    *t = (dt_teacher){ 0 };
}

dt_status dt_teacher_make_plan(dt_teacher *t, const dt_kernels *k, int64_t batch, int threads,
                               bool plain, dt_error *err)
{
    const int outputs[] = { t->net.logits };
    t->net.plain = plain;
    return dt_plan_init(&t->plan,
                        &(dt_plan_request){ .graph = dt_net_steps(&t->net),
                                            .kernels = k,
                                            .mode = DT_MODE_EVAL,
                                            .batch = batch,
                                            .threads = threads,
                                            .outputs = outputs,
                                            .output_count = 1 },
                        t->alloc, err);
}

dt_status dt_teacher_start(dt_teacher *t, const dt_kernels *k, void *memory, dt_error *err)
{
    size_t bytes = dt_plan_value_bytes(&t->plan, t->net.logits);
    t->logits = dt_get(t->alloc, bytes, "teacher");
    if (!t->logits) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the teacher's logits");
    return dt_exec_init(&t->exec, &t->plan, &t->net.state, k, memory, t->alloc, err);
}

dt_status dt_teacher_run(dt_teacher *t, const float *x, dt_error *err)
{
    dt_exec_feed(&t->exec, x);
    DT_TRY(dt_exec_forward(&t->exec, err));
    memcpy(t->logits, dt_exec_value(&t->exec, t->net.logits),
           dt_plan_value_bytes(&t->plan, t->net.logits));
    return DT_OK;
}
