/* The integer model executed as it is defined: plain loops, integers from the picture's codes to
 * those of the logits. What a node computes is its form's to say. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "integer/job.h"

static void picture_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_int_job *j = arg;
    j->n->form->reference(j, i);
}

static void node(dt_int_run *r, const dt_int_node *n)
{
    dt_int_each_picture(r, n, picture_task);
}

const dt_int_executor dt_int_reference = { "reference", node, NULL };
