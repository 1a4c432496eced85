/* The table of layers, and operations that are layers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/layer.h"

#include "layers/nodes.h"

#define DT_LAYER(name, file) extern const dt_layer dt_layer_row_##name;
#define DT_LAYER_OP(name)
#include "layers/layers.def"
#undef DT_LAYER
#undef DT_LAYER_OP

static const dt_row *const rows[] = {
#define DT_LAYER(name, file) &dt_layer_row_##name.row,
#define DT_LAYER_OP(name)
#include "layers/layers.def"
#undef DT_LAYER
#undef DT_LAYER_OP
    NULL,
};
const dt_table dt_layers = { "layer", rows };

/* Operations whose inputs are values; functions of one value are such, too. */
#define DT_LAYER(name, file)
#define DT_LAYER_OP(name) extern const dt_op dt_op_##name;
#include "layers/layers.def"
#undef DT_LAYER
#undef DT_LAYER_OP

static const dt_op *const plain_ops[] = {
#define DT_LAYER(name, file)
#define DT_LAYER_OP(name) &dt_op_##name,
#include "layers/layers.def"
#undef DT_LAYER
#undef DT_LAYER_OP
};

static bool is_layer(const dt_op *op)
{
    if (op->function && !op->fused) return true;
    for (size_t i = 0; i < DT_ARRAY_LEN(plain_ops); i++)
        if (plain_ops[i] == op) return true;
    return false;
}

static dt_layer_kind kind_of_row(const dt_row *row)
{
    const dt_layer *l = (const dt_layer *)(const void *)row;
    return (dt_layer_kind){ .name = row->name,
                            .layer = l,
                            .opts = row->opts,
                            .conf_size = row->conf_size,
                            .in_min = l->in_min,
                            .in_max = l->in_max };
}

static dt_layer_kind kind_of_op(const dt_op *op)
{
    return (dt_layer_kind){ .name = op->name,
                            .op = op,
                            .opts = op->opts,
                            .conf_size = op->conf_size,
                            .in_min = op->in_min,
                            .in_max = op->in_max };
}

void dt_layer_each(void (*fn)(void *arg, const dt_layer_kind *kind), void *arg)
{
    for (const dt_row *const *row = rows; *row; row++) {
        dt_layer_kind k = kind_of_row(*row);
        fn(arg, &k);
    }
    for (const dt_op *const *op = dt_ops; *op; op++) {
        if (dt_table_find(&dt_layers, (*op)->name) || !is_layer(*op)) continue;
        dt_layer_kind k = kind_of_op(*op);
        fn(arg, &k);
    }
}

enum { MOST = 128 };
typedef struct names {
    const char *name[MOST];
    size_t count;
} names;

static void add_name(void *arg, const dt_layer_kind *kind)
{
    names *n = arg;
    if (n->count < MOST) n->name[n->count++] = kind->name;
}

dt_status dt_layer_find(const char *name, const dt_where *where, dt_layer_kind *out, dt_error *err)
{
    const dt_row *row = dt_table_find(&dt_layers, name);
    const dt_op *op = row ? NULL : dt_op_find(name);
    names all = { .count = 0 };
    if (row) *out = kind_of_row(row);
    if (op && is_layer(op)) *out = kind_of_op(op);
    if (row || (op && is_layer(op))) return DT_OK;
    dt_layer_each(add_name, &all);
    const char *near = dt_nearest(name, all.name, all.count);
    return dt_fail(err, DT_ERR_NOT_FOUND, where, "no layer is called '%.60s'%s%s%s", name,
                   near ? ", did you mean '" : "; detent list layers tells them", near ? near : "",
                   near ? "'?" : "");
}

int dt_layer_build(dt_builder *b, const dt_layer_kind *kind, const char *name, const void *conf,
                   const int *in, int in_count)
{
    if (kind->layer) return kind->layer->build(b, name, conf, in, in_count);
    return dt_part_node(b, kind->name, name, conf, in, in_count);
}
