/* Configuration of the distill op. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_DISTILL_H
#define DT_AUTOGRAD_OP_DISTILL_H

typedef struct dt_distill_conf {
    double temperature;  /* above 0 */
    double task, weight; /* factors of the task's loss and of the teacher's */
} dt_distill_conf;

#endif
