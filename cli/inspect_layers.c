/* A row each, and sums. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inspect_layers.h"

#include <math.h>

#include "cli/plain.h"

static json_t *shape_json(const dt_shape *s)
{
    json_t *list = json_array();
    for (int i = 0; i < s->rank; i++)
        json_array_append_new(list, json_integer((json_int_t)s->dim[i]));
    return list;
}

static json_t *layer_json(const dt_inspect_layer *l)
{
    json_t *o = json_pack(
        "{s:s,s:s,s:o,s:o,s:o,s:i,s:i,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "name", l->name, "op", l->op,
        "weight", shape_json(&l->weight), "input", shape_json(&l->in), "output",
        shape_json(&l->out), "weight_bits", l->w_bits, "input_bits", l->a_bits, "weights",
        (json_int_t)l->weights, "macs", (json_int_t)l->macs, "bops", (json_int_t)l->bops,
        "low_bytes", (json_int_t)l->low_bytes, "container_bytes", (json_int_t)l->container_bytes,
        "low", dt_json_number(l->low), "high", dt_json_number(l->high));
    if (o && l->method) json_object_set_new(o, "method", json_string(l->method));
    if (o && l->clipped >= 0) json_object_set_new(o, "clipped", json_real(l->clipped));
    if (o && isfinite(l->sqnr_db)) json_object_set_new(o, "sqnr_db", json_real(l->sqnr_db));
    return o;
}

static void bits_text(int bits, char text[8])
{
    if (bits == DT_FLOAT_BITS)
        snprintf(text, 8, "float");
    else
        snprintf(text, 8, "%d", bits);
}

static void print_row(const dt_inspect_layer *l)
{
    char weight[DT_SHAPE_TEXT], out[DT_SHAPE_TEXT], w[8], a[8], range[32], name[CLI_PLAIN_NAME];
    bits_text(l->w_bits, w);
    bits_text(l->a_bits, a);
    snprintf(range, sizeof range, "%.3g..%.3g", l->low, l->high);
    printf("%-24s %-14s %-14s %5s %5s %-18s", cli_plain_name(l->name, name),
           dt_shape_print(&l->weight, weight), dt_shape_print(&l->out, out), w, a, range);
    if (l->clipped >= 0)
        printf(" %7.3f%%", 100 * l->clipped);
    else
        printf(" %8s", "");
    if (isfinite(l->sqnr_db))
        printf(" %6.1f", l->sqnr_db);
    else
        printf(" %6s", "");
    printf(" %9zu %9zu %9.3f %8.3f\n", l->low_bytes, l->container_bytes, 1e-6 * (double)l->macs,
           1e-9 * (double)l->bops);
}

void cli_layers_add(cli_layers *v, const dt_inspect_layer *l)
{
    if (v->list)
        json_array_append_new(v->list, layer_json(l));
    else if (v->count == 0)
        printf("\n%-24s %-14s %-14s %5s %5s %-18s %8s %6s %9s %9s %9s %8s\n", "layer", "weights",
               "output", "bits", "input", "range of weights", "clipped", "SQNR", "bytes",
               "container", "Mmac", "Gbop");
    if (!v->list) print_row(l);
    v->count++;
    v->weights += l->weights;
    v->macs += l->macs;
    v->bops += l->bops;
    v->low_bytes += l->low_bytes;
    v->container_bytes += l->container_bytes;
}

void cli_layers_print_total(const cli_layers *v)
{
    if (v->count == 0) return;
    printf("%-24s %-14lld %-14s %5s %5s %-18s %8s %6s %9zu %9zu %9.3f %8.3f\n", "all",
           (long long)v->weights, "", "", "", "", "", "", v->low_bytes, v->container_bytes,
           1e-6 * (double)v->macs, 1e-9 * (double)v->bops);
}

json_t *cli_layers_total(const cli_layers *v)
{
    return json_pack("{s:I,s:I,s:I,s:I,s:I}", "weights", (json_int_t)v->weights, "macs",
                     (json_int_t)v->macs, "bops", (json_int_t)v->bops, "low_bytes",
                     (json_int_t)v->low_bytes, "container_bytes", (json_int_t)v->container_bytes);
}
