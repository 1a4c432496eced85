/* Configurations of piecewise functions. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_HARD_H
#define DT_AUTOGRAD_OP_HARD_H

/* Ends of a clip from here on are none. */
#define DT_CLIP_OPEN 1e30

typedef struct dt_clip_conf {
    double low, high;
} dt_clip_conf;

typedef struct dt_elu_conf {
    double alpha;
} dt_elu_conf;

typedef struct dt_hard_sigmoid_conf {
    double alpha, beta;
} dt_hard_sigmoid_conf;

typedef struct dt_leaky_relu_conf {
    double alpha;
} dt_leaky_relu_conf;

#endif
