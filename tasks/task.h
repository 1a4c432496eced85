/* Tasks: what a network is trained for. A row says what a sample's answer is, which loss compares
 * the output with it, how the output is scored, what is reported and which epoch is the best. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TASKS_TASK_H
#define DT_TASKS_TASK_H

#include "autograd/loss.h"

/* A number that tells how good a net is. */
typedef struct dt_metric {
    const char *name;  /* key in logs and in JSON: "top1" */
    const char *label; /* as it is printed: "top-1" */
    const char *unit;  /* behind the number: "%", "" */
    int decimals;
} dt_metric;

enum { DT_TASK_SUMS = 5, DT_TASK_METRICS = 4, DT_METRIC_TEXT = 64 };

/* What was added up over samples, in the order of their index. */
typedef struct dt_score {
    int64_t count;
    double loss; /* mean; while adding the sum */
    double sum[DT_TASK_SUMS];
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
    /* What an output means: `predicted` numbers of a sample, printed with so many `digits`. */
    const char *means; /* "class" */
    int64_t (*predicted)(int64_t K);
    void (*predict)(const void *conf, const real *y, int64_t K, float *out);
    int digits;
} dt_net_task;

extern const dt_table dt_tasks; /* kind "task"; rows are dt_net_task, the first is the default */

/* A task and its loss with their options. */
typedef struct dt_goal {
    const dt_net_task *task;
    const void *conf;
    const dt_loss *loss;
    const void *loss_conf;
    int64_t K; /* outputs */
} dt_goal;

/* Bytes of a sample's answer. */
size_t dt_goal_answer_bytes(const dt_goal *g);
/* Adds n samples: outputs [n,K], answers. `predictions` (NULL: not wanted) gets what they mean,
 * [n,predicted]. The loss is not added. */
void dt_score_add(dt_score *s, const dt_goal *g, const real *y, const void *answers, int64_t n,
                  float *predictions);
/* Adds what was added up of other samples, losses too. Sums of batches are joined in the order of
 * the batches, so that whoever ran them changes no bit. */
void dt_score_join(dt_score *s, const dt_score *part);
/* A metric of what was added; 0 of nothing. */
double dt_score_value(const dt_score *s, const dt_goal *g, int metric);
/* "91.45%" */
const char *dt_metric_print(const dt_metric *m, double value, char text[DT_METRIC_TEXT]);
/* Is the first metric better than `best`, which is negative where there is none yet? */
bool dt_goal_is_better(const dt_goal *g, double value, double best);
/* Do two forwards of one net score the same, as far as rounding lets them? */
bool dt_goal_agrees(const dt_goal *g, const dt_score *a, const dt_score *b);

#endif
