/* From a lowering to a TFLite file. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/tflite/tflite_file.h"

#include "core/atomic.h"
#include "exchange/tflite/tflite_walk.h"
#include "exchange/usage.h"

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the TFLite model");
}

static dt_status make_model(const dt_export_source *src, bool halves, dt_int_model **out,
                            dt_error *err)
{
    dt_lower_source low = dt_export_lower(src);
    dt_lowered *l;
    low.no_gain = halves;
    DT_TRY(dt_lower_new(&low, &l, err));
    dt_status st = dt_export_model(src, l, "xnnpack", out, err);
    dt_lower_free(l);
    return st;
}

enum { TO_S8 = -128 }; /* from our unsigned codes to the file's */

/* How the file is used: metadata by the names of exchange/usage.h. */
static dt_status add_usage(const dt_export_source *src, const dt_int_model *model, dt_arena *arena,
                           dt_tflite *m, dt_error *err)
{
    const dt_usage_ends ends = dt_usage_of_model(model, "NHWC", TO_S8);
    dt_usage u;
    DT_TRY(dt_usage_make(src, &ends, arena, &u, err));
    for (int i = 0; i < u.count; i++) {
        const char *name = dt_arena_printf(arena, "detent.%s", u.text[i].key);
        if (!name) return no_memory(err);
        dt_tflite_metadata(m, name, u.text[i].value);
    }
    return DT_OK;
}

/* A single output is called "logits", whatever its port. */
static void name_outputs(const dt_export_source *src, dt_tflite_ends *ends)
{
    int value[DT_GRAPH_PORTS], count = dt_graph_wanted(src->graph, src->logits, value);
    for (int k = 0; k < count; k++)
        ends->name[k] = count == 1 ? "logits" : dt_graph_port_name(src->graph, value[k], "logits");
}

static dt_status fill(const dt_export_source *src, const dt_int_model *model, bool halves,
                      dt_arena *arena, dt_tflite *m, const char *path, dt_export_report *report,
                      dt_error *err)
{
    unsigned char *bytes;
    dt_tflite_ends ends = { .outputs = 0 };
    name_outputs(src, &ends);
    DT_TRY(dt_tflite_walk(model, halves, arena, m, &ends, err));
    DT_TRY(add_usage(src, model, arena, m, err));
    DT_TRY(dt_tflite_pack(m, src->name, &ends, &bytes, &report->bytes, err));
    dt_tflite_describe(m, report);
    dt_status st =
        path ? dt_file_write_checked(NULL, path, bytes, report->bytes, dt_tflite_check, m, err)
             : DT_OK;
    dt_put(src->alloc, bytes);
    return st;
}

dt_status dt_tflite_write(const dt_export_source *src, bool halves, const char *path,
                          dt_export_report *out_report, dt_error *err)
{
    dt_export_report report = { 0 };
    dt_int_model *model;
    DT_TRY(make_model(src, halves, &model, err));
    dt_tflite *m = dt_tflite_new(src->alloc);
    dt_arena *arena = dt_arena_new(src->alloc, "tflite");
    dt_status st =
        m && arena ? fill(src, model, halves, arena, m, path, &report, err) : no_memory(err);
    dt_tflite_free(m);
    dt_arena_free(arena);
    dt_int_model_free(model);
    if (st != DT_OK) return st;
    dt_export_count_layers(src, &report);
    if (out_report) *out_report = report;
    return DT_OK;
}
