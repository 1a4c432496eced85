/* A network as a function of arrays. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/common.h"

#include <string.h>

struct detent_net {
    dt_recipe *recipe;
    dt_session s;
    dt_evaluator evaluator;
    float *x;              /* [API_BATCH,H,W,C], of a batch that is not full */
    void *answers;         /* of pictures without any: zeros */
    int *tensor;           /* [tensors]: values of the graph */
    int64_t count, inputs; /* tensors; elements of a picture */
    int open;              /* steps of detent_net_open that were done */
};

static dt_status list_tensors(detent_net *net, dt_error *err)
{
    const dt_graph *g = &net->s.net.graph;
    net->tensor = dt_get_array(NULL, (size_t)g->value_count + 1, sizeof *net->tensor, "net");
    if (!net->tensor) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a network");
    for (int i = 0; i < g->value_count; i++)
        if (net->s.net.state.data[i]) net->tensor[net->count++] = i;
    return DT_OK;
}

static dt_status open_net(detent_net *net, dt_error *err)
{
    dt_session *s = &net->s;
    net->inputs = dt_net_input_count(&s->net);
    net->x = dt_get_array(NULL, (size_t)net->inputs * API_BATCH, sizeof *net->x, "net");
    net->answers = dt_get_array(NULL, API_BATCH, dt_goal_answer_bytes(&s->net.goal) + 1, "net");
    if (!net->x || !net->answers)
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a network");
    DT_TRY(list_tensors(net, err));
    return dt_evaluator_init(&net->evaluator, &s->net, dt_net_steps(&s->net), &s->kernels,
                             API_BATCH, s->threads, NULL, NULL, err);
}

int detent_net_open(const char *path, const detent_words *overrides, int threads, detent_net **out,
                    char error[DETENT_ERROR])
{
    dt_error err = { 0 };
    detent_net *net = dt_get(NULL, sizeof *net, "net");
    dt_status st = net ? api_session(path, overrides, threads, false, &net->recipe, &net->s, &err)
                       : dt_fail(&err, DT_ERR_NOMEM, NULL, "no memory for a network");
    if (st == DT_OK) {
        net->open = 1;
        st = open_net(net, &err);
        if (st == DT_OK) net->open = 2;
    }
    if (st == DT_OK)
        *out = net;
    else
        detent_net_close(net);
    return api_told(st, &err, error);
}

void detent_net_close(detent_net *net)
{
    if (!net) return;
    if (net->open > 1) dt_evaluator_fini(&net->evaluator);
    dt_put(NULL, net->x);
    dt_put(NULL, net->answers);
    dt_put(NULL, net->tensor);
    if (net->open) {
        dt_session_close(&net->s);
        dt_recipe_free(net->recipe);
    }
    dt_put(NULL, net);
}

/* Of a sample. */
static int axes_of(const detent_net *net, int64_t dims[DETENT_AXES])
{
    const dt_shape *x = &net->s.net.graph.value[net->s.net.input].shape;
    if (dt_graph_input(&net->s.net.graph, 1) >= 0) { /* several: a record of their numbers */
        dims[0] = net->inputs;
        return 1;
    }
    for (int i = 1; i < x->rank && i <= DETENT_AXES; i++) /* the first is the batch */
        dims[i - 1] = x->dim[i];
    return x->rank - 1;
}

int detent_net_shape(const detent_net *net, int64_t dims[4])
{
    int64_t all[DETENT_AXES];
    const int rank = axes_of(net, all);
    for (int i = 0; i < rank && i < 4; i++)
        dims[i] = all[i];
    return rank;
}

void detent_net_sizes(const detent_net *net, int64_t out[4])
{
    int64_t dims[DETENT_AXES];
    const int rank = axes_of(net, dims), kept = rank < 3 ? rank : 3;
    out[0] = out[1] = 1;
    for (int i = 0; i < kept; i++)
        out[2 - i] = dims[rank - 1 - i];
    out[3] = net->s.net.goal.K;
}

