/* One step on a given batch of a network read from an ONNX file, for the comparison with PyTorch
 * and onnxruntime (check.py); or of one in YAML, whose parameters are those of the same names of an ONNX
 * file. Compiled twice: step in float, step_double in double.
 *
 * usage: step ONNX BATCH N SIDE OUT [gradients [YAML]]
 *
 * BATCH has float64 pictures [N,SIDE,SIDE,3], then int32 labels [N]. OUT gets tensors, each a line
 * "<rank> <dimensions>... <name>" and its numbers, in the precision of the program: "logits" of an
 * evaluation, and with `gradients` those of every parameter of the mean cross entropy in training
 * mode, as "g:<name>", beside the parameters, "w:<name>", in the engine's layout. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/exec.h"
#include "autograd/op_softmax_ce.h"
#include "exchange/onnx/reader/onnx_graph.h"
#include "layers/nodes.h"
#include "train/net/net_yaml.h"

typedef struct step {
    dt_onnx_net *net;
    dt_yaml_net *layers; /* NULL: the file's own graph */
    dt_graph graph, named;
    dt_state state;
    dt_kernels kernels;
    int input, labels, logits, loss; /* values */
    int64_t batch, side;
    real *pictures;
    int32_t *label;
    FILE *out;
} step;

static dt_status read_batch(step *s, const char *path, dt_error *err)
{
    size_t rows = (size_t)s->batch, numbers = rows * (size_t)(s->side * s->side * 3);
    double *from = dt_get_array(NULL, numbers, sizeof *from, "batch");
    s->pictures = dt_get_array(NULL, numbers, sizeof *s->pictures, "batch");
    s->label = dt_get_array(NULL, rows, sizeof *s->label, "batch");
    FILE *f = fopen(path, "rb");
    bool ok = f && from && s->pictures && s->label &&
              fread(from, sizeof *from, numbers, f) == numbers &&
              fread(s->label, sizeof *s->label, rows, f) == rows;
    for (size_t i = 0; ok && i < numbers; i++)
        s->pictures[i] = (real)from[i];
    if (f) fclose(f);
    dt_put(NULL, from);
    return ok ? DT_OK : dt_fail(err, DT_ERR_IO, &(dt_where){ .file = path }, "is too short");
}

/* The net of the list, behind the same picture as the file's, which is built for its parameters. */
static dt_status build_layers(step *s, dt_builder *b, dt_error *err)
{
    dt_builder other = { .graph = &s->named, .err = err };
    const dt_value picture = s->graph.value[s->input];
    int x, y;
    DT_TRY(dt_graph_init(&s->named, NULL, err));
    DT_TRY(dt_graph_value(&s->named, &picture, &x, err));
    DT_TRY(dt_onnx_net_build(s->net, &other, x, 0, false, &y, err));
    return dt_yaml_net_build(s->layers, b, s->input, (int)s->named.value[y].shape.dim[1],
                             &s->logits, NULL, NULL, err);
}

/* The file's net behind a picture, and a loss behind it. */
static dt_status build(step *s, dt_error *err)
{
    static const dt_softmax_ce_conf plain = { 0 };
    dt_builder b = { .graph = &s->graph, .err = err };
    const dt_value picture = { .name = "input",
                               .kind = DT_VALUE_INPUT,
                               .shape = DT_SHAPE(1, s->side, s->side, 3),
                               .batched = true };
    const dt_value labels = { .name = "labels",
                              .kind = DT_VALUE_INPUT,
                              .shape = DT_SHAPE(1),
                              .batched = true,
                              .store = DT_STORE_INT32 };
    DT_TRY(dt_graph_init(&s->graph, NULL, err));
    DT_TRY(dt_graph_value(&s->graph, &picture, &s->input, err));
    DT_TRY(dt_graph_value(&s->graph, &labels, &s->labels, err));
    DT_TRY(s->layers ? build_layers(s, &b, err)
                     : dt_onnx_net_build(s->net, &b, s->input, 0, false, &s->logits, err));
    const int in[] = { s->logits, s->labels };
    s->loss = dt_part_node(&b, "softmax_ce", "loss", &plain, in, 2);
    return b.status;
}

