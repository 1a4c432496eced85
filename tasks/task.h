/* Tasks: what a network is trained for. A row says what a sample's answer is, which loss compares
 * the output with it, how the output is scored, what is reported and which epoch is the best. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TASKS_TASK_H
#define DT_TASKS_TASK_H

#include "autograd/distribution.h"
#include "autograd/loss.h"

/* A number that tells how good a net is. */
typedef struct dt_metric {
    const char *name;  /* key in logs and in JSON: "top1" */
    const char *label; /* as it is printed: "top-1" */
    const char *unit;  /* behind the number: "%", "" */
    int decimals;
} dt_metric;

enum {
    DT_TASK_SUMS = 5,
    DT_TASK_METRICS = 4,
    DT_METRIC_TEXT = 64,
    DT_GOAL_PARTS = 8, /* outputs of a net */
};

/* What was added up over samples, in the order of their index. */
typedef struct dt_score {
    int64_t count;
    double loss; /* mean; while adding the sum */
    double sum[DT_GOAL_PARTS][DT_TASK_SUMS];
} dt_score;

typedef struct dt_net_task {
    dt_row row;
    dt_answer answer;
    const char *output, *wanted; /* ports of the net: what it gives, and the answers */
    const char *loss;            /* a row of dt_losses, where the recipe names none */
    const char *distill;         /* operation for the loss over a teacher; NULL: there is none */
    /* ---- the score ---- */
    const char *sum[DT_TASK_SUMS + 1]; /* names; ends with NULL */
    int counts;                        /* the first sums count samples: they are logged, too */
    int deciding;                      /* the first metric is made of the first sums, as many */
    void (*add)(const void *conf, const real *y, const void *answer, int64_t K, double *sum);
    /* ---- what is told of it ---- */
    dt_metric metric[DT_TASK_METRICS + 1]; /* the first decides; it is never negative */
    bool lower;                            /* and the lower the better */
    double (*value)(const double *sum, int64_t count, int64_t K, int metric);
    /* The first metric of an exact copy may be so far away over many samples. */
    double apart;
    bool apart_share; /* of the metric itself */
    /* By which an output is compared with the float net's where nothing is trained. */
    const dt_distribution *says;
    /* What an output means: `predicted` numbers of a sample, printed with so many `digits`. */
    const char *means; /* "class" */
    int64_t (*predicted)(int64_t K);
    void (*predict)(const void *conf, const real *y, int64_t K, float *out);
    int digits;
} dt_net_task;

extern const dt_table dt_tasks; /* kind "task"; rows are dt_net_task, the first is the default */

/* An output of the net and what it is trained for: a task and a loss with their options. */
typedef struct dt_goal_part {
    const char *output;      /* its port */
    const dt_net_task *task; /* NULL: none, the output is there for others */
    const void *conf;
    const dt_loss *loss;
    const void *loss_conf;
    int64_t K;        /* numbers of the output */
    double weight;    /* of its loss in that of the net */
    int64_t at;       /* where they begin in a sample's record of outputs */
    size_t answer_at; /* and its answer in that of answers, in bytes */
} dt_goal_part;

/* What a net is trained for. A sample's outputs are a record [K], one output behind the other in
 * the order of the graph's ports; so are its answers, in the order of the parts that have one. */
typedef struct dt_goal {
    dt_goal_part part[DT_GOAL_PARTS]; /* those with a task first */
    int trained, count;               /* parts with a task; parts */
    int decides; /* the part whose first metric says what is best; -1: the loss */
    int64_t K;   /* numbers of all outputs */
} dt_goal;

/* The first part whose answers are labels, whose classes may have names; NULL: there is none. */
const dt_goal_part *dt_goal_labels(const dt_goal *g);
/* Bytes of a sample's answer: of a part, of all parts. */
size_t dt_goal_part_bytes(const dt_goal_part *p);
size_t dt_goal_answer_bytes(const dt_goal *g);
/* Numbers that outputs [K] mean, those of one part behind those of the other. */
int64_t dt_goal_predicted(const dt_goal *g);
/* Metrics of all parts, those of one behind those of the other: metric `i`, NULL behind the last;
 * `out_part` (NULL: not wanted) is whose it is. */
const dt_metric *dt_goal_metric(const dt_goal *g, int i, const dt_goal_part **out_part);
/* The index of a part's first metric. */
int dt_goal_first(const dt_goal *g, int part);
/* What stands before the name of a metric or of a sum of a part: its output and `end`, as
 * "class_"; nothing where a net has one task. */
enum { DT_GOAL_NAME = 256 };
const char *dt_goal_name(const dt_goal *g, const dt_goal_part *p, const char *end, const char *name,
                         char text[DT_GOAL_NAME]);
/* "class_top1" and "class top-1", or "top1" and "top-1". */
const char *dt_goal_key(const dt_goal *g, int metric, char text[DT_GOAL_NAME]);
const char *dt_goal_label(const dt_goal *g, int metric, char text[DT_GOAL_NAME]);
/* The weighted sum of the losses of a sample: outputs [K], its answers. */
double dt_goal_loss(const dt_goal *g, const real *y, const void *answer);

/* Adds n samples: outputs [n,K], answers. `predictions` (NULL: not wanted) gets what they mean,
 * [n,predicted]. The loss is not added. */
void dt_score_add(dt_score *s, const dt_goal *g, const real *y, const void *answers, int64_t n,
                  float *predictions);
/* Adds what was added up of other samples, losses too. Sums of batches are joined in the order of
 * the batches, so that whoever ran them changes no bit. */
void dt_score_join(dt_score *s, const dt_score *part);
/* A metric of what was added; 0 of nothing. */
double dt_score_value(const dt_score *s, const dt_goal *g, int metric);
/* The number that says which of two nets is better: a part's first metric, or the loss. */
double dt_score_deciding(const dt_score *s, const dt_goal *g);
/* "91.45%" */
const char *dt_metric_print(const dt_metric *m, double value, char text[DT_METRIC_TEXT]);
/* Is that number better than `best`, which is negative where there is none yet? */
bool dt_goal_is_better(const dt_goal *g, double value, double best);
/* Do two forwards of one net score the same, as far as rounding lets them? */
bool dt_goal_agrees(const dt_goal *g, const dt_score *a, const dt_score *b);

#endif