const char *detent_net_port(const detent_net *net, int output, int k, int64_t dims[DETENT_AXES],
                            int *rank)
{
    const dt_graph *g = &net->s.net.graph;
    const int v = output ? dt_graph_output(g, k) : dt_graph_input(g, k);
    if (v < 0) return NULL;
    const dt_shape *s = &g->value[v].shape; /* the first is the batch */
    *rank = s->rank - 1;
    for (int i = 1; i < s->rank && i <= DETENT_AXES; i++)
        dims[i - 1] = s->dim[i];
    return dt_graph_port_name(g, v, output ? "output" : "input");
}

static dt_status one_batch(detent_net *net, const float *x, int64_t n, float *out, dt_error *err)
{
    const dt_goal *g = &net->s.net.goal;
    if (n < API_BATCH) x = memcpy(net->x, x, (size_t)(n * net->inputs) * sizeof *x);
    const dt_batch batch = {
        .x = x, .targets = net->answers, .answer = DT_ANSWER_RECORD, .valid = n
    };
    dt_evaluator_feed(&net->evaluator, &batch, n);
    DT_TRY(dt_exec_forward(&net->evaluator.exec, err));
    const real *y = dt_evaluator_outputs(&net->evaluator, n);
    for (int64_t i = 0; i < n * g->K; i++)
        out[i] = (float)y[i];
    return DT_OK;
}

int detent_net_forward(detent_net *net, const float *x, int64_t n, float *out,
                       char error[DETENT_ERROR])
{
    dt_error err = { 0 };
    dt_status st = DT_OK;
    for (int64_t at = 0; at < n && st == DT_OK; at += API_BATCH) {
        int64_t here = n - at < API_BATCH ? n - at : API_BATCH;
        st = one_batch(net, x + at * net->inputs, here, out + at * net->s.net.goal.K, &err);
    }
    return api_told(st, &err, error);
}

int64_t detent_net_count(const detent_net *net)
{
    return net->count;
}

const char *detent_net_tensor(detent_net *net, int64_t i, int64_t dims[DETENT_AXES], int *rank,
                              float **data)
{
    const dt_value *v = &net->s.net.graph.value[net->tensor[i]];
    *rank = v->shape.rank;
    for (int k = 0; k < v->shape.rank; k++)
        dims[k] = v->shape.dim[k];
    *data = net->s.net.state.data[net->tensor[i]];
    return v->name;
}

static dt_status send_grid(const dt_node *site, const dt_state *state, api_listener *l,
                           dt_error *err)
{
    dt_text text = { .alloc = NULL };
    dt_grid_say(site, state, &text);
    json_t *o = text.bytes && !text.failed ? json_loads(text.bytes, 0, NULL) : NULL;
    bool failed = text.failed || (text.bytes && !o);
    dt_text_fini(&text);
    if (failed) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for grids");
    if (!o) return DT_OK;
    json_object_set_new(o, "kind", json_string("grid"));
    json_object_set_new(o, "site", json_string(site->name));
    api_send(l, o);
    return DT_OK;
}

int detent_net_grids(const detent_net *net, detent_event *event, void *arg,
                     char error[DETENT_ERROR])
{
    dt_error err = { 0 };
    dt_status st = DT_OK;
    api_listener l = { .event = event, .arg = arg };
    const dt_graph *g = &net->s.net.graph;
    for (int i = 0; i < g->node_count && st == DT_OK; i++)
        if (g->node[i].op->quantizes) st = send_grid(&g->node[i], &net->s.net.state, &l, &err);
    return api_told(st, &err, error);
}

static dt_status write_export(detent_net *net, const char *format, const char *path, dt_error *err)
{
    const dt_session *s = &net->s;
    const dt_row *row;
    struct dt_text_attr attr[DT_SOURCE_TEXTS];
    const dt_export_source src = dt_session_source(s, DT_VERSION, attr);
    DT_TRY(dt_table_get(&dt_exporters, format, &(dt_where){ .key = "format" }, &row, err));
    const dt_exporter *e = dt_exporter_of(row);
    void *conf = dt_get(NULL, e->row.conf_size + 1, "exporter");
    if (!conf) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to export");
    dt_opt_defaults(e->row.opts, conf);
    dt_status st = e->write(&src, conf, path, NULL, err);
    dt_put(NULL, conf);
    return st;
}

int detent_net_export(detent_net *net, const char *format, const char *path,
                      char error[DETENT_ERROR])
{
    dt_error err = { 0 };
    return api_told(write_export(net, format, path, &err), &err, error);
}