/* Every parameter has numbers in the file. */
static dt_status fill(step *s, dt_error *err)
{
    for (int i = 0; i < s->graph.value_count; i++) {
        const dt_value *v = &s->graph.value[i];
        const float *from = s->state.data[i] ? dt_onnx_net_values(s->net, v->name) : NULL;
        if (s->state.data[i] && !from)
            return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .key = v->name },
                           "is no parameter of the file");
        for (int64_t k = 0; from && k < dt_shape_count(&v->shape); k++)
            s->state.data[i][k] = (real)from[k];
    }
    return DT_OK;
}

static void put(step *s, const char *kind, const char *name, const dt_shape *shape, const real *x)
{
    fprintf(s->out, "%d ", shape->rank);
    for (int i = 0; i < shape->rank; i++)
        fprintf(s->out, "%lld ", (long long)shape->dim[i]);
    fprintf(s->out, "%s%s\n", kind, name);
    fwrite(x, sizeof *x, (size_t)dt_shape_count(shape), s->out);
}

/* Runs the batch forward in a mode, and backward in training. */
static dt_status run(step *s, dt_mode mode, dt_error *err)
{
    dt_plan plan;
    dt_exec e = { 0 };
    int wanted = mode == DT_MODE_TRAIN ? s->loss : s->logits;
    DT_TRY(dt_plan_init(&plan,
                        &(dt_plan_request){ .graph = &s->graph,
                                            .kernels = &s->kernels,
                                            .mode = mode,
                                            .batch = s->batch,
                                            .threads = dt_cpu_count(),
                                            .outputs = &wanted,
                                            .output_count = 1 },
                        NULL, err));
    dt_status st = dt_exec_init(&e, &plan, &s->state, &s->kernels, NULL, NULL, err);
    if (st == DT_OK) {
        dt_exec_set_input(&e, s->input, s->pictures);
        if (mode == DT_MODE_TRAIN) dt_exec_set_input(&e, s->labels, s->label);
        st = dt_exec_forward(&e, err);
    }
    if (st == DT_OK && mode == DT_MODE_TRAIN) dt_exec_backward(&e);
    if (st == DT_OK && mode != DT_MODE_TRAIN) {
        dt_shape shape = s->graph.value[s->logits].shape;
        shape.dim[0] = s->batch;
        put(s, "", "logits", &shape, dt_exec_value(&e, s->logits));
    }
    dt_exec_fini(&e);
    dt_plan_fini(&plan);
    return st;
}

static void put_gradients(step *s)
{
    for (int i = 0; i < s->graph.value_count; i++) {
        const dt_value *v = &s->graph.value[i];
        if (!s->state.grad[i]) continue;
        put(s, "w:", v->name, &v->shape, s->state.data[i]);
        put(s, "g:", v->name, &v->shape, s->state.grad[i]);
    }
}

static dt_status all(step *s, char **argv, bool gradients, const char *layers, dt_error *err)
{
    DT_TRY(read_batch(s, argv[2], err));
    DT_TRY(dt_onnx_net_open(argv[1], NULL, &s->net, err));
    if (layers) DT_TRY(dt_yaml_net_open(layers, NULL, &s->layers, err));
    DT_TRY(build(s, err));
    DT_TRY(dt_state_init(&s->state, &s->graph, true, 1, NULL, err));
    DT_TRY(fill(s, err));
    s->out = fopen(argv[5], "wb");
    if (!s->out) return dt_fail(err, DT_ERR_IO, &(dt_where){ .file = argv[5] }, "cannot write");
    DT_TRY(run(s, DT_MODE_EVAL, err));
    if (!gradients) return DT_OK;
    DT_TRY(run(s, DT_MODE_TRAIN, err));
    put_gradients(s);
    return DT_OK;
}

int main(int argc, char **argv)
{
    static step s;
    dt_error err = { 0 };
    if (argc < 6 || argc > 8) return 2;
    s.batch = atoi(argv[3]);
    s.side = atoi(argv[4]);
    dt_status st = dt_kernels_init(&s.kernels, "", &err);
    if (st == DT_OK) st = all(&s, argv, argc > 6, argc > 7 ? argv[7] : NULL, &err);
    if (st != DT_OK) fprintf(stderr, "%s\n", err.text);
    if (s.out && fclose(s.out) != 0) st = DT_ERR_IO;
    dt_state_fini(&s.state);
    dt_graph_fini(&s.graph);
    dt_graph_fini(&s.named);
    dt_yaml_net_close(s.layers);
    dt_onnx_net_close(s.net);
    dt_put(NULL, s.pictures);
    dt_put(NULL, s.label);
    return st != DT_OK;
}
